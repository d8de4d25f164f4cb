"""Patching: the answer before and after, and how much of the donor's comes with each part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from explorer.charts.style import GRID, SIGNED, as_text, figure, names_axis, translucent

ROW, PART = 24, 20  # pixels of a class, and of a part
LEAST = 0.005  # probability that is drawn
MOST_CLASSES = 12
_BLUE, _ORANGE = SIGNED[2][1], SIGNED[0][1]
_GREY = "rgba(128, 128, 128, 0.9)"


@dataclass(frozen=True, slots=True)
class Carried:
    """How much of the donor's answer comes with one part.

    Attributes:
        part: Its name.
        depth: How many blocks and branches it is nested in.
        hue: Its colour; empty for what is in no branch.
        is_within: It is a part of the branch that has this colour, and not the branch.
        share: 0: nothing of it, the answer is that of the image; 1: all of it.
    """

    part: str
    depth: int
    hue: str
    is_within: bool
    share: float


def answers(
    before: NDArray[np.float32],
    patched: NDArray[np.float32],
    donor: NDArray[np.float32],
    classes: Sequence[str],
) -> go.Figure:
    """Draw the probability of each class with the patch, and of both runs without it.

    Args:
        before: Of the image's own run, `(num_classes,)`.
        patched: With the patch, likewise.
        donor: Of the donor's run, likewise.
        classes: Their names; of many, those that are the most likely in one of the runs are drawn.
    """
    top = np.maximum.reduce([before, patched, donor])
    shown = sorted(np.argsort(-top, kind="stable")[:MOST_CLASSES].tolist())
    rows = list(range(len(shown)))
    chart = figure(ROW * max(1, len(rows)) + 64, "patched answers")
    hover = "<b>%{customdata}</b>: %{x:.1%}"
    names = [as_text(classes[place]) for place in shown]
    chart.add_bar(
        x=[value if value >= LEAST else None for value in before[shown].tolist()],
        y=rows,
        orientation="h",
        name="this image, before",
        marker={"color": "rgba(0, 0, 0, 0)", "line": {"color": _GREY, "width": 1.5}},
        customdata=names,
        hovertemplate=f"{hover} before<extra></extra>",
        width=0.82,
    )
    chart.add_bar(
        x=patched[shown].tolist(),
        y=rows,
        orientation="h",
        name="with the patch",
        marker={"color": _BLUE},
        customdata=names,
        hovertemplate=f"{hover} with the patch<extra></extra>",
        width=0.5,
    )
    chart.add_scatter(
        x=[value if value >= LEAST else None for value in donor[shown].tolist()],
        y=rows,
        mode="markers",
        name="the donor",
        marker={"symbol": "diamond", "size": 10, "color": _ORANGE, "line": {"width": 1}},
        customdata=names,
        hovertemplate=f"{hover} for the donor<extra></extra>",
        cliponaxis=False,
    )
    chart.update_xaxes(
        range=[0, 1.02],
        tickformat=".0%",
        gridcolor=GRID,
        zerolinecolor=GRID,
        fixedrange=True,
    )
    chart.update_yaxes(names_axis(names), showgrid=False, zeroline=False)
    chart.update_layout(
        barmode="overlay",
        dragmode=False,
        showlegend=True,
        legend={"orientation": "h", "y": 1, "x": 0, "yanchor": "bottom"},
        margin={"t": 34, "b": 24, "r": 14},
    )
    return chart


def carried(found: Sequence[Carried], chosen: str) -> go.Figure:
    """Draw how much of the donor's answer comes with each part, in running order.

    Args:
        found: One for each part; at least one.
        chosen: The name of the part that is patched now, which is marked.
    """
    rows = list(range(len(found)))
    shares = [each.share for each in found]
    chart = figure(PART * len(rows) + 32, "carried")
    chart.add_bar(
        x=shares,
        y=rows,
        orientation="h",
        marker={
            "color": [_colour(each) for each in found],
            "line": {
                "color": [_BLUE if each.part == chosen else "rgba(0, 0, 0, 0)" for each in found],
                "width": 2,
            },
        },
        text=[f"{100 * share:.0f} %".replace("-", "−") for share in shares],
        textposition="outside",
        cliponaxis=False,
        customdata=[as_text(each.part) for each in found],
        hovertemplate="<b>%{customdata}</b> of the donor: %{text} of the way to its answer"
        "<extra></extra>",
    )
    low, high = min(0.0, *shares), max(1.0, *shares)
    for end in (0, 1):
        chart.add_vline(end, line={"color": _GREY, "width": 1, "dash": "dot" if end else "solid"})
    room = 0.16 * (high - low)
    chart.update_xaxes(
        range=[low - room if low < 0 else 0, high + room],
        tickvals=[0, 0.5, 1],
        ticktext=["0: this image's", "½", "1: the donor's"],
        gridcolor=GRID,
        zeroline=False,
        side="top",
        fixedrange=True,
    )
    names = [_label(each, chosen) for each in found]
    chart.update_yaxes(names_axis(names), showgrid=False, zeroline=False)
    chart.update_layout(bargap=0.3, dragmode=False, margin={"t": 26, "b": 6, "r": 44})
    return chart


def _colour(each: Carried) -> str:
    if not each.hue:
        return "rgba(128, 128, 128, 0.6)"
    return translucent(each.hue, 0.45) if each.is_within else each.hue


def _label(each: Carried, chosen: str) -> str:
    name = as_text(each.part)
    return f"<b>{name}</b>" if each.part == chosen else name
