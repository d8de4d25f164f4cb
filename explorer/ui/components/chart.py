"""A Plotly chart that is updated in place, so that a reader's zoom survives while a run is live."""

from collections.abc import Mapping
from typing import NamedTuple

import streamlit as st

from explorer.charts.browser import table_words
from explorer.charts.style import LIBRARY_ADDRESS, Figure, Plain, plain, to_json
from explorer.language import later, say
from explorer.ui.components.component import source

# What a reader of the screen hears, and the keys that lead to it.
_WORDS = {
    "chart": later("A chart."),
    "keys": later("Arrow keys read its points."),
    "picture": later("Picture"),
    "series": later("series"),
    "row": later("row"),
    "column": later("column"),
    "at": later("at"),
    "value": later("value"),
}

_mount = st.components.v2.component(
    "explorer_chart",
    html='<div class="explorer-chart"><div class="chart-drawn" role="group" tabindex="0"></div>'
    '<div class="chart-tools"><button type="button"></button><button type="button"></button></div>'
    "</div>",
    css=source("css", "table", "chart"),
    js=source("js", "region", "table", "chart").replace("plotly/plotly.min.js", LIBRARY_ADDRESS),
    isolate_styles=False,  # Plotly puts its styles into the page's head
)


class Drawn(NamedTuple):
    """A figure as it is sent to the page; it can be kept and sent again.

    Attributes:
        json: Its traces and its layout.
        height: In pixels.
    """

    json: str
    height: int


def drawn(figure: Figure | Plain) -> Drawn:
    """Return the figure as it is sent."""
    own = plain(figure)
    return Drawn(to_json(own), own["layout"]["height"])


def chart(figure: Figure | Plain | Drawn, key: str) -> None:
    """Draw `figure`, or update the chart of the same `key`.

    Text has the page's font and colour, so that it can be read on light and on dark. What the chart
    shows, in a sentence, is `says` in the `meta` of its layout; its data can be opened as a table.
    """
    sent = figure if isinstance(figure, Drawn) else drawn(figure)
    _mount(data={"figure": sent.json, "words": words()}, key=key, height=sent.height)


def words() -> Mapping[str, str]:
    """Return what the chart's own buttons say."""
    return {**table_words(), **{name: say(message) for name, message in _WORDS.items()}}
