"""A square that a visitor draws on: white ink on black, sent when the pen is lifted."""

import base64
from collections.abc import Callable

import streamlit as st

from explorer.language import say
from explorer.ui.components.component import component

_HTML = """
<div class="sheet">
  <canvas width="480" height="480" tabindex="0" role="application"></canvas>
  <i class="pen" hidden></i>
  <div class="hint"></div>
</div>
<div class="buttons">
  <button type="button" class="undo"></button>
  <button type="button" class="clear"></button>
</div>
"""

_mount = component("canvas", _HTML, "region")


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
        sent = (st.session_state.get(key) or {}).get("picture")
        # The browser may say once more what was drawn before an address took its place.
        if isinstance(sent, dict) and sent.get("version") == version:
            on_picture(_decoded(sent.get("content")))

    content = base64.b64encode(drawing).decode() if drawing else None
    words = {
        "sheet": say(
            "Drawing: arrow keys move the pen, Space puts it down or lifts it, Ctrl+Z takes back a "
            "stroke, Delete clears"
        ),
        "down": say("The pen is down."),
        "up": say("The pen is up."),
        "hint": hint,
        "undo": say("Undo"),
        "undoLast": say("Undo the last stroke"),
        "clear": say("Clear"),
        "clearAll": say("Clear the drawing"),
    }
    _mount(
        data={"key": key, "drawing": content, "version": version, "words": words},
        key=key,
        on_picture_change=tell,
    )


def _decoded(content: object) -> bytes | None:
    try:
        return base64.b64decode(content) if isinstance(content, str) and content else None
    except ValueError:  # whatever sent this is not the page's script
        return None
