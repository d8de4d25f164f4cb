"""An SVG drawing whose named parts can be opened by a click or the Enter key."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "explorer_drawing",
    html='<div class="frame-of-it"><div class="drawing"></div></div>',
    css=(_HERE / "drawing.css").read_text(encoding="utf-8"),
    js=(_HERE / "drawing.js").read_text(encoding="utf-8"),
)


def drawing(svg: str, file: str, key: str, on_open: Callable[[], None]) -> None:
    """Show `svg`, which is saved as `file`; whatever has a `data-name` in it can be opened.

    The name is in `st.session_state[key].open` when `on_open` is called.
    """
    _mount(data={"svg": svg, "file": file}, key=key, on_open_change=on_open)
