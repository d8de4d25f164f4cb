"""Patching: the answer before and after, and how much of the donor's comes with each part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from explorer.charts.style import GRID, SIGNED, as_text, figure, names_axis, told, translucent
from explorer.charts.words import several, valued
from explorer.language import author, say
from explorer.text import percent

ROW, PART = 24, 20  # pixels of a class, and of a part
LEAST = 0.005  # probability that is drawn
MOST_CLASSES = 12
MOST_SAID = 3  # parts in a sentence
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
    label, share = "<b>%{customdata[0]}</b>", "%{customdata[1]}"
    names = [as_text(author(classes[place])) for place in shown]

    def rows_of(values: NDArray[np.float32]) -> list[list[str]]:
        shares = map(percent, values[shown].tolist())
        return [list(row) for row in zip(names, shares, strict=True)]

    chart.add_bar(
        x=[value if value >= LEAST else None for value in before[shown].tolist()],
        y=rows,
        orientation="h",
        name=say("this image, before"),
        marker={"color": "rgba(0, 0, 0, 0)", "line": {"color": _GREY, "width": 1.5}},
        customdata=rows_of(before),
        hovertemplate=say("{label}: {share} before", label=label, share=share) + "<extra></extra>",
        width=0.82,
    )
    chart.add_bar(
        x=patched[shown].tolist(),
        y=rows,
        orientation="h",
        name=say("with the patch"),
        marker={"color": _BLUE},
        customdata=rows_of(patched),
        hovertemplate=say("{label}: {share} with the patch", label=label, share=share)
        + "<extra></extra>",
        width=0.5,
    )
    chart.add_scatter(
        x=[value if value >= LEAST else None for value in donor[shown].tolist()],
        y=rows,
        mode="markers",
        orientation="h",
        name=say("the donor"),
        marker={"symbol": "diamond", "size": 10, "color": _ORANGE, "line": {"width": 1}},
        customdata=rows_of(donor),
        hovertemplate=say("{label}: {share} for the donor", label=label, share=share)
        + "<extra></extra>",
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
    tops = [_top(values, classes) for values in (patched, before, donor)]
    says = say(
        "With the patch: {patched}; before: {before}; the donor: {donor}.",
        patched=tops[0],
        before=tops[1],
        donor=tops[2],
    )
    return told(chart, says, [say("run"), say("class"), say("probability")])


def _top(values: NDArray[np.float32], classes: Sequence[str]) -> str:
    """Say which class is the most probable."""
    top = int(values.argmax())
    return say(
        "{label} with {share}", label=author(classes[top]), share=percent(float(values[top]))
    )


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
        text=list(map(_percent, shares)),
        textposition="outside",
        cliponaxis=False,
        customdata=[[as_text(each.part), _percent(each.share)] for each in found],
        hovertemplate=say(
            "{part} of the donor: {share} of the way to its answer",
            part="<b>%{customdata[0]}</b>",
            share="%{customdata[1]}",
        )
        + "<extra></extra>",
    )
    low, high = min(0.0, *shares), max(1.0, *shares)
    for end in (0, 1):
        chart.add_vline(end, line={"color": _GREY, "width": 1, "dash": "dot" if end else "solid"})
    room = 0.16 * (high - low)
    chart.update_xaxes(
        range=[low - room if low < 0 else 0, high + room],
        tickvals=[0, 0.5, 1],
        ticktext=[say("0: this image's"), "½", say("1: the donor's")],
        gridcolor=GRID,
        zeroline=False,
        side="top",
        fixedrange=True,
    )
    names = [_label(each, chosen) for each in found]
    chart.update_yaxes(names_axis(names), showgrid=False, zeroline=False)
    chart.update_layout(bargap=0.3, dragmode=False, margin={"t": 26, "b": 6, "r": 44})
    columns = ["", say("part"), say("share of the way to the donor's answer")]
    return told(chart, _ways(found, chosen), columns)


def _ways(found: Sequence[Carried], chosen: str) -> str:
    """Say how much of the answer comes with the chosen part, and with which parts most of it."""
    order = sorted(found, key=lambda each: -each.share)
    own = [each for each in found if each.part == chosen]
    others = [valued(each.part, _percent(each.share)) for each in order if each.part != chosen]
    if not others or not own:
        parts = others or [valued(each.part, _percent(each.share)) for each in own]
        return say(
            "Share of the way to the donor's answer: {parts}.", parts=several(parts, MOST_SAID)
        )
    return say(
        "Share of the way to the donor's answer: {part}, which is chosen, {share}; the largest of "
        "the others: {parts}.",
        part=own[0].part,
        share=_percent(own[0].share),
        parts=several(others, MOST_SAID),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %".replace("-0 ", "0 ").replace("-", "−")


def _colour(each: Carried) -> str:
    if not each.hue:
        return "rgba(128, 128, 128, 0.6)"
    return translucent(each.hue, 0.45) if each.is_within else each.hue


def _label(each: Carried, chosen: str) -> str:
    name = as_text(each.part)
    return f"<b>{name}</b>" if each.part == chosen else name
