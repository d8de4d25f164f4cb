"""What one step did to each layer: how large its gradient was, and how far it moved."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from explorer.charts.marks import cut_wide
from explorer.charts.style import GRID, RUNS, Plain, as_text, layout, told
from explorer.language import later, say
from explorer.text import significant
from explorer.training.events import Update

ROW = 22  # pixels
NAME = 26  # Latin letters of a layer's name
TICKS = 5  # of an axis, at most
LEAST, MOST = 1e-12, 1e12  # what is smaller or larger is not drawn
_GRADIENT = later("{layer}: gradient's norm {value}")
_MOVED = later("{layer}: moved by this share of its norm {value}")


def update_sizes(update: Update, order: Sequence[str]) -> Plain:
    """Draw each layer's gradient beside its update, as a share of its parameters.

    Both are on logarithmic axes, since layers differ by orders of magnitude.

    Args:
        update: The step.
        order: The paths of the layers, from the image to the logits.
    """
    rows = [path for path in order if path in update.gradients]
    moved = {path: _share(update.updates[path], update.weights[path]) for path in rows}
    names = [as_text(cut_wide(path, NAME)) for path in rows]
    titles = say("gradient’s norm"), say("update ÷ parameters (norms)")
    figure: Plain = {
        "data": [
            {**_dots(names, rows, update.gradients, RUNS[0], "x", _GRADIENT), "name": titles[0]},
            {**_dots(names, rows, moved, RUNS[1], "x2", _MOVED), "name": titles[1]},
        ],
        "layout": {
            **layout(ROW * len(rows) + 60, "updates"),
            "margin": {"l": 4, "r": 12, "t": 4, "b": 44},
            "xaxis": {
                **_axis(titles[0], update.gradients.values()),
                "domain": [0, 0.46],
            },
            "xaxis2": {
                **_axis(titles[1], moved.values()),
                "domain": [0.54, 1],
            },
            "yaxis": {
                "type": "category",
                "autorange": "reversed",
                "automargin": True,
                "gridcolor": GRID,
                "fixedrange": True,
                "categoryorder": "array",
                "categoryarray": names,
            },
        },
    }
    return told(figure, _says(update, moved), [say("measure"), say("layer"), say("value")])


def _says(update: Update, moved: Mapping[str, float]) -> str:
    """Say in which layers the gradient, and the update, is the smallest and the largest."""
    if not moved:
        return say("No layer was updated.")
    places: dict[str, str] = {}
    for name, values in (("gradient", update.gradients), ("share", moved)):
        for end, choose in (("least", min), ("most", max)):
            layer = choose(moved, key=values.__getitem__)
            number = significant(values[layer])
            places[f"{end}_{name}"] = say("{value} ({layer})", value=number, layer=layer)
    return say(
        "Step {step:,}: gradient norms from {least_gradient} to {most_gradient}; updates, as "
        "shares of the norm of the parameters, from {least_share} to {most_share}.",
        step=update.step,
        **places,
    )


def _dots(
    names: Sequence[str],
    rows: Sequence[str],
    values: Mapping[str, float],
    hue: str,
    axis: str,
    message: str,
) -> dict[str, Any]:
    shown = [values[path] if LEAST < values[path] < MOST else None for path in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "orientation": "h",
        "x": shown,
        "y": list(names),
        "xaxis": axis,
        "yaxis": "y",
        "marker": {"color": hue, "size": 9, "symbol": "circle" if axis == "x" else "diamond"},
        "customdata": [[as_text(path), significant(values[path])] for path in rows],
        "hovertemplate": say(message, layer="<b>%{customdata[0]}</b>", value="%{customdata[1]}")
        + "<extra></extra>",
    }


def _axis(title: str, values: Iterable[float]) -> dict[str, Any]:
    """Return a logarithmic axis from one 1, 2 or 5 times a power of ten to another."""
    shown = [value for value in values if LEAST < value < MOST] or [1.0]
    powers = range(math.floor(math.log10(min(shown))) - 1, math.ceil(math.log10(max(shown))) + 2)
    ladder = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    first = max(place for place, tick in enumerate(ladder) if tick <= min(shown))
    last = min(place for place, tick in enumerate(ladder) if tick >= max(shown))
    rungs = ladder[first : max(last, first + 1) + 1]
    ticks = rungs[:: math.ceil(len(rungs) / TICKS)]
    return {
        "type": "log",
        "range": [math.log10(rungs[0] / 1.1), math.log10(rungs[-1] * 1.1)],
        "tickvals": ticks,
        "ticktext": [significant(tick, 1) for tick in ticks],
        "tickangle": 0,
        "gridcolor": GRID,
        "zeroline": False,
        "fixedrange": True,
        "title": {"text": title, "standoff": 4, "font": {"size": 12}},
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
