"""A square that a visitor draws on: white ink on black, sent when the pen is lifted."""

import base64

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


def canvas(key: str, *, hint: str = "Draw a digit here") -> bytes | None:
    """Show the square and return what is drawn on it.

    Args:
        key: Identifies the drawing, which is kept while its key is the same, also when the visitor
            goes to another page and comes back. A new key is an empty square.
        hint: What is written on the square while it is empty.

    Returns:
        A PNG of 112 × 112 pixels, or `None` while nothing is drawn.
    """
    result = _mount(data={"key": key, "hint": hint}, key=key, on_picture_change=lambda: None)
    picture = result.get("picture")
    try:
        return base64.b64decode(picture) if picture else None
    except (TypeError, ValueError):  # whatever sent this is not the page's script
        return None
