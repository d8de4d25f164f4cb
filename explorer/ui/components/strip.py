"""A strip of small images, each with its class below it, and with what it is taken for."""

from collections.abc import Sequence
from functools import lru_cache

from explorer.data.png import data_uri
from explorer.data.samples import Samples
from explorer.language import author, say
from explorer.text import visible
from explorer.ui.components.component import component

_mount = component("strip", '<div class="strip" role="list"></div>', "fill")


def strip(samples: Samples, key: str, predicted: Sequence[str] = ()) -> None:
    """Show images with their classes.

    Args:
        samples: The images.
        key: Identifies the strip.
        predicted: What each is taken for, if that is to be shown.
    """
    _mount(
        data={
            "png": _address(samples.png),
            "classes": [visible(author(name)) for name in samples.classes],
            "predicted": [visible(author(name)) for name in predicted],
            "more": say("and {count:,} more", count=samples.more) if samples.more else "",
            "words": {
                "image": say("an image of the class {name}"),
                "wrong": say("{name}, taken for {predicted}"),
                "wrongImage": say("an image of the class {name}, taken for {predicted}"),
            },
        },
        key=key,
    )


_address = lru_cache(maxsize=50)(data_uri)
