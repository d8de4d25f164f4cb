"""Receptive fields: which pixels of the image can influence a unit of a feature map.

They are measured, not derived from kernel sizes: for each row of a blank image, one copy of it
holds NaN in that row, and a unit that becomes NaN sees the row. Sums, products, pooling and
normalisation keep a NaN, so this works for any network built of them, however it is wired.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn

from explorer.inspection.outline import real_type
from explorer.inspection.parts import Block
from explorer.inspection.tracing import trace, twin
from explorer.text import dimensions

TOGETHER = 31  # images that run at once; a number that no side of a map is likely to have
TRIALS = 3  # of random images
ROUNDING = 1e-5  # relative to the largest value of an output

_log = logging.getLogger(__name__)

Span = tuple[int, int]
NOTHING: Span = (0, -1)


@dataclass(frozen=True, slots=True)
class Extent:
    """What the units along one side of a map see along that side of the image.

    Attributes:
        spans: The first and last pixel within the image that each unit sees; `(0, -1)` if none.
        pixels: How many pixels the image has along this side.
    """

    spans: tuple[Span, ...]
    pixels: int

    @property
    def size(self) -> int | None:
        """How many pixels a unit sees if the border does not cut its field off.

        Of units that are not evenly spaced, as after a transposed convolution, the most that one of
        them sees. `None` if the border cuts off so many units that the size is unknown.
        """
        first, last = self._line(0), self._line(1)
        if first and last and (None in (first[1], last[1]) or first[1] == last[1]):
            return last[0] - first[0] + 1
        whole = [span for span in self.spans if span[0] > 0 and span[1] < self.pixels - 1]
        return max((end - start + 1 for start, end in whole), default=None)

    @property
    def widest(self) -> int:
        """The largest number of pixels within the image that a unit sees."""
        return max(last - first + 1 for first, last in self.spans)

    @property
    def stride(self) -> int | None:
        """The distance in pixels between the fields of neighbouring units; `None` if unknown."""
        steps = {line[1] for line in (self._line(0), self._line(1)) if line} - {None}
        return steps.pop() if len(steps) == 1 else None

    @property
    def offset(self) -> int | None:
        """The first pixel that unit 0 sees; negative beyond the border; `None` if unknown."""
        line = self._line(0)
        return line[0] if line else None

    def _line(self, end: int) -> tuple[int, int | None] | None:
        """Where unit 0's span begins (or ends), and the distance to the next one's."""
        border = 0 if end == 0 else self.pixels - 1
        known = [
            (unit, span[end])
            for unit, span in enumerate(self.spans)
            if span != NOTHING and span[end] != border
        ]
        if not known:
            # At the border exactly, if that is where the other units' spans would put it.
            return (self.spans[0][end], None) if len(self.spans) == 1 else None
        if len(known) == 1:
            unit, place = known[0]
            return (place, None) if unit == 0 else None
        # From the two that are furthest from that border: near it, a dilated kernel may have a
        # hole at the border, and a kernel that wraps around sees the whole image.
        (unit, place), (other, its_place) = known[-2:] if end == 0 else known[:2]
        step, rest = divmod(its_place - place, other - unit)
        start = place - unit * step
        found = [
            (start + unit * step, span[end])
            for unit, span in enumerate(self.spans)
            if span not in (NOTHING, (0, self.pixels - 1))
        ]
        if rest or not step or any(0 <= line < self.pixels and line != p for line, p in found):
            return None
        return start, step


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What the units of one output see of the image.

    A flat output, such as a linear layer's, counts as one unit that sees what any of its values
    sees.

    Attributes:
        rows: What the units see of the rows.
        columns: What the units see of the columns.
        is_least: They see at least that; it was found by changing random images.
    """

    rows: Extent
    columns: Extent
    is_least: bool = False

    def __str__(self) -> str:
        sides = (self.rows, self.columns)
        sizes = [side.widest if side.size is None else side.size for side in sides]
        unknown = any(side.size is None for side in sides)
        if self.is_everything or (unknown and all(side.widest == side.pixels for side in sides)):
            return "the whole image"
        return ("at least " if self.is_least else "") + dimensions(sizes)

    @property
    def is_everything(self) -> bool:
        """Whether every unit sees the whole image."""
        return all(
            span == (0, extent.pixels - 1)
            for extent in (self.rows, self.columns)
            for span in extent.spans
        )

    @property
    def area(self) -> float:
        """How many pixels a unit sees within the image, on average over all units."""

        def mean(extent: Extent) -> float:
            return fmean(last - first + 1 for first, last in extent.spans)

        return mean(self.rows) * mean(self.columns)


def receptive_fields(model: nn.Module, image: tuple[int, int, int]) -> Mapping[str, ReceptiveField]:
    """Measure the receptive field of each part, by name.

    A network may refuse a NaN, or lose it, as `torch.where(x > 0, x, 0)` does. There random rows
    and columns of random images are changed as well: what changes with them sees them. What sees
    more than the NaN showed sees at least that.

    Args:
        model: Unchanged afterwards.
        image: The shape `(C, H, W)` of an image.

    Returns:
        By the name of the part; empty if the network refuses such images.
    """
    found: dict[str, Tensor] = {}
    changed: dict[str, Tensor] = {}
    try:
        # In the plain layout, where a convolution reads no pixel outside of its kernel.
        model = twin(model)
        found = _reached(model, poisoned(image), _seen)
    except Exception:  # a forward may check its input
        _log.info("%s takes no NaN", type(model).__name__, exc_info=True)
    try:
        if not found or not all(reached.any(dim=0).all() for reached in found.values()):
            changed = _changed(model, image)
    except Exception:
        _log.info("No receptive fields of %s", type(model).__name__, exc_info=True)
    fields = {name: _field(reached, image) for name, reached in found.items()}
    for name, reached in changed.items():
        both = reached | found[name] if name in found else reached
        if name not in found or not torch.equal(both, found[name]):
            fields[name] = _field(both, image, is_least=True)
    return {name: field for name, field in fields.items() if field}


def _reached(
    model: nn.Module,
    images: Tensor,
    seen: Callable[[Tensor], Tensor],
    first: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return by name what `seen` makes of the output of each part for all images.

    Args:
        model: In the plain layout.
        images: For each row and then for each column.
        seen: Called with the output for a few of the images.
        first: An image that comes before them, each time.
    """
    dtype = real_type(model)
    found: dict[str, list[Tensor]] = defaultdict(list)
    for some in images.to(dtype).split(TOGETHER):
        batch = some if first is None else torch.cat([first.to(dtype), some])
        for name, reached in trace(model, batch, seen).kept.items():
            found[name].append(reached)
    return {name: torch.cat(reached) for name, reached in found.items()}


def _changed(model: nn.Module, shape: tuple[int, int, int]) -> dict[str, Tensor]:
    """Return by name what changed in the output of each part with each row and each column."""
    generator = torch.Generator().manual_seed(0)
    rows_and_columns = poisoned(shape).isnan()
    found: dict[str, Tensor] = {}
    for _ in range(TRIALS):
        first, other = (2 * torch.randn(1, *shape, generator=generator) for _ in range(2))
        images = torch.where(rows_and_columns, other, first)
        for name, reached in _reached(model, images, _differs, first).items():
            found[name] = found[name] | reached if name in found else reached
    return found


def poisoned(shape: tuple[int, int, int]) -> Tensor:
    """Return an image `(C, H, W)` for each row and then for each column: NaN there, 0 elsewhere."""
    channels, height, width = shape
    images = torch.zeros(height + width, channels, height, width)
    for row in range(height):
        images[row, :, row, :] = torch.nan
    for column in range(width):
        images[height + column, :, :, column] = torch.nan
    return images


def receptive_field(output: Tensor, shape: tuple[int, int, int]) -> ReceptiveField | None:
    """Return the receptive field of what some map made of `poisoned(shape)`."""
    return _field(_seen(output), shape)


def by_reach(block: Block, fields: Mapping[str, ReceptiveField]) -> list[str]:
    """Sort the block's branches by receptive field, the smallest first; ties as merged."""

    def reach(branch: str) -> float:
        field = fields.get(block.branches[branch].path)
        return field.area if field else 0.0

    return sorted(block.branches, key=reach)


def _seen(output: Tensor) -> Tensor:
    """Return where an output is NaN, `(N, units down, units across)`."""
    return _any_channel(output.isnan())


def _differs(output: Tensor) -> Tensor:
    """Return where outputs differ from the first one, `(N - 1, units down, units across)`."""
    tolerance = ROUNDING * output.abs().max()
    return _any_channel((output[1:] - output[:1]).abs() > tolerance)


def _any_channel(reached: Tensor) -> Tensor:
    """Return `(N, units down, units across)`: 1 by 1 of what has no units side by side."""
    if reached.ndim != 4:
        return reached.flatten(1).any(dim=1)[:, None, None]
    return reached.any(dim=1)


def _field(
    reached: Tensor, shape: tuple[int, int, int], *, is_least: bool = False
) -> ReceptiveField | None:
    """Return the receptive field of units, from where each row and each column reached them."""
    _, height, width = shape
    if len(reached) != height + width:
        return None
    rows, columns = reached[:height].any(dim=2), reached[height:].any(dim=1)
    return ReceptiveField(_extent(rows), _extent(columns), is_least)


def _extent(reached: Tensor) -> Extent:
    """The extent of the units, from `(pixels, units)` booleans."""
    pixels = len(reached)
    return Extent(tuple(_span(column) for column in reached.T.tolist()), pixels)


def _span(sees: Sequence[bool]) -> Span:
    seen = [pixel for pixel, sees_it in enumerate(sees) if sees_it]
    return (seen[0], seen[-1]) if seen else NOTHING
