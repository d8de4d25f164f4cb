"""Linearity: does a block, or all that follows it, act as one affine map?

A map f is affine if f(a·x + (1-a)·y) = a·f(x) + (1-a)·f(y) for all x, y and a. It is tested on
random inputs, in double precision, where an affine map misses this by rounding only. An affine
block can be replaced by a single layer; how many parameters that layer has shows what the block's
depth is worth.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from explorer.branches import Branches
from explorer.inspection.outline import blank
from explorer.inspection.parts import blocks, branch_path
from explorer.inspection.receptive import receptive_fields
from explorer.inspection.tracing import evaluating, trace, twin
from explorer.spec import ImageSpec

TOLERANCE = 1e-9  # relative error; rounding gives some 1e-15, a ReLU some 1e-1
TRIALS = 16
ROOM = 16  # pixels by which maps are enlarged so that the border cuts off no receptive field


@dataclass(frozen=True, slots=True)
class Replacement:
    """The single layer that could replace an affine map.

    Attributes:
        text: What it is, such as `Conv2d(10, 88, 5×5)` or `Linear(320, 10)`.
        parameters: How many parameters it has, its bias included.
        exact: Whether it is the same map up to the border; if not, only away from it, where zeros
            that are padded between the block's layers do not reach.
    """

    text: str
    parameters: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Linearity:
    """A verdict on one block.

    Attributes:
        block: Its path.
        parameters: How many trainable parameters it has.
        error: How far the block is from affine, relative to its largest output.
        replacement: The layer that could replace it, if it is affine.
        tail_parameters: How many trainable parameters there are from the block to the logits, the
            block included.
        tail_error: The error of the whole map from the block's input to the logits.
        tail_replacement: The linear layer that could replace that map, if it is affine.
    """

    block: str
    parameters: int
    error: float
    replacement: Replacement | None
    tail_parameters: int
    tail_error: float
    tail_replacement: Replacement | None


def linearity(model: nn.Module, images: ImageSpec) -> list[Linearity]:
    """Test each block of `model`, and what follows it; the model is unchanged afterwards.

    Returns:
        A verdict for each block, in running order.
    """
    model = twin(model, torch.float64)
    image = blank(model, images).double()
    with evaluating(model), torch.no_grad():
        run = trace(model, image, keep=lambda _: None)
        modules = dict(model.named_modules())
        verdicts = []
        for part in blocks(run.parts):
            if part.call > 1:
                continue
            block = modules[part.path]
            assert isinstance(block, Branches)
            tail = _Tail(model, block, image)
            error, tail_error = affine_error(block, part.inputs), affine_error(tail, part.inputs)
            following = _parameters_from(part.path, modules, run.begun)
            verdicts.append(
                Linearity(
                    part.path,
                    part.parameters,
                    error,
                    _one_layer(block, part.inputs, part.shape) if error < TOLERANCE else None,
                    following,
                    tail_error,
                    _linear(part.inputs, (images.num_classes,)) if tail_error < TOLERANCE else None,
                )
            )
    return verdicts


def affine_error(map: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> float:
    """Measure how far `map` is from affine, on normally distributed inputs of `(N, *shape)`.

    Returns:
        The largest error of superposition, divided by the largest value of the map.
    """
    generator = torch.Generator().manual_seed(0)

    def random(*sizes: int) -> Tensor:
        return torch.randn(*sizes, generator=generator, dtype=torch.float64)

    x, y = random(TRIALS, *shape), random(TRIALS, *shape)
    a = random(TRIALS, *[1] * len(shape))
    there, here = map(x), map(y)
    b = a.reshape(TRIALS, *[1] * (there.ndim - 1))
    error = (map(a * x + (1 - a) * y) - (b * there + (1 - b) * here)).abs().max()
    return float(error / there.abs().max().clamp(min=torch.finfo(torch.float64).tiny))


class _Tail:
    """The map from the input of one block to the logits."""

    def __init__(self, model: nn.Module, block: nn.Module, image: Tensor) -> None:
        self.model, self.block, self.image = model, block, image

    def __call__(self, inputs: Tensor) -> Tensor:
        def enter(*_: Any) -> tuple[Tensor]:
            swap.remove()  # a second run of the block keeps its own input
            return (inputs,)

        swap = self.block.register_forward_pre_hook(enter)
        try:
            answer: Tensor = self.model(self.image.expand(len(inputs), -1, -1, -1))
        finally:
            swap.remove()
        return answer


def _one_layer(block: Branches, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Replacement:
    if len(inputs) == 3 and len(outputs) == 3 and inputs[1:] == outputs[1:]:
        convolution = _convolution(block, inputs)
        if convolution:
            return convolution
    return _linear(inputs, outputs)


def _convolution(block: Branches, inputs: tuple[int, ...]) -> Replacement | None:
    """Find the convolution that computes what the block does, if there is one, and test it."""
    channels, height, width = inputs[0], inputs[1] + ROOM, inputs[2] + ROOM
    try:
        field = receptive_fields(block, (channels, height, width)).get("")
        if field is None or (field.rows.stride, field.columns.stride) != (1, 1):
            return None
        rows, columns = field.rows.size, field.columns.size
        if not (rows and columns and rows % 2 and columns % 2):
            return None
        dot = torch.zeros(channels, channels, height, width, dtype=torch.float64)
        middle = height // 2, width // 2
        for channel in range(channels):
            dot[channel, channel, middle[0], middle[1]] = 1
        constant = block(torch.zeros(1, channels, height, width, dtype=torch.float64))
        response = block(dot) - constant
    except Exception:  # it may accept no other size than its own
        return None
    top, left = middle[0] - rows // 2, middle[1] - columns // 2
    kernel = response[:, :, top : top + rows, left : left + columns]
    kernel = kernel.flip(2, 3).transpose(0, 1).contiguous()
    bias = constant[0, :, middle[0], middle[1]].contiguous()

    generator = torch.Generator().manual_seed(1)
    trial = torch.randn(2, channels, height, width, generator=generator, dtype=torch.float64)
    padding = rows // 2, columns // 2
    error = (nn.functional.conv2d(trial, kernel, bias, padding=padding) - block(trial)).abs()
    inner = error[:, :, rows : height - rows, columns : width - columns]
    if inner.numel() == 0 or inner.max() > TOLERANCE * max(1.0, float(kernel.abs().max())):
        return None
    text = f"Conv2d({channels}, {len(kernel)}, {rows}×{columns})"
    return Replacement(text, kernel.numel() + bias.numel(), bool(error.max() <= TOLERANCE))


def _linear(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Replacement:
    entering, leaving = torch.Size(inputs).numel(), torch.Size(outputs).numel()
    return Replacement(f"Linear({entering}, {leaving})", leaving * (entering + 1), True)


def _parameters_from(block: str, modules: Mapping[str, nn.Module], begun: Sequence[str]) -> int:
    """Count the trainable parameters from a block on, on the way from it to the logits.

    Args:
        block: The block's path.
        modules: The network's modules by path.
        begun: The paths of the modules in the order in which they began to run.
    """
    beside = _beside(block, modules)
    following = {
        id(parameter): parameter.numel()
        for path in begun[begun.index(block) :]
        if not f"{path}.".startswith(beside)
        for parameter in modules[path].parameters()
        if parameter.requires_grad
    }
    return sum(following.values())


def _beside(block: str, modules: Mapping[str, nn.Module]) -> tuple[str, ...]:
    """The path prefixes of all branches that run beside a block, in the blocks around it."""
    found: list[str] = []
    outer = ""
    for step in block.split(".") if block else ():
        around = modules[outer]
        if isinstance(around, Branches):
            found += [f"{branch_path(outer, name)}." for name in around if name != step]
        outer = branch_path(outer, step)
    return tuple(found)
