"""Grids: gradient norms by layer and step, and the confusion matrix."""

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from explorer.charts.style import as_text, figure
from explorer.training.events import Gradients

# One ramp from dark to light that reads the same on a white and on a dark page.
_RAMP = "Viridis"
LEAST = 1e-8  # a smaller norm is drawn as no gradient at all


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
        colorbar=_bar("norm", rows),
        customdata=norms,
        hovertemplate="<b>%{y}</b>, epoch %{x:.2f}: %{customdata:.3g}<extra></extra>",
        hoverongaps=False,
    )
    chart.update_xaxes(title={"text": "epoch", "standoff": 4}, showgrid=False, zeroline=False)
    chart.update_yaxes(autorange="reversed", automargin=True, showgrid=False, type="category")
    chart.update_layout(margin={"l": 4, "t": 4, "b": 40, "r": 0})
    return chart


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> go.Figure:
    """Draw the confusion matrix, correct class by row, predicted by column; the diagonal is blank.

    Args:
        counts: Test images by correct and by predicted class.
        classes: Their names.
    """
    wrong = [
        [None if i == j or not count else count for j, count in enumerate(row)]
        for i, row in enumerate(counts)
    ]
    chart = figure(30 * len(classes) + 70, "confusion")
    chart.add_heatmap(
        z=wrong,
        x=list(map(as_text, classes)),
        y=list(map(as_text, classes)),
        colorscale=[[0, "#fbe3c8"], [1, "#c2570c"]],
        showscale=False,
        texttemplate="%{z}",
        xgap=1,
        ygap=1,
        hoverongaps=False,
        hovertemplate="%{z} times <b>%{y}</b>, predicted as <b>%{x}</b><extra></extra>",
    )
    axis: Any = {"type": "category", "showgrid": False, "fixedrange": True}
    chart.update_xaxes(title={"text": "predicted", "standoff": 4}, side="bottom", **axis)
    chart.update_yaxes(title={"text": "correct"}, autorange="reversed", automargin=True, **axis)
    chart.update_layout(margin={"l": 4, "t": 4, "b": 44, "r": 0}, dragmode=False)
    return chart


def _bar(title: str, rows: Sequence[Sequence[float | None]]) -> dict[str, Any]:
    values = [value for row in rows for value in row if value is not None] or [0.0]
    ticks = list(range(math.floor(min(values)), math.ceil(max(values)) + 1))
    return {
        "title": {"text": title},
        "tickvals": ticks,
        "ticktext": [f"{10.0**tick:g}" for tick in ticks],
        "thickness": 10,
        "outlinewidth": 0,
    }
