"""A strip of small images, each with its class below it."""

import base64
from functools import lru_cache

from explorer.data.samples import Samples
from explorer.text import visible
from explorer.ui.components.component import component

_mount = component("strip", '<div class="strip" role="list"></div>')


def strip(samples: Samples, key: str) -> None:
    """Show one image of each class.

    Args:
        samples: The images.
        key: Identifies the strip.
    """
    _mount(
        data={
            "png": _address(samples.png),
            "classes": [visible(name) for name in samples.classes],
            "more": samples.more,
        },
        key=key,
    )


@lru_cache(maxsize=50)
def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
