"""How often each answer to a lesson's question was given, as bars."""

from collections.abc import Mapping

import plotly.graph_objects as go

from explorer.charts.bars import labelled_bars
from explorer.charts.marks import cut_wide
from explorer.charts.style import as_text, told
from explorer.charts.words import several
from explorer.language import later, plural, say

ROW = 26  # pixels
MOST_BARS = 30
LONGEST = 40  # Latin letters of an answer beside its bar


def answers(counts: Mapping[str, int], own: str | None = None) -> go.Figure:
    """Draw a bar for each answer, in the order given, with its count at the end.

    Args:
        counts: How often each was given; of more than 30, the first are drawn.
        own: The answer of who looks, which is marked.
    """
    shown = dict(list(counts.items())[:MOST_BARS])
    names = [as_text(cut_wide(each, LONGEST)) for each in shown]
    names = [
        say("{name} (yours)", name=name) if each == own else name
        for each, name in zip(shown, names, strict=True)
    ]
    chart = labelled_bars(
        list(shown.values()),
        [
            f"<b>{name}</b>" if each == own else name
            for each, name in zip(shown, names, strict=True)
        ],
        [f"{number:,}" for number in shown.values()],
        [[name, f"{number:,}"] for name, number in zip(names, shown.values(), strict=True)],
        [each == own for each in shown],
        end=1.2 * max([1, *shown.values()]),
        row=ROW,
        revision="answers",
    )
    return told(chart, _says(counts, own), ["", say("answer"), say("how often it was given")])


def _says(counts: Mapping[str, int], own: str | None) -> str:
    if not counts:
        return say("Nobody has answered yet.")
    # Many answers are numbers, so they are in quotes.
    each = [
        say(_OWN if answer == own else _OTHER, count=count, answer=cut_wide(answer, LONGEST))
        for answer, count in counts.items()
    ]
    return plural(
        "Of {n:,} answer, {answers}.",
        "Of {n:,} answers, {answers}.",
        sum(counts.values()),
        answers=several(each),
    )


_OWN, _OTHER = later("{count:,} “{answer}” (yours)"), later("{count:,} “{answer}”")
