"""A picture with what was taken of it as ink, in a frame that a visitor moves to correct that."""

from collections.abc import Callable
from typing import TypeGuard

import streamlit as st

from explorer.data.pictures import Crop, Prepared
from explorer.data.png import as_picture, data_uri, png
from explorer.language import say
from explorer.ui.components.component import component

_HTML = """
<div class="views">
  <div class="picture">
    <img class="original" alt="">
    <img class="ink" alt="">
    <div class="frame" tabindex="0" role="group"></div>
  </div>
  <div class="becomes">
    <span class="arrow" aria-hidden="true">→</span>
    <img class="result" alt="">
  </div>
</div>
<div class="buttons">
  <button type="button" class="reset"></button>
</div>
"""

_mount = component("crop", _HTML, "fill")


def crop(prepared: Prepared, chosen: Crop | None, key: str, on_crop: Callable[[], None]) -> None:
    """Show what was done with a picture.

    Args:
        prepared: The picture, its ink, and the image that was made of it.
        chosen: The frame that the visitor chose; `None` while there is none.
        key: Identifies it.
        on_crop: Called when a frame is chosen, or given up; `cropped(key)` then is it.
    """
    _mount(
        data={
            "original": data_uri(png(prepared.original)),
            "ink": data_uri(png(prepared.ink)),
            "result": data_uri(png(as_picture(prepared.image))),
            "box": list(chosen or prepared.box),
            "chosen": chosen is not None,
            "words": {
                "original": say("The picture as it was uploaded"),
                "result": say("The image that the network is given"),
                "reset": say("Find the ink again"),
                "frame": say(
                    "Frame of the digit: from {left} to {right} across, {top} to {bottom} down. "
                    "Arrow keys move it, with Shift its lower right corner."
                ),
            },
        },
        key=key,
        on_crop_change=on_crop,
    )


def cropped(key: str) -> Crop | None:
    """Return the frame that the visitor chose last; `None` if they gave it up."""
    found = (st.session_state.get(key) or {}).get("crop")
    return (found[0], found[1], found[2], found[3]) if _is_frame(found) else None


def _is_frame(found: object) -> TypeGuard[list[float]]:
    """Return whether this is a frame, whatever the browser sent."""
    if not isinstance(found, list) or len(found) != 4:
        return False
    if not all(isinstance(share, int | float) and 0 <= share <= 1 for share in found):
        return False
    left, top, right, bottom = found
    return bool(left < right and top < bottom)
