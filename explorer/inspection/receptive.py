"""Receptive fields: which pixels of the image can influence a unit of a feature map.

They are measured, not derived from kernel sizes: for each row of a blank image, one copy of it
holds NaN in that row, and a unit that becomes NaN sees the row. Sums, products, pooling and
normalisation keep a NaN, so this works for any network built of them, however it is wired.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn

from explorer.inspection.parts import Block
from explorer.inspection.tracing import trace, twin
from explorer.text import dimensions

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

        `None` if the border cuts off so many units that the size is unknown.
        """
        first, last = self._line(0), self._line(1)
        return last[0] - first[0] + 1 if first and last else None

    @property
    def widest(self) -> int:
        """The largest number of pixels within the image that a unit sees."""
        return max(last - first + 1 for first, last in self.spans)

    @property
    def stride(self) -> int | None:
        """The distance in pixels between the fields of neighbouring units; `None` if unknown."""
        lines = [line for line in (self._line(0), self._line(1)) if line and line[1] is not None]
        return lines[0][1] if lines else None

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
    """

    rows: Extent
    columns: Extent

    def __str__(self) -> str:
        sides = (self.rows, self.columns)
        sizes = [side.widest if side.size is None else side.size for side in sides]
        unknown = any(side.size is None for side in sides)
        if self.is_everything or (unknown and all(side.widest == side.pixels for side in sides)):
            return "the whole image"
        return dimensions(sizes)

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
    """Measure the receptive field of each layer, branch and block, by name.

    Args:
        model: Unchanged afterwards.
        image: The shape `(C, H, W)` of an image.

    Returns:
        The fields of the outputs that are maps `(N, C, H, W)` or flat; an empty mapping if the
        network refuses images with NaN in them.
    """
    channels, height, width = image
    poisoned = torch.zeros(height + width, channels, height, width)
    for row in range(height):
        poisoned[row, :, row, :] = torch.nan
    for column in range(width):
        poisoned[height + column, :, :, column] = torch.nan
    try:
        # In the plain layout, where a convolution reads no pixel outside of its kernel.
        model = twin(model)
        example = next(model.parameters(), poisoned)
        kept = trace(model, poisoned.to(example.dtype), _seen(height, width)).kept
    except Exception:  # a forward may check its input
        _log.info("No receptive fields of %s", type(model).__name__, exc_info=True)
        return {}
    return {name: field for name, field in kept.items() if field}


def by_reach(block: Block, fields: Mapping[str, ReceptiveField]) -> list[str]:
    """Sort the block's branches by receptive field, the smallest first; ties as merged."""

    def reach(branch: str) -> float:
        field = fields.get(block.branch_name(branch))
        return field.area if field else 0.0

    return sorted(block.branches, key=reach)


def _seen(height: int, width: int) -> Callable[[Tensor], ReceptiveField | None]:
    def keep(output: Tensor) -> ReceptiveField | None:
        if output.ndim not in (1, 2, 4) or len(output) != height + width:
            return None  # what a module computes of a parameter is not for each image
        reached = output.isnan()
        if output.ndim < 4:
            reached = reached.reshape(len(output), -1, 1, 1)
        anywhere = reached.any(dim=1)  # (rows and columns of the image, H, W)
        rows = anywhere[:height].any(dim=2)
        columns = anywhere[height:].any(dim=1)
        return ReceptiveField(_extent(rows), _extent(columns))

    return keep


def _extent(reached: Tensor) -> Extent:
    """The extent of the units, from `(pixels, units)` booleans."""
    pixels = len(reached)
    return Extent(tuple(_span(column) for column in reached.T.tolist()), pixels)


def _span(sees: Sequence[bool]) -> Span:
    seen = [pixel for pixel, sees_it in enumerate(sees) if sees_it]
    return (seen[0], seen[-1]) if seen else NOTHING
