"""A square that a visitor draws on: white ink on black, sent when the pen is lifted."""

import base64
from collections.abc import Callable

import streamlit as st

from explorer.ui.components.component import component

_HTML = """
<div class="sheet">
  <canvas
    width="480" height="480" tabindex="0" role="img"
    aria-label="Drawing: Ctrl+Z takes back a stroke, Delete clears"
  ></canvas>
  <div class="hint"></div>
</div>
<div class="buttons">
  <button type="button" class="undo" aria-label="Undo the last stroke">Undo</button>
  <button type="button" class="clear" aria-label="Clear the drawing">Clear</button>
</div>
"""

_mount = component("canvas", _HTML)


def canvas(
    key: str,
    *,
    hint: str,
    drawing: bytes | None,
    version: int,
    on_picture: Callable[[bytes | None], None],
) -> None:
    """Show the square.

    Args:
        key: Identifies the square. What is drawn on it stays while the key is the same, also when
            the visitor goes to another page and comes back.
        hint: What is written on the square while it is empty.
        drawing: What is on it when it gets a new version, as a PNG; `None` is nothing.
        version: Says by a new number that `drawing` takes the place of what was drawn.
        on_picture: Called when something was drawn or taken back, with a PNG of 112 × 112 pixels,
            or with `None` if nothing is left.
    """

    def tell() -> None:
        sent = st.session_state[key].get("picture")
        # The browser may say once more what was drawn before an address took its place.
        if isinstance(sent, dict) and sent.get("version") == version:
            on_picture(_decoded(sent.get("content")))

    content = base64.b64encode(drawing).decode() if drawing else None
    _mount(
        data={"key": key, "hint": hint, "drawing": content, "version": version},
        key=key,
        on_picture_change=tell,
    )


def _decoded(content: object) -> bytes | None:
    try:
        return base64.b64decode(content) if isinstance(content, str) and content else None
    except ValueError:  # whatever sent this is not the page's script
        return None
