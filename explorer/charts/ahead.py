"""The feature maps of a page without a server: rounded, shared where they are equal, compressed."""

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.charts.lanes import MOST_TILES, Maps, View, lanes
from explorer.charts.stages import Stage
from explorer.inspection.precompute import Precomputed, Shown
from explorer.inspection.recording import as_maps

EXACT = 4  # values of a map, up to which they are kept as half-precision floats
LARGEST = 65504  # half-precision float
BASE64 = 4 / 3  # characters of a byte


@dataclass(frozen=True, slots=True)
class MissingViews:
    """How many views are not in a page.

    Attributes:
        left_out: Those that are not.
        all: All that there are: one for each image, part, and thing that is switched off.
    """

    left_out: int
    all: int


@dataclass(frozen=True, slots=True)
class Payloads:
    """What each image is drawn from.

    Attributes:
        texts: One for each image, as `packed` returns it: `pixels`, `height` and `width` of the
            image; `views`, as `explorer.charts.lanes.lanes` makes them, whose mosaics have the
            place and the kind of their values in the bytes; and `index`, which has a view's number
            by the name of the part, for each thing that is switched off.
        views: How many views there are in all.
        missing: How many there are not.
    """

    texts: tuple[str, ...]
    views: int
    missing: MissingViews


def payloads(found: Precomputed, opened: Mapping[str, Stage], room: float) -> Payloads:
    """Return what the images are drawn from, as much as there is room for.

    Views of the intact network come first, and then those with one thing off after the other.

    Args:
        found: The maps.
        opened: The blocks and stages that can be opened, by name.
        room: In bytes; a view goes in while those before it leave some.
    """
    images = [_Payload(shown, len(found.scores)) for shown in found.images]
    views = wanted = 0
    for place, state in enumerate(found.scores):
        for image in images:
            for name, stage in opened.items():
                wanted += 1
                maps = image.shown.passes[state].maps
                if maps and room > 0:
                    cost = image.add(place, name, View(stage, maps, found.fields, state))
                    views += cost is not None
                    room -= cost or 0
    texts = tuple(image.packed() for image in images)
    return Payloads(texts, views, MissingViews(wanted - views, wanted))


def packed(document: Any, content: bytes = b"") -> str:
    """Pack a document and bytes into base64: deflated, the JSON's length, the JSON, the bytes."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    deflate = zlib.compressobj(9, wbits=-15)
    whole = struct.pack("<I", len(text)) + text + content
    return base64.b64encode(deflate.compress(whole) + deflate.flush()).decode()


@dataclass
class _Payload:
    """What one image is drawn from, while it grows."""

    shown: Shown
    states: int
    views: dict[str, int] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)
    places: dict[bytes, int] = field(default_factory=dict)
    index: list[dict[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.index = [{} for _ in range(self.states)]

    def add(self, state: int, name: str, view: View) -> float | None:
        """Add a view.

        Returns:
            About how many bytes the page grows by; `None` if the image did not pass all of it.
        """
        before = len(self.content)
        try:
            drawn = lanes(view, self.shown.pixels, "layer")
        except KeyError:  # a network may choose its way by what it sees
            return None
        del drawn["image"]
        for mosaic in _mosaics(drawn):
            mosaic["values"] = self.keep(view.maps, mosaic["name"])
        text = json.dumps(drawn, ensure_ascii=False, separators=(",", ":"))
        cost = float(len(zlib.compress(self.content[before:], 1))) if text else 0.0
        if text not in self.views:
            cost += len(zlib.compress(text.encode(), 1)) / 2  # the next is much like the last
        self.index[state][name] = self.views.setdefault(text, len(self.views))
        return cost * BASE64

    def keep(self, maps: Maps, name: str) -> list[Any]:
        """Keep the values of a mosaic once; return their place and their kind."""
        kind, content = rounded(as_maps(maps[name])[:MOST_TILES])
        if content not in self.places:
            self.places[content] = len(self.content)
            self.content += content
        return [self.places[content], kind]

    def packed(self) -> str:
        pixels = self.shown.pixels
        document = {
            "pixels": _rgb(pixels),
            "height": pixels.shape[1],
            "width": pixels.shape[2],
            "views": [json.loads(text) for text in self.views],
            "index": self.index,
        }
        return packed(document, bytes(self.content))


def rounded(values: NDArray[np.float32]) -> tuple[str, bytes]:
    """Round maps `(C, H, W)` to 8 bits, each on a scale of its own, on which 0 is exact.

    Returns:
        The kind and the bytes: `byte` and `signed` have the size of one step of each map,
        `float32`, and then all values in steps, `uint8` or `int8`; `half` has half-precision
        floats, for maps of few pixels and for what is infinite or not a number.
    """
    values = values.clip(-LARGEST, LARGEST)
    if values.shape[1] * values.shape[2] <= EXACT or not np.isfinite(values).all():
        return "half", values.astype("<f2").tobytes()
    signed = bool((values < 0).any())
    most = np.abs(values).max(axis=(1, 2))
    steps = np.where(most > 0, most / (127 if signed else 255), 1).astype("<f4")
    codes = np.rint(values / steps[:, None, None]).clip(-127, 255)
    return (
        "signed" if signed else "byte",
        steps.tobytes() + codes.astype(np.int8 if signed else np.uint8).tobytes(),
    )


def _mosaics(view: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for lane in view["lanes"]:
        yield from lane["stages"]
    if merge := view["merge"]:
        yield from merge["terms"]
        yield merge["total"]


def _rgb(image: NDArray[np.uint8]) -> str:
    rgb = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0)
    return base64.b64encode(np.ascontiguousarray(rgb).tobytes()).decode()
