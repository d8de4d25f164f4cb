"""What a network is made of, in the order in which an image meets it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from explorer.branches import Branches
from explorer.inspection.parts import Block, Layer, Part
from explorer.spec import ImageSpec


def outline(model: nn.Module, images: ImageSpec) -> tuple[Part, ...]:
    """Run one blank image through `model` and note which parts it meets.

    A module that is used twice is listed twice; what a `forward` does without modules is not seen.
    The model's mode and the random generator are left as they were.
    """
    recorder = _Recorder()
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    try:
        with recorder.attached(model), torch.random.fork_rng(devices=[]), torch.inference_mode():
            model(torch.zeros(1, images.channels, images.size, images.size, device=device))
    finally:
        model.train(was_training)
    return tuple(recorder.parts)


class _Recorder:
    """Builds the outline while hooks tell which module begins and which ends."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._open = [self.parts]  # where the next part belongs; the last is the innermost

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        with ExitStack() as hooks:

            def hook(handle: RemovableHandle) -> None:
                hooks.callback(handle.remove)

            # Innermost first: hooks run in the order in which they were registered, and a branch
            # that is a single layer has to record that layer before it is closed.
            for path, module in reversed(list(model.named_modules())):
                if isinstance(module, Branches):
                    self._watch_block(path, module, hook)
                elif not any(True for _ in module.children()):
                    hook(module.register_forward_hook(self._layer(path)))
            yield

    def _layer(self, path: str) -> Callable[..., None]:
        def record(module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                kind = type(module).__name__
                text = describe(module)
                part = Layer(path, kind, text, tuple(output.shape[1:]), _weights(module))
                self._open[-1].append(part)

        return record

    def _watch_block(
        self, path: str, block: Branches, hook: Callable[[RemovableHandle], None]
    ) -> None:
        paths: dict[str, list[Part]] = {}
        channels: dict[str, int] = {}

        def open_branch(name: str) -> Callable[..., None]:
            def begin(_module: nn.Module, _inputs: Any) -> None:
                paths[name] = []
                self._open.append(paths[name])

            return begin

        def close_branch(name: str) -> Callable[..., None]:
            def end(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
                channels[name] = output.shape[1]
                self._open.pop()

            return end

        def close(module: nn.Module, _inputs: Any, output: Tensor) -> None:
            merge = getattr(block.merge, "__name__", type(block.merge).__name__)
            branches = {name: tuple(parts) for name, parts in paths.items()}
            shape = tuple(output.shape[1:])
            part = Block(path, merge, branches, dict(channels), shape, _weights(module))
            self._open[-1].append(part)

        for name, module in block.items():
            hook(module.register_forward_pre_hook(open_branch(name)))
            hook(module.register_forward_hook(close_branch(name)))
        hook(block.register_forward_hook(close))


def describe(module: nn.Module) -> str:
    """A layer in a few words: `conv 5×5`, `max-pool 2`, `batch norm`; else its class's name."""
    match module:
        case nn.Conv2d():
            grouped = f", {module.groups} groups" if module.groups > 1 else ""
            stride = f", stride {_size(module.stride)}" if _size(module.stride) != "1" else ""
            kernel = "×".join(map(str, module.kernel_size))
            return f"conv {kernel}{stride}{grouped}"
        case nn.MaxPool2d():
            return f"max-pool {_size(module.kernel_size)}"
        case nn.AvgPool2d():
            return f"avg-pool {_size(module.kernel_size)}"
        case nn.AdaptiveAvgPool2d():
            size = "×".join(map(str, _pair(module.output_size)))
            return "global average" if size == "1×1" else f"average to {size}"
        case nn.BatchNorm2d():
            return "batch norm"
        case nn.Identity():
            return "identity"
        case nn.Linear():
            return "linear"
        case nn.Flatten():
            return "flatten"
        case nn.Dropout():
            return f"dropout {module.p:g}"
    return type(module).__name__


def _pair(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value, value)


def _size(value: int | tuple[int, ...]) -> str:
    sizes = value if isinstance(value, tuple) else (value,)
    return str(sizes[0]) if len(set(sizes)) == 1 else "×".join(map(str, sizes))


def _weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
