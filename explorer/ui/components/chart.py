"""A Plotly chart that is updated in place, so that a reader's zoom survives while a run is live."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from explorer.charts.style import LIBRARY_ADDRESS, Figure, Plain, plain, to_json

_SCRIPT = Path(__file__).with_name("chart.js").read_text(encoding="utf-8")

_mount = st.components.v2.component(
    "explorer_chart",
    html='<div class="explorer-chart" style="width: 100%"></div>',
    js=_SCRIPT.replace("plotly/plotly.min.js", LIBRARY_ADDRESS),
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

    Text has the page's font and colour, so that it can be read on light and on dark.
    """
    sent = figure if isinstance(figure, Drawn) else drawn(figure)
    _mount(data=sent.json, key=key, height=sent.height)
