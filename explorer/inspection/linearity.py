"""Linearity: does a block, or all that follows it, act as one affine map?

A map f is affine if f(a·x + (1-a)·y) = a·f(x) + (1-a)·f(y) for all x, y and a. It is tested on
random inputs, in double precision, where an affine map fails by rounding only. An affine block can
be replaced by a single layer; how many weights that layer has says what the block's depth is worth.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from explorer.branches import Branches
from explorer.inspection.outline import blank
from explorer.inspection.parts import blocks
from explorer.inspection.receptive import receptive_fields
from explorer.inspection.tracing import evaluating, trace
from explorer.spec import ImageSpec

TOLERANCE = 1e-9  # relative error; rounding gives some 1e-15, a ReLU some 1e-1
TRIALS = 16
ROOM = 16  # by how much maps are enlarged so that a receptive field is not cut off


@dataclass(frozen=True, slots=True)
class Replacement:
    """The one layer that could stand for an affine map.

    Attributes:
        text: What it is, such as `Conv2d(10, 88, 5×5)` or `Linear(320, 10)`.
        parameters: Its trainable numbers, its bias included.
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
        parameters: Its own trainable numbers.
        error: How far the block is from affine, relative to the size of what it gives.
        replacement: The layer that could replace it, if it is affine.
        tail_parameters: The trainable numbers from the block to the logits.
        tail_error: The error of the whole way from the block's input to the logits.
        tail_replacement: The one linear layer that could replace that way, if it is affine.
    """

    block: str
    parameters: int
    error: float
    replacement: Replacement | None
    tail_parameters: int
    tail_error: float
    tail_replacement: Replacement | None

    @property
    def is_affine(self) -> bool:
        """Whether the block acts as one affine map."""
        return self.replacement is not None


def linearity(model: nn.Module, images: ImageSpec) -> list[Linearity]:
    """Test every block of `model`, and what follows each; the model is left as it was."""
    model = copy.deepcopy(model).to("cpu", torch.float64)
    image = blank(model, images).double()
    with evaluating(model), torch.inference_mode():
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
            following = _weights_from(model, part.path)
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
    """How far `map` is from affine, on normally distributed inputs of `(N, *shape)`.

    Returns:
        The greatest error of superposition over the greatest value that the map gives.
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
    """All that follows from the input of one block: its input -> the logits."""

    def __init__(self, model: nn.Module, block: nn.Module, image: Tensor) -> None:
        self.model, self.block, self.image = model, block, image

    def __call__(self, inputs: Tensor) -> Tensor:
        def enter(*_: Any) -> tuple[Tensor]:
            swap.remove()  # or a second run of the block would forget what came before it
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
    """The convolution that does what the block does, if there is one: read off and tried out."""
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
        silence = block(torch.zeros(1, channels, height, width, dtype=torch.float64))
        answer = block(dot) - silence
    except Exception:  # it may take its own size only
        return None
    top, left = middle[0] - rows // 2, middle[1] - columns // 2
    kernel = answer[:, :, top : top + rows, left : left + columns]
    kernel = kernel.flip(2, 3).transpose(0, 1).contiguous()
    bias = silence[0, :, middle[0], middle[1]].contiguous()

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


def _weights_from(model: nn.Module, path: str) -> int:
    """The trainable numbers of the block at `path` and of all that the model lists after it."""
    names = [name for name, _ in model.named_modules()]
    behind = set(names[names.index(path) :])
    return sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and name.rpartition(".")[0] in behind
    )
