"""Gradient norms by layer and step, and the confusion matrix."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from explorer.charts.style import GRID, as_text, figure, told
from explorer.language import say
from explorer.text import significant
from explorer.training.events import Gradients

# One ramp from dark to light that reads the same on a white and on a dark page.
_RAMP = "Viridis"
LEAST = 1e-8  # a smaller norm is drawn as no gradient at all
# From early to late, seen on a white and on a dark page; with markers, so that no hue is needed.
MOMENTS = ("#e6ab02", "#f0703a", "#c2417c", "#7570b3")
SYMBOLS = ("circle", "square", "diamond", "triangle-up")


def gradient_history(recorded: Sequence[Gradients], steps_per_epoch: int) -> go.Figure:
    """Draw the norm of each layer's gradient over the training, on a logarithmic scale.

    Args:
        recorded: In order; at least one.
        steps_per_epoch: To place them on an axis of epochs.
    """
    layers = list(recorded[0].norms)
    norms = [[event.norms.get(layer, 0.0) for event in recorded] for layer in layers]
    rows = [[math.log10(norm) if norm > LEAST else None for norm in row] for row in norms]
    chart = figure(24 * len(layers) + 60, "gradients")
    chart.add_heatmap(
        z=rows,
        x=[event.step / steps_per_epoch for event in recorded],
        y=list(map(as_text, layers)),
        colorscale=_RAMP,
        colorbar=_bar(say("norm"), rows),
        customdata=[[significant(norm, 3) for norm in row] for row in norms],
        hovertemplate=say(
            "{layer}, epoch {epoch}: {norm}",
            layer="<b>%{y}</b>",
            epoch="%{x:.2f}",
            norm="%{customdata}",
        )
        + "<extra></extra>",
        hoverongaps=False,
    )
    chart.update_xaxes(title={"text": say("epoch"), "standoff": 4}, showgrid=False, zeroline=False)
    chart.update_yaxes(autorange="reversed", automargin=True, showgrid=False, type="category")
    chart.update_layout(margin={"l": 4, "t": 4, "b": 40, "r": 0})
    ends = _at(recorded[0], steps_per_epoch), _at(recorded[-1], steps_per_epoch)
    return told(
        chart,
        _over_time(norms, layers, *ends),
        ["", say("layer"), say("epoch"), say("gradient norm")],
    )


def _over_time(
    norms: Sequence[Sequence[float]], layers: Sequence[str], begin: str, end: str
) -> str:
    """Say between what the norms of the first and of the last layer changed."""
    if not layers:
        return say("No layer has a gradient.")
    first, last = (
        say(
            "{layer} from {begin} to {end}",
            layer=layers[place],
            begin=significant(norms[place][0], 3),
            end=significant(norms[place][-1], 3),
        )
        for place in (0, -1)
    )
    if len(layers) == 1:
        return say(
            "Gradient norm from {begin} to {end}: {layer}.", begin=begin, end=end, layer=first
        )
    return say(
        "Gradient norm from {begin} to {end}, of the first and the last of {count} layers: "
        "{first}, {last}.",
        begin=begin,
        end=end,
        count=len(layers),
        first=first,
        last=last,
    )


def _at(event: Gradients, steps_per_epoch: int) -> str:
    """Return at which epoch a record was made, or at which step of the first one."""
    epoch = event.step / steps_per_epoch
    if epoch >= 0.1:
        return say("epoch {epoch:.2g}", epoch=epoch)
    return say("step {step:,}", step=event.step)


def gradients_by_depth(recorded: Sequence[Gradients], steps_per_epoch: int) -> go.Figure:
    """Draw the norm of each layer's gradient from the first layer to the last, at some moments.

    Args:
        recorded: In order; at least one.
        steps_per_epoch: To say at which epoch a moment was.
    """
    layers = list(recorded[0].norms)
    chosen = _moments(recorded)
    chart = figure(300, "gradients by depth")
    for place, event in enumerate(chosen):
        norms = [event.norms.get(layer, 0.0) for layer in layers]
        name = _at(event, steps_per_epoch)
        chart.add_scatter(
            x=list(range(len(layers))),
            y=[norm if norm > LEAST else None for norm in norms],
            name=name,
            mode="lines+markers",
            line={"color": MOMENTS[place], "width": 2},
            marker={"symbol": SYMBOLS[place], "size": 8},
            customdata=[
                [as_text(layer), significant(norm)]
                for layer, norm in zip(layers, norms, strict=True)
            ],
            hovertemplate=say(
                "{layer}, {moment}: {norm}",
                layer="<b>%{customdata[0]}</b>",
                moment=name,
                norm="%{customdata[1]}",
            )
            + "<extra></extra>",
        )
    chart.update_xaxes(
        tickvals=list(range(len(layers))),
        ticktext=list(map(as_text, layers)),
        tickangle=-45 if len(layers) > 4 else 0,
        automargin=True,
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )
    chart.update_yaxes(
        type="log",
        title={"text": say("gradient norm"), "standoff": 12},
        tickvals=[10.0**power for power in range(-8, 5)],
        ticktext=[significant(10.0**power) for power in range(-8, 5)],
        gridcolor=GRID,
        automargin=True,
        fixedrange=True,
    )
    chart.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.16, "x": 0},
        margin={"l": 4, "t": 30, "b": 8, "r": 0},
        dragmode=False,
    )
    ends = list(dict.fromkeys([_at(event, steps_per_epoch) for event in (chosen[0], chosen[-1])]))
    says = _over_depth(list(zip(ends, (chosen[0], chosen[-1]), strict=False)), layers)
    return told(chart, says, [say("moment"), say("layer"), say("gradient norm")])


def _over_depth(moments: Sequence[tuple[str, Gradients]], layers: Sequence[str]) -> str:
    """Say how large the gradient was in the first and in the last layer, at each moment."""
    if not layers:
        return say("No layer has a gradient.")
    each = [
        say(
            "at {moment}, {first} and {last}",
            moment=moment,
            first=significant(event.norms.get(layers[0], 0.0)),
            last=significant(event.norms.get(layers[-1], 0.0)),
        )
        for moment, event in moments
    ]
    return say(
        "Gradient norm of the first layer, {first}, and of the last, {last}: {moments}.",
        first=layers[0],
        last=layers[-1],
        moments=say("; ").join(each),
    )


def _moments(recorded: Sequence[Gradients]) -> list[Gradients]:
    """Return up to four moments of a training, evenly from the first to the last."""
    most = min(len(MOMENTS), len(recorded))
    places = [round(i * (len(recorded) - 1) / max(1, most - 1)) for i in range(most)]
    return [recorded[place] for place in dict.fromkeys(places)]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a confusion matrix.

    Attributes:
        count: How many test images of one class are predicted as another.
        fill: Its colour, the darker the more; none for what is correct, or where there is none.
    """

    count: int
    fill: str


def confusion(counts: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """Return the cells of a confusion matrix, correct class by row, predicted by column.

    Args:
        counts: Test images by correct and by predicted class.
    """
    wrong = [count for i, row in enumerate(counts) for j, count in enumerate(row) if i != j]
    most = max(wrong, default=0)

    def cell(i: int, j: int) -> Cell:
        count = int(counts[i][j])
        is_filled = i != j and count > 0
        return Cell(count, _shade(count / most) if is_filled else "")

    return [[cell(i, j) for j in range(len(row))] for i, row in enumerate(counts)]


def _shade(share: float) -> str:
    """Return a colour from pale to strong orange, on which dark text can be read."""
    ends = zip((251, 227, 200), (245, 147, 34), strict=True)
    return "#" + "".join(f"{round(low + share * (high - low)):02x}" for low, high in ends)


def _bar(title: str, rows: Sequence[Sequence[float | None]]) -> dict[str, Any]:
    values = [value for row in rows for value in row if value is not None] or [0.0]
    ticks = list(range(math.floor(min(values)), math.ceil(max(values)) + 1))
    return {
        "title": {"text": title},
        "tickvals": ticks,
        "ticktext": [significant(10.0**tick) for tick in ticks],
        "thickness": 10,
        "outlinewidth": 0,
    }
