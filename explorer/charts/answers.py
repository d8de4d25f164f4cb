"""How often each answer to a lesson's question was given, as bars."""

from collections.abc import Mapping

import plotly.graph_objects as go

from explorer.charts.bars import POSITIVE
from explorer.charts.style import as_text, figure
from explorer.text import cut

ROW = 26  # pixels
MOST_BARS = 30
LONGEST = 40  # characters of an answer beside its bar


def answers(counts: Mapping[str, int], own: str | None = None) -> go.Figure:
    """Draw a bar for each answer, in the order given, with its count at the end.

    Args:
        counts: How often each was given; of more than 30, the first are drawn.
        own: The answer of who looks, which is marked.
    """
    shown = dict(list(counts.items())[:MOST_BARS])
    chart = figure(ROW * max(1, len(shown)) + 8, "answers")
    colours = [POSITIVE if each == own else "rgba(128, 128, 128, 0.6)" for each in shown]
    places = list(range(len(shown)))
    chart.add_bar(
        x=list(shown.values()),
        y=places,
        orientation="h",
        marker={"color": colours},
        text=[f"{number:,}" for number in shown.values()],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    names = [as_text(cut(each, LONGEST)) for each in shown]
    ticks = [
        f"<b>{name} (yours)</b>" if each == own else name
        for each, name in zip(shown, names, strict=True)
    ]
    most = max([1, *shown.values()])
    chart.update_xaxes(range=[0, 1.2 * most], visible=False, fixedrange=True)
    chart.update_yaxes(
        range=[len(shown) - 0.5, -0.5],
        tickvals=places,
        ticktext=ticks,
        fixedrange=True,
        automargin=True,
        ticklabelstandoff=6,
    )
    chart.update_layout(bargap=0.25, dragmode=False)
    return chart
