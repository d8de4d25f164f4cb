"""Colours and the layout that all charts share. They must work on a white and on a dark page."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, cast

import plotly
import plotly.graph_objects as go
from plotly.utils import PlotlyJSONEncoder

from explorer.language import again
from explorer.text import visible

Figure = go.Figure
# A figure as Plotly's library in the browser takes it: its `data` and its `layout`. It is made in
# a hundredth of the time of a `Figure`, which checks every property.
Plain = Mapping[str, Any]
_Drawn = TypeVar("_Drawn", go.Figure, Plain)
LIBRARY = Path(str(files(plotly))) / "package_data"  # the folder of plotly.min.js
# From the app's root. A browser keeps the library as long as its address names the same version.
LIBRARY_ADDRESS = f"plotly/plotly.min.js?v={plotly.__version__}"

# Of each list, any two differ by CIEDE2000 ≥ 12 for normal, protan, deutan and tritan eyes, and
# from a page of either theme by a contrast of 3 or more. No orange: it is that of negative values.
BRANCHES = ("#0a7864", "#6464aa", "#d20a64", "#5096b4", "#be8200", "#82641e", "#8c968c", "#a064fa")
RUNS = ("#3296dc", "#f00064", "#007850", "#96508c", "#a09600", "#aa500a", "#6e3cfa", "#dc6e96")

# Signed values: zero in the middle. TensorFlow Playground's hues.
SIGNED = ((0.0, "#f59322"), (0.5, "#e8eaeb"), (1.0, "#0877bd"))
# What is never below zero, as after a ReLU.
POSITIVE = ((0.0, "#ffffff"), (1.0, "#0877bd"))
# Another ramp for weights, so that nobody mistakes them for activations.
WEIGHTS = ((0.0, "#762a83"), (0.5, "#f7f7f7"), (1.0, "#1b7837"))
INK = ((0.0, "#000000"), (1.0, "#ffffff"))

GRID = "rgba(128, 128, 128, 0.22)"

# What a hue is of, on every page. Two that share one never meet in a figure.
ROLES = {
    "skip": "#0a7864",
    "correction": "#6464aa",
    "1x1": "#d20a64",
    "3x3": "#5096b4",
    "5x5": "#be8200",
    "7x7": "#82641e",
    "pool": "#8c968c",
    "chain": "#be8200",
    "several": "#6464aa",
    "input": "#6464aa",
}


def distinct_hues(roles: Sequence[str]) -> list[str]:
    """Return a hue of its own for each thing in a figure: that of its role.

    What has none of the known roles, or meets another with its hue, gets the first that is free.
    """
    kept = {ROLES[role] for role in roles if role in ROLES}
    free = iter([hue for hue in BRANCHES if hue not in kept])
    found: list[str] = []
    for role in roles:
        hue = ROLES.get(role)
        if hue is None or hue in found:
            hue = next(free, BRANCHES[len(found) % len(BRANCHES)])
        found.append(hue)
    return found


def role_hues(roles: Sequence[str]) -> list[str]:
    """Return the hue of each thing in a figure, as `distinct_hues`; equal roles have one hue."""
    unique = list(dict.fromkeys(roles))
    hues = dict(zip(unique, distinct_hues(unique), strict=True))
    return [hues[role] for role in roles]


def translucent(colour: str, opacity: float) -> str:
    """Return the colour `#rrggbb` with an opacity from 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def figure(height: int, uirevision: str) -> go.Figure:
    """Return an empty figure of `height` pixels.

    As long as `uirevision` stays the same, a reader's zoom survives new data.
    """
    return go.Figure(layout=layout(height, uirevision))


def layout(height: int, uirevision: str) -> dict[str, Any]:
    """Return the layout of such a figure, for a plain one."""
    return {
        "height": height,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "uirevision": uirevision,
        "showlegend": False,
        "hovermode": "closest",
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
    }


def names_axis(names: Sequence[str]) -> dict[str, Any]:
    """Return a y axis with a row for each name, as HTML, the first at the top."""
    return {
        "range": [len(names) - 0.5, -0.5],
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "fixedrange": True,
        "automargin": True,
        "ticklabelstandoff": 6,
    }


def told(figure: _Drawn, says: str, columns: Sequence[str] = ()) -> _Drawn:
    """Return a figure with what it shows in words, for people who do not see it.

    Its data can be opened as a table with a row for each point: the name of its trace, where it is,
    and its values. Of a trace in a grid, `z`, a row says where a cell is down and across.
    `customdata` has a text for each value; if it has more, the first of them is the name of the
    point. Points of a trace with the `orientation` "h" are along the axis at the side. A trace with
    the `hoverinfo` "skip" is no data.

    Args:
        figure: What is drawn.
        says: One or two sentences with the numbers that matter.
        columns: The titles of the table's columns; an empty one is the title of the axis, or a
            word for its kind.
    """
    meta = {"says": visible(again(says)), "columns": [visible(again(each)) for each in columns]}
    if isinstance(figure, go.Figure):
        figure.update_layout(meta=meta)
        return cast(_Drawn, figure)
    return cast(_Drawn, {**figure, "layout": {**figure["layout"], "meta": meta}})


def plain(figure: go.Figure | Plain) -> Plain:
    """Return a figure as the browser's library takes it.

    It is without Plotly's template, which is a list of defaults for charts of all kinds, of 5 kB,
    and has none that a chart here does not set.
    """
    whole = figure.to_dict() if isinstance(figure, go.Figure) else figure
    own = {name: value for name, value in whole["layout"].items() if name != "template"}
    return {"data": whole["data"], "layout": own}


def to_json(figure: Plain) -> str:
    """Return a figure as JSON; what is not a number is `null`, a gap in a line."""
    return json.dumps(figure, cls=PlotlyJSONEncoder, separators=(",", ":"))


def as_text(text: str) -> str:
    """Return what Plotly shows as this text, in a title, a tick, a legend, a note or on hovering.

    It is said in the reader's language. Plotly renders a few tags of HTML, links among them, and
    fills in what is in `%{…}`. It knows a few entities by name, and those of quotes are not among
    them.
    """
    return escape(visible(again(text)), quote=False).replace("{", "&#123;")
