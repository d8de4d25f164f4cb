"""Draws what the parts of lessons show."""

import math
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from explorer.charts.lesson_words import (
    columns_of,
    ends_of,
    heights_of,
    on_a_line,
    place_of,
    shared_title,
    spans_of,
    values_of,
    with_numbers,
    written,
)
from explorer.charts.style import (
    GRID,
    INK,
    POSITIVE,
    SIGNED,
    WEIGHTS,
    Plain,
    as_text,
    layout,
    role_hues,
    told,
    translucent,
)
from explorer.charts.words import several
from explorer.language import again, author, english, say
from explorer.lessons.figures import (
    Area,
    Areas,
    Axis,
    Bar,
    Bars,
    Grid,
    Grids,
    Line,
    Lines,
    Surface,
    Surfaces,
)
from explorer.lessons.lesson import Shown

HEIGHT = 340  # pixels, of a figure with two axes
ROW = 34  # of a bar and the gap below it
CELL = 320  # of the height of a grid
MOST_ACROSS = 4  # grids beside one another; more of them are in rows
LABELS = 0.26  # share of the width that is kept for the labels at the lines' ends
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
RAMPS = {"signed": SIGNED, "positive": POSITIVE, "weights": WEIGHTS, "grey": INK}
GUESS = "rgba(128, 128, 128, 0.9)"


@singledispatch
def draw(figure: object, key: str) -> Plain:
    """Draw a figure of a lesson; a table is none.

    Args:
        figure: What is shown.
        key: As long as it is the same, a reader's zoom is kept.
    """
    raise TypeError(f"{figure!r} cannot be drawn.")


@draw.register
def lines(figure: Lines, key: str) -> Plain:
    """Draw lines, each with its name at its end and its intervals as a band."""
    place = _places(figure.x, [x for line in figure.lines for x in line.x])
    traces: list[dict[str, Any]] = []
    hues = role_hues([line.role or english(line.label) for line in figure.lines])
    for number, (line, hue) in enumerate(zip(figure.lines, hues, strict=True)):
        traces += _line(line, number, hue, figure, place)
    shapes: list[dict[str, Any]] = []
    if figure.at is not None:
        at = {"x0": place(figure.at), "x1": place(figure.at), "y0": 0, "y1": 1, "yref": "paper"}
        dotted = {"color": "rgba(128, 128, 128, 0.7)", "width": 1.5, "dash": "dot"}
        shapes.append({"type": "line", "layer": "below", "line": dotted, **at})
    columns = ["", author(figure.x.title), author(figure.y.title)]
    columns += (
        [say("interval from"), say("interval to")] if any(line.low for line in figure.lines) else []
    )
    whole = {
        "data": traces,
        "layout": {
            **layout(HEIGHT, key),
            "margin": {"l": 8, "r": 8, "t": 34, "b": 46},
            "showlegend": True,
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "shapes": shapes,
            "xaxis": {**_axis(figure.x, [x for line in figure.lines for x in line.x]), **_BELOW},
            "yaxis": {**_axis(figure.y, []), **_BESIDE},
            "dragmode": False,
        },
    }
    return told(whole, with_numbers(figure.says, ends_of(figure)), columns)


@draw.register
def bars(figure: Bars, key: str) -> Plain:
    """Draw values from the top down, with their intervals and the values they are means of."""
    places = list(range(len(figure.bars)))
    hues = role_hues([bar.role or english(bar.label) for bar in figure.bars])
    ends = {
        "type": "data",
        "symmetric": False,
        "array": [(bar.high or bar.value) - bar.value for bar in figure.bars],
        "arrayminus": [bar.value - (bar.low or bar.value) for bar in figure.bars],
        "thickness": 1.6,
        "color": GUESS,
        "width": 5,
    }
    columns, rows = columns_of(figure)
    common = {
        "x": [bar.value for bar in figure.bars],
        "y": places,
        "customdata": [
            [_shown(bar.label), *values] for bar, values in zip(figure.bars, rows, strict=True)
        ],
        "text": [written(figure.axis, bar.value) for bar in figure.bars],
        "hovertemplate": "%{customdata[0]}: <b>%{customdata[1]}</b><extra></extra>",
        "cliponaxis": False,
    }
    if any(bar.low is not None for bar in figure.bars):
        common["error_x"] = ends
    if figure.dots:
        marker = {"color": hues, "size": 11}
        shape = {"mode": "markers", "orientation": "h", "marker": marker}
        main = {"type": "scatter", **common, **shape}
    else:
        shape = {"orientation": "h", "marker": {"color": hues}, "textposition": "none"}
        main = {"type": "bar", **common, **shape}
    traces = [*_before(figure), main, *_each(figure, hues)]
    notes = [_value_note(figure, bar, place) for place, bar in enumerate(figure.bars)]
    whole = {
        "data": traces,
        "layout": {
            **layout(ROW * max(1, len(places)) + 62, key),
            "margin": {"l": 8, "r": 64, "t": 6, "b": 46},
            "annotations": notes,
            "bargap": 0.38,
            "barmode": "overlay",
            "dragmode": False,
            "xaxis": {**_axis(figure.axis, []), **_BELOW, **_room(figure)},
            "yaxis": {
                "range": [len(places) - 0.5, -0.5],
                "tickvals": places,
                "ticktext": [_shown(bar.label) for bar in figure.bars],
                "automargin": True,
                "fixedrange": True,
                "ticklabelstandoff": 6,
                "zeroline": False,
                "showgrid": False,
            },
        },
    }
    return told(whole, with_numbers(figure.says, values_of(figure)), columns)


@draw.register
def grids(figure: Grids, key: str) -> Plain:
    """Draw grids side by side, each with its title, on one scale of colours for each ramp."""
    count = len(figure.grids)
    across = count if count <= MOST_ACROSS else math.ceil(count / math.ceil(count / MOST_ACROSS))
    down = math.ceil(count / max(1, across))
    gap = min(0.09, 0.3 / max(1, across))
    width, height = (1 - gap * (across - 1)) / max(1, across), (1 - 0.2 * (down - 1)) / down
    whole: dict[str, Any] = {
        **layout(CELL if down == 1 else round(0.85 * CELL * down), key),
        "margin": {"l": 4, "r": 4, "t": 44, "b": 34},
        "annotations": [],
        "shapes": [],
        "dragmode": False,
    }
    traces = []
    roles = [role for grid in figure.grids for role in (grid.role, *(b.role for b in grid.boxes))]
    hues = dict(zip(roles, role_hues(roles), strict=True))
    for number, grid in enumerate(figure.grids):
        start = (number % across) * (width + gap)
        top = 1 - (number // across) * (height + 0.2)
        name = str(number + 1) if number else ""
        rows, columns = np.shape(grid.values)
        is_said = number % across > 0 and figure.grids[number - 1].down == grid.down
        traces.append(_heatmap(figure, grid, name, is_last=number == count - 1))
        whole[f"xaxis{name}"] = {
            "domain": [start, start + width],
            "anchor": f"y{name}",
            "range": [-0.5, columns - 0.5],
            "title": {"text": _shown(grid.across), "standoff": 4},
            **_ticks(grid.columns),
        }
        whole[f"yaxis{name}"] = {
            "domain": [top - height, top],
            "anchor": f"x{name}",
            "range": [rows - 0.5, -0.5],
            # Beside a grid that says the same, it would be in that grid's way on a narrow page.
            "title": {"text": _shown("" if is_said else grid.down), "standoff": 4},
            **_ticks(grid.rows),
        }
        if figure.square:
            whole[f"yaxis{name}"] |= {"scaleanchor": f"x{name}", "constrain": "domain"}
            whole[f"xaxis{name}"] |= {"constrain": "domain"}
        hue = hues[grid.role] if grid.role else ""
        whole["annotations"].append(_title(grid.title, start + width / 2, top, hue))
        whole["shapes"] += [_box(box, name, hues[box.role]) for box in grid.boxes]
    columns = [
        "",
        shared_title([grid.down for grid in figure.grids]) or say("row"),
        shared_title([grid.across for grid in figure.grids]) or say("column"),
        # On a logarithmic scale, the unit is that of the colours.
        say("value") if figure.log or not figure.unit else author(figure.unit),
    ]
    # A table has more use for others than for the pixels of a picture.
    pictures = [grid.ramp == "grey" for grid in figure.grids]
    data = [traces[number] for number in sorted(range(count), key=pictures.__getitem__)]
    return told(
        {"data": data, "layout": whole}, with_numbers(figure.says, spans_of(figure)), columns
    )


@draw.register
def areas(figure: Areas, key: str) -> Plain:
    """Draw each design as a row of squares, all on one scale, whose areas are the amounts."""
    largest = max(area.amount for _, squares in figure.designs for area in squares) or 1.0
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    traces: list[dict[str, Any]] = []
    totals: list[str] = []
    left, gap = 0.0, 0.16
    roles = [_role(area) for _, squares in figure.designs for area in squares]
    hues = dict(zip(roles, role_hues(roles), strict=True))
    for name, squares in figure.designs:
        begin, middles = left, list[tuple[float, float]]()
        for area in squares:
            side = math.sqrt(area.amount / largest)
            middles.append((left + side / 2, side / 2))
            shapes.append(_square(hues[_role(area)], left, side))
            notes.append(_area_note(area, left, side))
            left += max(side, 0.34) + 0.06
        total = sum(area.amount for area in squares)
        traces.append(_middles(name, squares, middles, figure.unit))
        totals.append(
            say(
                "{design} {total:,.0f} {unit}",
                design=author(name),
                total=total,
                unit=author(figure.unit),
            )
        )
        notes.append(
            {
                "x": begin,
                "y": 1.06,
                "text": f"<b>{_shown(name)}</b><br>{total:,.0f} {_shown(figure.unit)}",
                "xanchor": "left",
                "yanchor": "bottom",
                "align": "left",
                "showarrow": False,
            }
        )
        left += gap
    whole = {
        "data": traces,
        "layout": {
            **layout(HEIGHT, key),
            "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
            "shapes": shapes,
            "annotations": notes,
            "dragmode": False,
            "xaxis": {"range": [-0.02, max(left, 2.2)], "visible": False, "fixedrange": True},
            "yaxis": {
                "range": [-0.2, 1.3],
                "visible": False,
                "fixedrange": True,
                "scaleanchor": "x",
            },
        },
    }
    says = with_numbers(figure.says, say("In all: {designs}.", designs=several(totals)))
    return told(whole, says, [say("design"), say("part"), author(figure.unit)])


def _middles(
    name: str, squares: Sequence[Area], middles: Sequence[tuple[float, float]], unit: str
) -> dict[str, Any]:
    """Return points amid the squares of a design, which are not seen, and can be pointed at."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": _shown(name),
        "x": [x for x, _ in middles],
        "y": [y for _, y in middles],
        "marker": {"size": 24, "opacity": 0},
        "customdata": [[_shown(area.label), f"{area.amount:,.0f}"] for area in squares],
        "hovertemplate": f"%{{customdata[0]}}: <b>%{{customdata[1]}}</b> {_shown(unit)}"
        f"<br>{_shown(name)}<extra></extra>",
    }


@draw.register
def surfaces(figure: Surfaces, key: str) -> Plain:
    """Draw surfaces side by side, as contours or as solids, with the path of each."""
    values = np.concatenate([np.ravel(each.values) for each in figure.surfaces])
    logs = np.log10(values[np.isfinite(values) & (values > 0)])
    low, high = float(logs.min()), float(np.percentile(logs, 98))
    count = len(figure.surfaces)
    width = (1 - 0.06 * (count - 1)) / count
    whole: dict[str, Any] = {
        **layout(HEIGHT + 60, key),
        "margin": {"l": 4, "r": 4, "t": 30, "b": 30},
        "annotations": [],
    }
    traces: list[dict[str, Any]] = []
    for number, each in enumerate(figure.surfaces):
        start, name = number * (width + 0.06), str(number + 1) if number else ""
        domain = {"x": [start, start + width], "y": [0, 1]}
        whole["annotations"].append(_title(each.title, start + width / 2, 1.0))
        if figure.solid:
            traces += _solid(each, f"scene{name}", low, high, figure.unit)
            plain = {"showticklabels": False, "title": {"text": ""}, "showbackground": False}
            whole[f"scene{name}"] = {
                "domain": domain,
                "xaxis": plain,
                "yaxis": plain,
                "zaxis": {**plain, "range": [low, high]},
                "camera": {"eye": {"x": 1.3, "y": 1.3, "z": 1.1}},
            }
            continue
        traces += _contours(each, name, low, high, figure.unit, is_last=number == count - 1)
        whole[f"xaxis{name}"] = {"domain": domain["x"], "anchor": f"y{name}", **_QUIET}
        whole[f"yaxis{name}"] = {
            "anchor": f"x{name}",
            "scaleanchor": f"x{name}",
            "showticklabels": not number,  # all have one scale
            **_QUIET,
        }
    columns = ["", say("up"), say("across"), author(figure.unit or say("value"))]
    says = with_numbers(figure.says, heights_of(figure))
    return told({"data": traces, "layout": whole}, says, columns)


def with_guess(plain: Plain, shown: Shown, guess: str | None) -> Plain:
    """Put what was guessed into a figure: a curve, a level line, or what was chosen as words.

    Args:
        plain: The figure.
        shown: What it is of.
        guess: As text: the heights of a curve, a number, or a choice; `None` if there is none.
    """
    if guess is None:
        return plain
    data, own, says = list(plain["data"]), dict(plain["layout"]), ""
    hue = {"color": GUESS, "width": 3, "dash": "dot"}
    numbers = _numbers(guess)
    if shown.guessed and isinstance(shown.figure, Lines):
        (asked,) = (line for line in shown.figure.lines if line.label == shown.guessed)
        place = _places(shown.figure.x, [x for line in shown.figure.lines for x in line.x])
        columns = len(own["meta"]["columns"]) - 1
        if len(numbers) == len(asked.x):
            data.append(
                {
                    "type": "scatter",
                    "x": [place(x) for x in asked.x],
                    "y": numbers,
                    "name": say("your guess"),
                    "mode": "lines+markers",
                    "line": hue,
                    "customdata": [
                        [written(shown.figure.x, x), written(shown.figure.y, y), "", ""][:columns]
                        for x, y in zip(asked.x, numbers, strict=True)
                    ],
                    "hovertemplate": "%{customdata[1]}<br>" + say("your guess") + "<extra></extra>",
                }
            )
            guesses = [
                say(
                    "{value} at {at}",
                    value=written(shown.figure.y, y),
                    at=written(shown.figure.x, x),
                )
                for x, y in zip(asked.x, numbers, strict=True)
            ]
            says = say("Your guess: {guess}.", guess=several(guesses, 3))
    elif len(numbers) == 1 and isinstance(shown.figure, Bars | Lines):
        axis, measured = "x", shown.figure.axis if isinstance(shown.figure, Bars) else None
        if isinstance(shown.figure, Lines):
            axis, measured = "y", shown.figure.y
        value = numbers[0] / (100 if measured and measured.percent else 1)
        other = "y" if axis == "x" else "x"
        level = {f"{axis}0": value, f"{axis}1": value, f"{other}0": 0, f"{other}1": 1}
        shape = {"type": "line", f"{other}ref": "paper", "line": hue, **level}
        note = {axis: value, other: 1, f"{other}ref": "paper", "showarrow": False}
        note |= {"text": say("your guess"), "xanchor": "right", "yanchor": "bottom"}
        own["shapes"] = [*own.get("shapes", []), shape]
        own["annotations"] = [*own.get("annotations", []), note]
        guess = written(measured, value) if measured else f"{value:g}"
        says = say("Your guess: {guess}.", guess=guess)
    if says:
        own["meta"] = {**own["meta"], "says": with_numbers(own["meta"]["says"], says)}
    return {"data": data, "layout": own}


def _shown(text: str) -> str:
    """Return what Plotly shows as a text of a lesson, which the lesson's author may have said."""
    return as_text(author(text))


def _role(area: Area) -> str:
    return area.role or english(area.label)


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return []


_BELOW = {"fixedrange": True, "zeroline": False, "showgrid": False}
_BESIDE = {"fixedrange": True, "zeroline": False, "gridcolor": GRID, "automargin": True}
_QUIET = {"fixedrange": True, "zeroline": False, "showgrid": False, "constrain": "domain"}


def _line(line: Line, number: int, hue: str, figure: Lines, place: Any) -> list[dict[str, Any]]:
    x, y = [place(each) for each in line.x], list(line.y)
    said = [[written(figure.y, value) if math.isfinite(value) else "" for value in line.y]]
    if any(each.low for each in figure.lines):
        ends = [[written(figure.y, value) for value in end] for end in (line.low, line.high)]
        said += [[*end, *[""] * len(x)][: len(x)] for end in ends]
    columns = [[written(figure.x, at) for at in line.x], *said]
    drawn: dict[str, Any] = {
        "type": "scatter",
        "x": x,
        "y": y,
        "name": _shown(line.label),
        "legendgroup": line.label,
        "mode": "lines+markers" if line.marked else "lines",
        "line": {"color": hue, "width": 2.4, "dash": "dash" if line.dashed else "solid"},
        "marker": {"symbol": MARKERS[number % len(MARKERS)], "size": 8, "color": hue},
        "customdata": [list(row) for row in zip(*columns, strict=True)],
        "hovertemplate": "%{customdata[0]}: <b>%{customdata[1]}</b><br>%{fullData.name}"
        "<extra></extra>",
    }
    if not line.low:
        return [drawn]
    band = {
        "type": "scatter",
        "x": [*x, *reversed(x)],
        "y": [*line.high, *reversed(line.low)],
        "fill": "toself",
        "fillcolor": translucent(hue, 0.16),
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": line.label,
    }
    return [band, drawn]


def _places(axis: Axis, values: Sequence[float]) -> Any:
    """Return a function from a value to its place on an axis."""
    if axis.scale != "steps":
        return lambda value: value
    order = {value: place for place, value in enumerate(sorted(set(values)))}
    return lambda value: order.get(value)


def _axis(axis: Axis, values: Sequence[float]) -> dict[str, Any]:
    made: dict[str, Any] = {"title": {"text": _shown(axis.title), "standoff": 6}}
    if axis.percent:
        made["tickformat"] = ".1~%"
    if axis.scale == "log":
        made |= {"type": "log", "exponentformat": "power"}
    if axis.scale == "steps":
        steps = sorted(set(values))
        made |= {
            "tickvals": list(range(len(steps))),
            "ticktext": [f"{step:g}" for step in steps],
            "range": [-0.3, len(steps) - 0.7],
        }
    elif axis.low is not None and axis.high is not None:
        ends = [axis.low, axis.high]
        made["range"] = [math.log10(end) for end in ends] if axis.scale == "log" else ends
    return made


def _before(figure: Bars) -> list[dict[str, Any]]:
    """Return an outline of what values were before, where that is known."""
    if all(bar.before is None for bar in figure.bars):
        return []
    outline = {"color": "rgba(0, 0, 0, 0)", "line": {"color": GUESS, "width": 1.4}}
    return [
        {
            "type": "bar",
            "orientation": "h",
            "x": [bar.before for bar in figure.bars],
            "y": list(range(len(figure.bars))),
            "marker": outline,
            "hoverinfo": "skip",
        }
    ]


def _each(figure: Bars, hues: Sequence[str]) -> list[dict[str, Any]]:
    """Return small dots for the values that each bar is the mean of."""
    points = [
        (value, place, hues[place]) for place, bar in enumerate(figure.bars) for value in bar.each
    ]
    if not points:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [value for value, _, _ in points],
            "y": [place + 0.33 for _, place, _ in points],
            "marker": {"size": 5, "color": [hue for _, _, hue in points], "opacity": 0.65},
            "hoverinfo": "skip",
        }
    ]


def _value_note(figure: Bars, bar: Bar, place: int) -> dict[str, Any]:
    ends = [bar.value, *([bar.high] if bar.high is not None else []), *bar.each]
    return {
        "x": max(*ends, bar.value),
        "y": place,
        "text": f"<b>{written(figure.axis, bar.value)}</b>",
        "xanchor": "left",
        "xshift": 8,
        "showarrow": False,
    }


def _room(figure: Bars) -> dict[str, Any]:
    """Return the range of the axis, with room for the numbers at the ends."""
    if figure.axis.low is not None and figure.axis.high is not None:
        return {}
    found = [
        end
        for bar in figure.bars
        for end in (bar.value, bar.low, bar.high, bar.before, *bar.each)
        if end is not None and math.isfinite(end)
    ]
    low, high = min(found), max(found)
    if not figure.dots:
        low, high = min(0.0, low), max(0.0, high)
    span = (high - low) or 1.0
    return {"range": [low - (0.06 * span if low < 0 or figure.dots else 0), high + 0.12 * span]}


def _heatmap(figure: Grids, grid: Grid, name: str, *, is_last: bool) -> dict[str, Any]:
    values = np.asarray(grid.values, dtype=float)
    sharing = [np.asarray(g.values, dtype=float) for g in figure.grids if g.ramp == grid.ramp]
    scaled = np.concatenate([each.ravel() for each in sharing]) if figure.shared else values
    shown = np.log10(np.where(values > 0, values, np.nan)) if figure.log else values
    ends = np.log10(np.where(scaled > 0, scaled, np.nan)) if figure.log else scaled
    finite = ends[np.isfinite(ends)]
    high = float(np.max(finite)) if len(finite) else 1.0
    low = float(np.min(finite)) if len(finite) else 0.0
    if grid.ramp in ("signed", "weights"):
        high = max(abs(low), abs(high)) or 1.0
        low = -high
    elif not figure.log:
        low, high = (0.0, high or 1.0) if grid.ramp != "grey" else (0.0, 255.0)
    is_scale = is_last and grid.ramp != "grey"
    bar = {"title": {"text": _shown(figure.unit), "side": "right"}, "thickness": 12, "len": 0.9}
    return {
        "type": "heatmap",
        "z": shown,
        "zmin": low,
        "zmax": high,
        "colorscale": [list(stop) for stop in RAMPS[grid.ramp]],
        "showscale": is_scale,
        "colorbar": bar,
        "xaxis": f"x{name}",
        "yaxis": f"y{name}",
        "name": as_text(on_a_line(grid.title)),
        "meta": {
            way: [_shown(name) for name in names]
            for way, names in (("x", grid.columns), ("y", grid.rows))
        },
        "customdata": values,
        "hoverongaps": False,
        **_hover(grid, values.shape),
    }


def _hover(grid: Grid, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return what is said of a cell: where it is, its value, and of which grid it is."""
    value = "<b>%{customdata:.3g}</b>"
    known = {}
    if grid.rows or grid.columns:
        rows, columns = shape
        names = [[as_text(place_of(grid, y, x)) for x in range(columns)] for y in range(rows)]
        known["hovertext"] = names
        words = say("{place}: {value}", place="%{hovertext}", value=value)
    else:
        words = say("row {row}, column {column}: {value}", row="%{y}", column="%{x}", value=value)
    return {**known, "hovertemplate": f"{words}<br>%{{fullData.name}}<extra></extra>"}


def _ticks(names: Sequence[str]) -> dict[str, Any]:
    common = {"showgrid": False, "zeroline": False, "fixedrange": True}
    if not names:
        return {"showticklabels": False, "ticks": "", **common}
    step = max(1, math.ceil(len(names) / 12))
    shown = range(0, len(names), step)
    text = [_shown(names[place]) for place in shown]
    return {"tickvals": list(shown), "ticktext": text, "automargin": True, **common}


def _title(text: str, x: float, y: float, hue: str = "") -> dict[str, Any]:
    mark = f'<span style="color:{hue}">■</span> ' if hue else ""
    return {
        "x": x,
        "y": y,
        "yshift": 2,
        "xref": "paper",
        "yref": "paper",
        "text": mark + "<br>".join(map(_shown, again(text).splitlines() or [""])),
        "xanchor": "center",
        "yanchor": "bottom",
        "showarrow": False,
    }


def _box(box: Any, name: str, hue: str) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": f"x{name}",
        "yref": f"y{name}",
        "x0": box.column - 0.5,
        "x1": box.column + box.columns - 0.5,
        "y0": box.row - 0.5,
        "y1": box.row + box.rows - 0.5,
        "line": {"color": hue, "width": 2.5},
    }


def _square(hue: str, left: float, side: float) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": left,
        "x1": left + side,
        "y0": 0,
        "y1": side,
        "fillcolor": translucent(hue, 0.75),
        "line": {"color": hue, "width": 1.5},
    }


def _area_note(area: Area, left: float, side: float) -> dict[str, Any]:
    return {
        "x": left,
        "y": -0.02,
        "text": f"{_shown(area.label)}<br>{area.amount:,.0f}",
        "xanchor": "left",
        "yanchor": "top",
        "align": "left",
        "showarrow": False,
    }


def _contours(
    surface: Surface, name: str, low: float, high: float, unit: str, *, is_last: bool
) -> list[dict[str, Any]]:
    bar = {"title": {"text": _shown(unit), "side": "right"}, "thickness": 12, "len": 0.9}
    axes = {"xaxis": f"x{name}", "yaxis": f"y{name}"}
    plane = {
        "type": "contour",
        "x": list(surface.x),
        "y": list(surface.y),
        "z": np.log10(np.asarray(surface.values, dtype=float)),
        "name": as_text(on_a_line(surface.title)),
        "customdata": np.asarray(surface.values, dtype=float),
        "hovertemplate": say("loss {value}", value="<b>%{customdata:.3g}</b>")
        + "<br>%{fullData.name}<extra></extra>",
        "colorscale": [[1 - stop, colour] for stop, colour in reversed(POSITIVE)],
        "contours": {"start": low, "end": high, "size": (high - low) / 14},
        "zmin": low,
        "zmax": high,
        "line": {"width": 0.6},
        "showscale": is_last,
        "colorbar": bar | _log_ticks(low, high),
        **axes,
    }
    if not surface.path:
        return [plane]
    path = {
        "type": "scatter",
        "x": [x for x, _ in surface.path],
        "y": [y for _, y in surface.path],
        "mode": "lines+markers",
        "line": {"color": SIGNED[0][1], "width": 2.5},
        "marker": {"size": 7, "color": SIGNED[0][1]},
        "name": as_text(on_a_line(surface.title)),
        "text": [
            as_text(
                say(
                    "{name}, after epoch {number}",
                    name=on_a_line(surface.title),
                    number=number + 1,
                )
            )
            for number in range(len(surface.path))
        ],
        "hovertemplate": "%{text}<extra></extra>",
        **axes,
    }
    return [plane, path]


def _solid(
    surface: Surface, scene: str, low: float, high: float, unit: str
) -> list[dict[str, Any]]:
    heights = np.clip(np.log10(np.asarray(surface.values, dtype=float)), low, high)
    solid = {
        "type": "surface",
        "x": list(surface.x),
        "y": list(surface.y),
        "z": heights,
        "name": as_text(on_a_line(surface.title)),
        "cmin": low,
        "cmax": high,
        "colorscale": [[1 - stop, colour] for stop, colour in reversed(POSITIVE)],
        "showscale": False,
        "scene": scene,
        "customdata": np.asarray(surface.values, dtype=float),
        "hovertemplate": f"{_shown(unit)} %{{customdata:.3g}}<extra></extra>",
    }
    return [solid]


def _log_ticks(low: float, high: float) -> dict[str, Any]:
    ticks = [
        value
        for power in range(math.floor(low), math.ceil(high) + 1)
        for value in (10.0**power, 3 * 10.0**power)
        if low <= math.log10(value) <= high
    ]
    return {"tickvals": [math.log10(t) for t in ticks], "ticktext": [f"{t:g}" for t in ticks]}
