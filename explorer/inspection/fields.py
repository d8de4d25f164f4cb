"""Receptive fields as they are found: what units see of the image. No torch needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from explorer.inspection.parts import Block
from explorer.language import say
from explorer.text import dimensions

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

    def window(self, unit: int) -> Span:
        """Return the first and the last pixel of a unit's field, as if no border cut it off.

        They may be beyond the border. Where they are unknown, they are those within the image.
        """
        size, stride, offset = self.size, self.stride, self.offset
        within = self.spans[unit]
        if size is None or offset is None or (unit and stride is None):
            return within
        first = offset + unit * (stride or 0)
        last = first + size - 1
        return (first, last) if (max(0, first), min(last, self.pixels - 1)) == within else within

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
        if not (size := self._size):
            return say("the whole image")
        return say("at least {size}", size=size) if self.is_least else size

    @property
    def in_words(self) -> str:
        """What each unit sees: `the whole image`, or so many pixels of it, as in `5×5 pixels`."""
        if not (size := self._size):
            return say("the whole image")
        if self.is_least:
            return say("at least {size} pixels", size=size)
        return say("{size} pixels", size=size)

    @property
    def _size(self) -> str:
        """Rows and columns that a unit sees; empty if it is the whole image."""
        sides = (self.rows, self.columns)
        sizes = [side.widest if side.size is None else side.size for side in sides]
        unknown = any(side.size is None for side in sides)
        if self.is_everything or (unknown and all(side.widest == side.pixels for side in sides)):
            return ""
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

    def window(self, row: int, column: int) -> tuple[Span, Span] | None:
        """Return the rows and the columns that a unit sees, beyond the border where its field goes.

        `None` if it sees nothing of the image.
        """
        sides = (self.rows, row), (self.columns, column)
        # What has no units side by side is one unit.
        rows, columns = (side.window(min(unit, len(side.spans) - 1)) for side, unit in sides)
        return None if NOTHING in (rows, columns) else (rows, columns)


def by_reach(block: Block, fields: Mapping[str, ReceptiveField]) -> list[str]:
    """Sort the block's branches by receptive field, the smallest first; ties as merged."""

    def reach(branch: str) -> float:
        field = fields.get(block.branches[branch].path)
        return field.area if field else 0.0

    return sorted(block.branches, key=reach)
