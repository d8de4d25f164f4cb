"""How often each answer to a lesson's question was given, as bars."""

from collections.abc import Mapping

import plotly.graph_objects as go

from explorer.charts.bars import labelled_bars
from explorer.charts.style import as_text
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
    names = [as_text(cut(each, LONGEST)) for each in shown]
    return labelled_bars(
        list(shown.values()),
        [
            f"<b>{name} (yours)</b>" if each == own else name
            for each, name in zip(shown, names, strict=True)
        ],
        [f"{number:,}" for number in shown.values()],
        [each == own for each in shown],
        end=1.2 * max([1, *shown.values()]),
        row=ROW,
        revision="answers",
    )
