"""What is said of a lesson's figure: its author's sentence, and some of its numbers."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.charts.words import MOST_NAMED, several, valued
from explorer.language import author, listed, say
from explorer.lessons.figures import Axis, Bars, Grid, Grids, Line, Lines, Surfaces
from explorer.text import significant

MOST_ENDS = 2  # things of which both ends are said


def with_numbers(says: str, numbers: str) -> str:
    """Return what is said of a figure: what its author says, and some of its numbers."""
    own = author(says)
    if own.strip() and numbers:
        return say("{first} {second}", first=own, second=numbers)
    return own.strip() or numbers or say("A figure without values.")


def ends_of(figure: Lines) -> str:
    """Say the value of each line at the chosen place, or at its end."""
    points = [
        {x: y for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)}
        for line in figure.lines
    ]
    known = [(line, found) for line, found in zip(figure.lines, points, strict=True) if found]
    if not known:
        return ""
    at = figure.at
    if at is None and len(known) == 1:
        return _between(figure, *known[0])
    if at is None or any(at not in found for _, found in known):
        ends = {list(found)[-1] for _, found in known}
        at = ends.pop() if len(ends) == 1 else None
    if at is None:
        each = [
            say(
                "{line} {value} at {at}",
                line=author(line.label),
                value=written(figure.y, list(found.values())[-1]),
                at=written(figure.x, list(found)[-1]),
            )
            for line, found in known
        ]
        return say("Last points: {lines}.", lines=several(each, 3))
    each = [valued(author(line.label), written(figure.y, found[at])) for line, found in known]
    return say(
        "At {at} ({axis}): {lines}.",
        at=written(figure.x, at),
        axis=author(figure.x.title),
        lines=several(each),
    )


def _between(figure: Lines, line: Line, found: Mapping[float, float]) -> str:
    """Say between what the values of a single line are, and where the ends are."""
    least, most = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
    return say(
        "{value:capital}: {line} from {least} at {where} to {most} at {there} ({axis}).",
        value=author(figure.y.title),
        line=author(line.label),
        least=written(figure.y, found[least]),
        where=written(figure.x, least),
        most=written(figure.y, found[most]),
        there=written(figure.x, most),
        axis=author(figure.x.title),
    )


def values_of(figure: Bars) -> str:
    """Say the value of each bar, and the interval of the first."""
    if not figure.bars:
        return ""
    each = [valued(author(bar.label), written(figure.axis, bar.value)) for bar in figure.bars]
    first = figure.bars[0]
    if first.low is not None and first.high is not None:
        ends = [written(figure.axis, end) for end in (first.low, first.high)]
        each[0] = say("{value} ({low} to {high})", value=each[0], low=ends[0], high=ends[1])
    values = several(each, MOST_NAMED if first.low is None else MOST_NAMED - 2)
    return say("{axis:capital}: {values}.", axis=author(figure.axis.title), values=values)


def columns_of(figure: Bars) -> tuple[list[str], list[list[str]]]:
    """Return the titles of the columns of a table, and of each bar the values in them."""
    columns = ["", say("what"), author(figure.axis.title)]
    rows = [[written(figure.axis, bar.value)] for bar in figure.bars]
    others: list[tuple[str, list[Sequence[float | None]]]] = [
        (say("interval from"), [[bar.low] for bar in figure.bars]),
        (say("interval to"), [[bar.high] for bar in figure.bars]),
        (say("before"), [[bar.before] for bar in figure.bars]),
        (say("each"), [bar.each for bar in figure.bars]),
    ]
    for title, found in others:
        if any(value is not None for values in found for value in values):
            columns.append(title)
            for row, values in zip(rows, found, strict=True):
                known = [written(figure.axis, value) for value in values if value is not None]
                row.append(listed(known, ","))
    return columns, rows


def spans_of(figure: Grids) -> str:
    """Say between what the values of each grid are, without those of pictures."""
    each = []
    for grid in figure.grids:
        values = np.asarray(grid.values, dtype=float)
        known = values[np.isfinite(values)]
        if grid.ramp == "grey" or not known.size:
            continue
        title = on_a_line(grid.title)
        largest = int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))
        each.append(_span(title, known, place_of(grid, *divmod(largest, values.shape[1]))))
    if not each:
        return ""
    value = say("value") if figure.log or not figure.unit else author(figure.unit)
    return say("{value:capital}: {grids}.", value=value, grids=several(each, MOST_ENDS, say("; ")))


def heights_of(figure: Surfaces) -> str:
    """Say between what the values of each surface are."""
    spans = [
        _span(on_a_line(surface.title), known[np.isfinite(known)])
        for surface in figure.surfaces
        for known in [np.ravel(surface.values)]
        if np.isfinite(known).any()
    ]
    return say(
        "{unit:capital}: {spans}.",
        unit=author(figure.unit or say("value")),
        spans=several(spans, MOST_ENDS),
    )


def shared_title(titles: Sequence[str]) -> str:
    """Return the title that all of these are."""
    return author(titles[0]) if len(set(titles)) == 1 else ""


def _span(title: str, values: NDArray[np.float64], place: str = "") -> str:
    """Say between what values are, and what the place of the largest one is called."""
    least, most = (significant(float(end), 3) for end in (values.min(), values.max()))
    if not place:
        return say("{title} from {least} to {most}", title=title, least=least, most=most)
    return say(
        "{title} from {least} to {most}, the most at {place}",
        title=title,
        least=least,
        most=most,
        place=place,
    )


def place_of(grid: Grid, row: int, column: int) -> str:
    """Return what the row and the column of a cell are called; nothing if they have no names."""
    sides = (grid.down, grid.rows, row), (grid.across, grid.columns, column)
    found = [
        valued(author(title), author(names[place])) if title else author(names[place])
        for title, names, place in sides
        if place < len(names)
    ]
    return listed(found, ",")


def on_a_line(text: str) -> str:
    """Return a text of a lesson's author on one line."""
    return " ".join(author(text).split())


def written(axis: Axis, value: float) -> str:
    """Write a value of an axis."""
    if not math.isfinite(value):
        return "–"
    if axis.percent:
        text = f"{round(100 * value, 1) + 0.0:.1f} %"  # never −0.0
    else:
        text = f"{value:,.0f}" if abs(value) >= 1000 else significant(value, 4)
    return text.replace("-", "−")
