"""A Plotly chart that is updated in place, and so keeps its reader's zoom while a run is live."""

from pathlib import Path

import streamlit as st

from explorer.charts.style import Figure

_mount = st.components.v2.component(
    "explorer_chart",
    html='<div class="explorer-chart" style="width: 100%"></div>',
    js=Path(__file__).with_name("chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # Plotly puts its styles into the page's head
)


def chart(figure: Figure, key: str) -> None:
    """Draw `figure`, or bring the chart of the same `key` up to date.

    Text takes the page's own font and colour, so that it can be read on light and on dark.
    """
    _mount(data=figure.to_json(), key=key, height=figure.layout.height)
