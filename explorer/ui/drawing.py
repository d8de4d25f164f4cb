"""An SVG drawing whose named parts can be opened by a click or the Enter key."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "explorer_drawing",
    html='<div class="drawing"></div>',
    css=(_HERE / "drawing.css").read_text(encoding="utf-8"),
    js=(_HERE / "drawing.js").read_text(encoding="utf-8"),
)


def drawing(svg: str, key: str, on_open: Callable[[], None]) -> None:
    """Show `svg`; whatever has a `data-name` in it can be opened.

    The name is in `st.session_state[key].open` when `on_open` is called.
    """
    _mount(data=svg, key=key, on_open_change=on_open)
