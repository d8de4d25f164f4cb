"""Draws what the parts of lessons show."""

import math
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np

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
    translucent,
)
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
    hues = role_hues([line.role or line.label for line in figure.lines])
    for number, (line, hue) in enumerate(zip(figure.lines, hues, strict=True)):
        traces += _line(line, number, hue, figure, place)
    shapes: list[dict[str, Any]] = []
    if figure.at is not None:
        at = {"x0": place(figure.at), "x1": place(figure.at), "y0": 0, "y1": 1, "yref": "paper"}
        dotted = {"color": "rgba(128, 128, 128, 0.7)", "width": 1.5, "dash": "dot"}
        shapes.append({"type": "line", "layer": "below", "line": dotted, **at})
    return {
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


@draw.register
def bars(figure: Bars, key: str) -> Plain:
    """Draw values from the top down, with their intervals and the values they are means of."""
    places = list(range(len(figure.bars)))
    hues = role_hues([bar.role or bar.label for bar in figure.bars])
    ends = {
        "type": "data",
        "symmetric": False,
        "array": [(bar.high or bar.value) - bar.value for bar in figure.bars],
        "arrayminus": [bar.value - (bar.low or bar.value) for bar in figure.bars],
        "thickness": 1.6,
        "color": GUESS,
        "width": 5,
    }
    common = {
        "x": [bar.value for bar in figure.bars],
        "y": places,
        "customdata": [_said(figure.axis, bar.value) for bar in figure.bars],
        "text": [_said(figure.axis, bar.value) for bar in figure.bars],
        "hovertemplate": "<b>%{customdata}</b><extra></extra>",
        "cliponaxis": False,
    }
    if any(bar.low is not None for bar in figure.bars):
        common["error_x"] = ends
    if figure.dots:
        shape = {"mode": "markers", "marker": {"color": hues, "size": 11}}
        main = {"type": "scatter", **common, **shape}
    else:
        shape = {"orientation": "h", "marker": {"color": hues}, "textposition": "none"}
        main = {"type": "bar", **common, **shape}
    traces = [*_before(figure), main, *_each(figure, hues)]
    notes = [_value_note(figure, bar, place) for place, bar in enumerate(figure.bars)]
    return {
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
                "ticktext": [as_text(bar.label) for bar in figure.bars],
                "automargin": True,
                "fixedrange": True,
                "ticklabelstandoff": 6,
                "zeroline": False,
                "showgrid": False,
            },
        },
    }


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
            "title": {"text": as_text(grid.across), "standoff": 4},
            **_ticks(grid.columns),
        }
        whole[f"yaxis{name}"] = {
            "domain": [top - height, top],
            "anchor": f"x{name}",
            "range": [rows - 0.5, -0.5],
            # Beside a grid that says the same, it would be in that grid's way on a narrow page.
            "title": {"text": as_text("" if is_said else grid.down), "standoff": 4},
            **_ticks(grid.rows),
        }
        if figure.square:
            whole[f"yaxis{name}"] |= {"scaleanchor": f"x{name}", "constrain": "domain"}
            whole[f"xaxis{name}"] |= {"constrain": "domain"}
        hue = hues[grid.role] if grid.role else ""
        whole["annotations"].append(_title(grid.title, start + width / 2, top, hue))
        whole["shapes"] += [_box(box, name, hues[box.role]) for box in grid.boxes]
    return {"data": traces, "layout": whole}


@draw.register
def areas(figure: Areas, key: str) -> Plain:
    """Draw each design as a row of squares, all on one scale, whose areas are the amounts."""
    largest = max(area.amount for _, squares in figure.designs for area in squares) or 1.0
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    left, gap = 0.0, 0.16
    roles = [area.role or area.label for _, squares in figure.designs for area in squares]
    hues = dict(zip(roles, role_hues(roles), strict=True))
    for name, squares in figure.designs:
        begin = left
        for area in squares:
            side = math.sqrt(area.amount / largest)
            shapes.append(_square(hues[area.role or area.label], left, side))
            notes.append(_area_note(area, left, side))
            left += max(side, 0.34) + 0.06
        total = sum(area.amount for area in squares)
        notes.append(
            {
                "x": begin,
                "y": 1.06,
                "text": f"<b>{as_text(name)}</b><br>{total:,.0f} {as_text(figure.unit)}",
                "xanchor": "left",
                "yanchor": "bottom",
                "align": "left",
                "showarrow": False,
            }
        )
        left += gap
    return {
        "data": [{"type": "scatter", "x": [], "y": []}],
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
    return {"data": traces, "layout": whole}


def with_guess(plain: Plain, shown: Shown, guess: str | None) -> Plain:
    """Put what was guessed into a figure: a curve, a level line, or what was chosen as words.

    Args:
        plain: The figure.
        shown: What it is of.
        guess: As text: the heights of a curve, a number, or a choice; `None` if there is none.
    """
    if guess is None:
        return plain
    data, own = list(plain["data"]), dict(plain["layout"])
    hue = {"color": GUESS, "width": 3, "dash": "dot"}
    numbers = _numbers(guess)
    if shown.guessed and isinstance(shown.figure, Lines):
        (asked,) = (line for line in shown.figure.lines if line.label == shown.guessed)
        place = _places(shown.figure.x, [x for line in shown.figure.lines for x in line.x])
        if len(numbers) == len(asked.x):
            data.append(
                {
                    "type": "scatter",
                    "x": [place(x) for x in asked.x],
                    "y": numbers,
                    "name": "your guess",
                    "mode": "lines+markers",
                    "line": hue,
                    "hovertemplate": "%{y:.3g}<extra>your guess</extra>",
                }
            )
    elif len(numbers) == 1 and isinstance(shown.figure, Bars | Lines):
        axis, measured = "x", shown.figure.axis if isinstance(shown.figure, Bars) else None
        if isinstance(shown.figure, Lines):
            axis, measured = "y", shown.figure.y
        value = numbers[0] / (100 if measured and measured.percent else 1)
        other = "y" if axis == "x" else "x"
        level = {f"{axis}0": value, f"{axis}1": value, f"{other}0": 0, f"{other}1": 1}
        shape = {"type": "line", f"{other}ref": "paper", "line": hue, **level}
        note = {axis: value, other: 1, f"{other}ref": "paper", "showarrow": False}
        note |= {"text": "your guess", "xanchor": "right", "yanchor": "bottom"}
        own["shapes"] = [*own.get("shapes", []), shape]
        own["annotations"] = [*own.get("annotations", []), note]
    return {"data": data, "layout": own}


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
    drawn: dict[str, Any] = {
        "type": "scatter",
        "x": x,
        "y": y,
        "name": as_text(line.label),
        "legendgroup": line.label,
        "mode": "lines+markers" if line.marked else "lines",
        "line": {"color": hue, "width": 2.4, "dash": "dash" if line.dashed else "solid"},
        "marker": {"symbol": MARKERS[number % len(MARKERS)], "size": 8, "color": hue},
        "customdata": [
            f"{_said(figure.x, at)}: <b>{_said(figure.y, value)}</b>"
            for at, value in zip(line.x, line.y, strict=True)
        ],
        "hovertemplate": "%{customdata}<extra>%{fullData.name}</extra>",
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
    made: dict[str, Any] = {"title": {"text": as_text(axis.title), "standoff": 6}}
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


def _said(axis: Axis, value: float) -> str:
    if not math.isfinite(value):
        return "–"
    if axis.percent:
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


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
        "text": f"<b>{_said(figure.axis, bar.value)}</b>",
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
    bar = {"title": {"text": as_text(figure.unit), "side": "right"}, "thickness": 12, "len": 0.9}
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
        "customdata": values,
        "hovertemplate": "%{customdata:.3g}<extra></extra>",
        "hoverongaps": False,
    }


def _ticks(names: Sequence[str]) -> dict[str, Any]:
    common = {"showgrid": False, "zeroline": False, "fixedrange": True}
    if not names:
        return {"showticklabels": False, "ticks": "", **common}
    step = max(1, math.ceil(len(names) / 12))
    shown = range(0, len(names), step)
    text = [as_text(names[place]) for place in shown]
    return {"tickvals": list(shown), "ticktext": text, "automargin": True, **common}


def _title(text: str, x: float, y: float, hue: str = "") -> dict[str, Any]:
    mark = f'<span style="color:{hue}">■</span> ' if hue else ""
    return {
        "x": x,
        "y": y,
        "yshift": 2,
        "xref": "paper",
        "yref": "paper",
        "text": mark + "<br>".join(map(as_text, text.splitlines() or [""])),
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
        "text": f"{as_text(area.label)}<br>{area.amount:,.0f}",
        "xanchor": "left",
        "yanchor": "top",
        "align": "left",
        "showarrow": False,
    }


def _contours(
    surface: Surface, name: str, low: float, high: float, unit: str, *, is_last: bool
) -> list[dict[str, Any]]:
    bar = {"title": {"text": as_text(unit), "side": "right"}, "thickness": 12, "len": 0.9}
    axes = {"xaxis": f"x{name}", "yaxis": f"y{name}"}
    plane = {
        "type": "contour",
        "x": list(surface.x),
        "y": list(surface.y),
        "z": np.log10(np.asarray(surface.values, dtype=float)),
        "customdata": np.asarray(surface.values, dtype=float),
        "hovertemplate": "loss %{customdata:.3g}<extra></extra>",
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
        "text": [f"after epoch {number}" for number in range(1, len(surface.path) + 1)],
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
        "cmin": low,
        "cmax": high,
        "colorscale": [[1 - stop, colour] for stop, colour in reversed(POSITIVE)],
        "showscale": False,
        "scene": scene,
        "customdata": np.asarray(surface.values, dtype=float),
        "hovertemplate": f"{as_text(unit)} %{{customdata:.3g}}<extra></extra>",
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
