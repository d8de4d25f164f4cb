"""Watches a network while it runs: which modules an image meets, and what each of them gives.

All that looks inside a network stands on `trace`: hooks see every module begin and end, so no
network has to be written for it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.branches import Branches
from explorer.inspection.describing import describe
from explorer.inspection.parts import Block, Layer, Part, branch_path, run_name

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trace(Generic[T]):
    """One run of a network.

    Attributes:
        parts: The layers and blocks that the images met, in that order. What a `forward` does
            without modules is not seen.
        kept: What was kept of the output of each layer, each branch and each block, by name.
        output: The network's answer.
        macs: All multiply-adds for one image, those between modules included.
    """

    parts: tuple[Part, ...]
    kept: dict[str, T]
    output: Tensor
    macs: int


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode, and afterwards back into the mode it was in."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def watched(
    model: nn.Module,
    before: Callable[[str, nn.Module, Any], None],
    after: Callable[[str, nn.Module, Any], None],
) -> Iterator[None]:
    """Call `before` and `after` around every run of every module, until the block is left.

    Both are given the module's path, the module, and its first input or its output. No hook
    outlives the block, not even after an exception.
    """
    with ExitStack() as hooks:
        for path, module in model.named_modules():

            def begin(module: nn.Module, inputs: tuple[Any, ...], path: str = path) -> None:
                before(path, module, inputs[0] if inputs else None)

            def end(module: nn.Module, _: Any, output: Any, path: str = path) -> None:
                after(path, module, output)

            hooks.callback(module.register_forward_pre_hook(begin).remove)
            hooks.callback(module.register_forward_hook(end).remove)
        yield


def trace(model: nn.Module, images: Tensor, keep: Callable[[Tensor], T]) -> Trace[T]:
    """Run `images` through `model` in evaluation mode, without gradients, and watch.

    Args:
        model: Left as it was, mode and random generator included.
        images: `(N, C, H, W)`, normalised, where the model lies.
        keep: Given each output at the moment it is made. A later operation may overwrite the
            tensor in place, so what is to last has to be a copy.
    """
    recorder = _Recorder(keep, FlopCounterMode(display=False), len(images))
    with (
        evaluating(model),
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(),
        watched(model, recorder.begin, recorder.end),
        recorder.counter,
    ):
        output = model(images)
    macs = recorder.macs()
    return Trace(tuple(recorder.top.parts), recorder.kept, output, macs)


@dataclass(slots=True)
class _Frame:
    """A module that is running."""

    module: nn.Module | None = None
    path: str = ""
    call: int = 1
    macs: int = 0  # that were counted before it began
    inputs: tuple[int, ...] = ()
    channels: int = 0
    parts: list[Part] = field(default_factory=list)
    children: list["_Frame"] = field(default_factory=list)


class _Recorder(Generic[T]):
    """Builds the parts while modules begin and end."""

    def __init__(self, keep: Callable[[Tensor], T], counter: FlopCounterMode, images: int) -> None:
        self.top = _Frame()
        self.kept: dict[str, T] = {}
        self.counter = counter
        self._keep = keep
        self._images = images
        self._running = [self.top]
        self._calls: Counter[str] = Counter()

    def macs(self) -> int:
        # A multiply-add is two operations to the counter.
        return int(self.counter.get_total_flops()) // (2 * self._images)

    def begin(self, path: str, module: nn.Module, inputs: Any) -> None:
        self._calls[path] += 1
        shape = tuple(inputs.shape[1:]) if isinstance(inputs, Tensor) else ()
        self._running.append(_Frame(module, path, self._calls[path], self.macs(), shape))

    def end(self, path: str, module: nn.Module, output: Any) -> None:
        frame = self._running.pop()
        parent = self._running[-1]
        parent.children.append(frame)
        if isinstance(output, Tensor):
            shape = tuple(output.shape[1:])
            frame.channels = shape[0] if shape else 1
            macs, parameters = self.macs() - frame.macs, _parameters(module)
            is_layer = next(module.children(), None) is None
            if isinstance(module, Branches):
                frame.parts = [_block(frame, module, shape, parameters, macs)]
            elif is_layer:
                kind, text = type(module).__name__, describe(module)
                frame.parts = [
                    Layer(path, frame.call, kind, text, frame.inputs, shape, parameters, macs)
                ]
            names = []
            if isinstance(parent.module, Branches):
                names.append(_branch_name(parent, parent.module))
            if is_layer or isinstance(module, Branches):
                names.append(run_name(path, frame.call))
            if names:
                self.kept |= dict.fromkeys(names, self._keep(output))
        parent.parts += frame.parts


def _branch_name(frame: _Frame, block: Branches) -> str:
    """The name of the branch that has just run in a block."""
    # Not by the module's path: it may serve in two branches.
    branch = list(block)[len(frame.children) - 1]
    return run_name(branch_path(frame.path, branch), frame.call)


def _block(
    frame: _Frame, block: Branches, shape: tuple[int, ...], parameters: int, macs: int
) -> Block:
    merge = getattr(block.merge, "__name__", type(block.merge).__name__)
    # Not by the children's paths: one module may serve in two branches.
    ran = dict(zip(block, frame.children, strict=False))
    branches = {name: tuple(child.parts) for name, child in ran.items()}
    channels = {name: child.channels for name, child in ran.items()}
    return Block(
        frame.path, frame.call, merge, branches, channels, frame.inputs, shape, parameters, macs
    )


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
