"""Watches a network while it runs: which modules an image meets, and what each of them gives.

All that looks inside a network builds on `trace`: hooks see every module begin and end, so no
network has to be written for it.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from explorer.branches import Branches
from explorer.inspection.describing import describe
from explorer.inspection.macs import MacCounter
from explorer.inspection.parts import Block, Layer, Part, branch_path, run_name

T = TypeVar("T")

_PARAMETRIZATIONS = "parametrizations"  # the name of the child in which torch keeps them


@dataclass(frozen=True, slots=True)
class Trace(Generic[T]):
    """One run of a network.

    Attributes:
        parts: The layers and blocks that the images met, in that order. What a `forward` does
            without modules is not seen.
        begun: The path of each module, containers included, in the order in which they began to
            run; once for each run.
        kept: What was kept of the output of each layer, each branch and each block, by name.
        output: The network's answer.
        macs: All multiply-adds for one image, those between modules included.
    """

    parts: tuple[Part, ...]
    begun: tuple[str, ...]
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


def twin(model: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """Copy a network to the CPU, in the plain memory layout, and to `dtype` if one is given."""
    # A tensor that a forward computed and kept as an attribute refuses to be deep-copied.
    kept = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    copied: nn.Module = copy.deepcopy(model, kept).to(  # type: ignore[call-overload]
        device="cpu", dtype=dtype, memory_format=torch.contiguous_format
    )
    return copied


@contextmanager
def watched(
    model: nn.Module,
    before: Callable[[str, nn.Module, Any], None],
    after: Callable[[str, nn.Module, Any], None],
) -> Iterator[None]:
    """Call `before` and `after` around every run of every module, until the block is left.

    Both are given the module's path, the module, and its first input or its output. What computes
    a parameter, such as a weight normalisation, is a detail of its module and is not watched. No
    hook outlives the block, not even after an exception.
    """
    with ExitStack() as hooks:
        for path, module in model.named_modules():
            if _PARAMETRIZATIONS in path.split("."):
                continue

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
        model: Unchanged afterwards, mode and random generator included.
        images: `(N, C, H, W)`, normalised, on the model's device.
        keep: Called with each output at the moment it is computed. A later operation may overwrite
            the tensor in place, so what is to last has to be a copy.
    """
    recorder = _Recorder(keep, MacCounter(), len(images))
    with (
        evaluating(model),
        torch.random.fork_rng(devices=[]),
        # Not inference mode: a network may cache a table at its first run and train with it later.
        torch.no_grad(),
        watched(model, recorder.begin, recorder.end),
        recorder.counter,
    ):
        output = model(images)
    parts, begun = tuple(recorder.top.parts), tuple(recorder.begun)
    return Trace(parts, begun, recorder.kept, output, recorder.macs())


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

    def __init__(self, keep: Callable[[Tensor], T], counter: MacCounter, images: int) -> None:
        self.top = _Frame()
        self.begun: list[str] = []
        self.kept: dict[str, T] = {}
        self.counter = counter
        self._keep = keep
        self._images = images
        self._running = [self.top]
        self._calls: Counter[str] = Counter()

    def macs(self) -> int:
        return self.counter.total // self._images

    def begin(self, path: str, module: nn.Module, inputs: Any) -> None:
        self.begun.append(path)
        self._calls[path] += 1
        shape = _shape(inputs) if isinstance(inputs, Tensor) else ()
        self._running.append(_Frame(module, path, self._calls[path], self.macs(), shape))

    def end(self, path: str, module: nn.Module, output: Any) -> None:
        frame = self._running.pop()
        parent = self._running[-1]
        parent.children.append(frame)
        if isinstance(output, Tensor):
            shape = _shape(output)
            frame.channels = shape[0]
            names = _branch_names(parent)
            if part := self._part(frame, module, shape):
                frame.parts = [part]
                names.append(part.name)
            if names:
                self.kept |= dict.fromkeys(names, self._keep(output))
        parent.parts += frame.parts

    def _part(self, frame: _Frame, module: nn.Module, shape: tuple[int, ...]) -> Part | None:
        """The block or the layer that has just run; nothing for a container of others."""
        if not isinstance(module, Branches) and not _is_layer(module):
            return None
        macs = self.macs() - frame.macs
        parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
        if isinstance(module, Branches):
            return _block(frame, module, shape, parameters, macs)
        kind, text = type_before_parametrizations(module).__name__, describe(module)
        return Layer(frame.path, frame.call, kind, text, frame.inputs, shape, parameters, macs)


def _is_layer(module: nn.Module) -> bool:
    return all(name == _PARAMETRIZATIONS for name, _ in module.named_children())


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """The shape for one image; one number for each image is one feature."""
    return tuple(tensor.shape[1:]) or (1,)


def _branch_names(frame: _Frame) -> list[str]:
    """The name of the branch that has just run in this frame, if it is a block's."""
    if not isinstance(frame.module, Branches):
        return []
    # Not by the module's path: it may serve in two branches.
    place = len(frame.children) - 1
    branches = list(frame.module)[place : place + 1]  # a forward of its own may run more of them
    return [run_name(branch_path(frame.path, branch), frame.call) for branch in branches]


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
