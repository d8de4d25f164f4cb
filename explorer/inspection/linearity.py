"""Linearity: does a block, or all that follows it, act as one affine map?

A map f is affine if f(a·x + (1-a)·y) = a·f(x) + (1-a)·f(y) for all x, y and a. It is tested on
random inputs; in double precision, an affine map misses this by rounding only. An affine
block can be replaced by a single layer; how many parameters that layer has shows what the block's
depth is worth.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn

from explorer.inspection.intervene import Target, intervening
from explorer.inspection.outline import blank
from explorer.inspection.parts import IMAGE, Node, UnknownPartError, blocks, parameters, size
from explorer.inspection.receptive import poisoned, receptive_field
from explorer.inspection.results import Linearity, OneLayer, Replacement
from explorer.inspection.tracing import Trace, trace, twin
from explorer.language import say
from explorer.modes import evaluating
from explorer.outputs import first_output
from explorer.spec import ImageSpec
from explorer.text import suggest

TOLERANCE = 1e-9  # relative error; rounding gives some 1e-15, a ReLU some 1e-1
COARSE = 1e-4  # in single precision, where rounding gives some 1e-6
TRIALS = 8
CHUNK = 256  # unit vectors that are run at once
ROOM = 16  # pixels by which maps are enlarged so that the border cuts off no receptive field


def linearity(model: nn.Module, images: ImageSpec) -> list[Linearity]:
    """Test each block of `model`, and what follows it; the model is unchanged afterwards.

    Returns:
        A verdict for each block, in running order.
    """
    return _judged(
        model,
        images,
        lambda seen: [
            _Stretch(block.name, block.split, block.merge.number) for block in blocks(seen.parts)
        ],
    )


def linearity_between(model: nn.Module, images: ImageSpec, first: str, last: str) -> Linearity:
    """Test what is from the input of one part of `model` to the output of another, or of the same.

    Args:
        model: Unchanged afterwards.
        images: What it is built for.
        first: The name of a layer, an operation or a block.
        last: The name of one that comes later, or of the same one.

    Raises:
        UnknownPartError: There is no such part, or `last` does not follow from `first`.
    """

    def stretch(seen: Trace[None]) -> list[_Stretch]:
        for name in (first, last):
            if name not in seen.named:
                raise UnknownPartError(
                    say(
                        "There is no part {name!r}; {meant}",
                        name=name,
                        meant=suggest(name, seen.named),
                    )
                )
        splits = {block.name: block.split for block in blocks(seen.parts)}
        start = splits.get(first, seen.named[first].inputs[0])
        end = seen.named[last].number
        if end not in {node.number for node in seen.graph.after(start)}:
            raise UnknownPartError(
                say("{last} does not follow from {first}.", last=last, first=first)
            )
        both = say("{first} to {last}", first=first, last=last)
        return [_Stretch(first if first == last else both, start, end)]

    return _judged(model, images, stretch)[0]


def as_one_layer(model: nn.Module, block: str, images: Tensor) -> OneLayer:
    """Build the linear layer that computes what a network does from a block's input to the logits.

    Column i of its weights is what the logits gain by the i-th unit vector over zeros; it is that
    map only if the map is affine, which `OneLayer.error` shows on real images.

    Args:
        model: Unchanged afterwards.
        block: The name of the block.
        images: `(N, C, H, W)`, normalised.

    Raises:
        UnknownPartError: There is no such block.
    """
    double = twin(model, torch.float64)
    image = images[:1].to(torch.float64)
    with evaluating(double), torch.no_grad():
        seen = trace(double, image, keep=lambda _: None)
        splits = {each.name: each.split for each in blocks(seen.parts)}
        if block not in splits:
            raise UnknownPartError(
                say("There is no block {name!r}; {meant}", name=block, meant=suggest(block, splits))
            )
        first = seen.graph[splits[block]]
        tail = _Span(double, image, first)
        units = torch.eye(size(first.shape), dtype=torch.float64).reshape(-1, *first.shape)
        bias = tail(torch.zeros_like(units[:1]))[0]
        weight = (torch.cat([tail(part) for part in units.split(CHUNK)]) - bias).T
        entering = _Span(double, image, seen.graph[IMAGE], first)(images).flatten(1)
        logits = first_output(double(images.to(torch.float64)))
        rebuilt = entering @ weight.T + bias
    return OneLayer(*(each.cpu().numpy() for each in (weight, bias, logits, rebuilt)))


class _Stretch(NamedTuple):
    """What is between the outputs of two nodes."""

    name: str
    start: int
    end: int


def _judged(
    model: nn.Module, images: ImageSpec, find: Callable[[Trace[None]], list[_Stretch]]
) -> list[Linearity]:
    """Test stretches of a network: all in its own precision, those that may be affine in double.

    Double precision is ten times as slow, and some networks do not run in it.
    """

    def judge(model: nn.Module, only: Collection[str] | None = None) -> list[Linearity]:
        image = blank(model, images)
        with evaluating(model), torch.no_grad():
            seen = trace(model, image, keep=lambda _: None)
            return [
                _verdict(model, seen, image, stretch)
                for stretch in find(seen)
                if only is None or stretch.name in only
            ]

    found = judge(twin(model))
    doubtful = [v.block for v in found if v.replacement or v.tail_replacement]
    if not doubtful:
        return found
    try:
        exact = {v.block: v for v in judge(twin(model, torch.float64), doubtful)}
    except RuntimeError:  # it converts what it computes
        return found
    return [exact.get(verdict.block, verdict) for verdict in found]


def _verdict(model: nn.Module, seen: Trace[None], image: Tensor, stretch: _Stretch) -> Linearity:
    name, start, end = stretch
    first, last = seen.graph[start], seen.graph[end]
    inside, tail = _Span(model, image, first, last), _Span(model, image, first)
    shape, classes = first.shape, tuple(seen.output.shape[1:])
    error, tail_error = affine_error(inside, shape), affine_error(tail, shape)
    is_affine, is_tail_affine = error < inside.tolerance, tail_error < tail.tolerance
    return Linearity(
        name,
        parameters(seen.graph.between(start, end)),
        error,
        _one_layer(inside, shape, last.shape) if is_affine else None,
        parameters(seen.graph.after(start)),
        tail_error,
        _linear(shape, classes) if is_tail_affine else None,
    )


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


class _Span:
    """The map from the output of one node of a network to that of another one.

    Args:
        model: The network.
        image: One image, `(1, C, H, W)`, whose run leads to the first node.
        start: The first node, which may be the image.
        end: The last node; the logits if there is none.

    Attributes:
        tolerance: The largest relative error that is taken for rounding.
    """

    def __init__(
        self, model: nn.Module, image: Tensor, start: Node, end: Node | None = None
    ) -> None:
        self.model, self.image, self.start, self.end = model, image, start, end
        self.tolerance = TOLERANCE if image.dtype == torch.float64 else COARSE

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return what becomes of `inputs`, `(N, …)`, in double precision."""
        inputs = inputs.to(self.image.dtype)
        if self.start.number == IMAGE:
            return self._run(inputs, inputs)
        try:  # one image suffices to get there, unless the network counts its images
            found = self._run(inputs, self.image)
            if len(found) == len(inputs):
                return found
        except RuntimeError:
            pass
        return self._run(inputs, self.image.expand(len(inputs), -1, -1, -1))

    def _run(self, inputs: Tensor, images: Tensor) -> Tensor:
        changes = {}
        if self.start.number != IMAGE:  # a copy, since the network may write into it
            given = inputs.movedim(1, -1) if self.start.channels_last else inputs
            changes[Target(self.start.point)] = lambda _: given.clone()
        if self.end:
            changes[Target(self.end.point)] = _arrive
        try:
            with intervening(self.model, changes):
                return first_output(self.model(images)).double()
        except _Arrived as arrived:
            value = arrived.value.double()
            return value.movedim(-1, 1) if self.end and self.end.channels_last else value


class _Arrived(BaseException):  # not an Exception, which the network's own code might catch
    def __init__(self, value: Tensor) -> None:
        self.value = value


def _arrive(value: Tensor) -> Tensor:
    raise _Arrived(value.clone())


def _one_layer(block: _Span, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Replacement:
    if len(inputs) == 3 and len(outputs) == 3 and inputs[1:] == outputs[1:]:
        convolution = _convolution(block, inputs)
        if convolution:
            return convolution
    return _linear(inputs, outputs)


def _convolution(block: _Span, inputs: tuple[int, ...]) -> Replacement | None:
    """Find the convolution that computes what the block does, if there is one, and test it."""
    channels, height, width = inputs[0], inputs[1] + ROOM, inputs[2] + ROOM
    try:
        shape = (channels, height, width)
        field = receptive_field(block(poisoned(shape)), shape)
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
    if inner.numel() == 0 or inner.max() > block.tolerance * max(1.0, float(kernel.abs().max())):
        return None
    text = f"Conv2d({channels}, {len(kernel)}, {rows}×{columns})"
    return Replacement(text, kernel.numel() + bias.numel(), bool(error.max() <= block.tolerance))


def _linear(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Replacement:
    entering, leaving = size(inputs), size(outputs)
    return Replacement(f"Linear({entering}, {leaving})", leaving * (entering + 1), True)
