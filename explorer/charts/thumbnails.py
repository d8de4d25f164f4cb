"""Thumbnails of feature maps: PNG pictures within a drawing, a few hundred bytes each."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from explorer.charts.style import POSITIVE, SIGNED
from explorer.data.png import as_picture, data_uri, png

IMAGE = ""  # the name of what goes in, among those of the parts
LARGEST = 40  # pixels a side; of larger maps, every second, third … pixel is taken
LEVELS = 64  # colours along a ramp


def thumbnails(image: NDArray[np.uint8], maps: Mapping[str, NDArray[np.float32]]) -> dict[str, str]:
    """Return a picture of each output that has maps, and of the image, by name, as data URIs.

    Args:
        image: What went in, `(C, H, W)`.
        maps: The recorded output of each part by name; of those that are `(C, H, W)`, the channel
            with the most contrast is shown.
    """
    found = {
        name: map_png(strongest(values))
        for name, values in maps.items()
        if values.ndim == 3 and values.shape[1] * values.shape[2] > 1
    }
    pixels = image if len(image) in (1, 3) else image[:1]
    return {IMAGE: _picture(as_picture(pixels)), **found}


def strongest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the channel `(H, W)` of maps `(C, H, W)` whose values vary most from pixel to pixel.

    The largest one would often be a constant, which a bias alone gives.
    """
    clean = np.nan_to_num(values, posinf=0, neginf=0)
    channel: NDArray[np.float32] = clean[int(clean.reshape(len(clean), -1).std(axis=1).argmax())]
    return channel


def map_png(values: NDArray[np.float32]) -> str:
    """Return a map `(H, W)` in the colours of feature maps: white to blue, orange below zero."""
    signed = bool((values < 0).any())
    end = float(np.abs(values).max()) or 1.0
    shares = (values / end + 1) / 2 if signed else values / end
    codes = np.rint(shares * (LEVELS - 1)).astype(np.uint8)
    return _picture(codes, palette(SIGNED if signed else POSITIVE))


@cache
def palette(ramp: tuple[tuple[float, str], ...]) -> NDArray[np.uint8]:
    """Return `LEVELS` colours along a ramp, `(LEVELS, 3)`."""
    places = np.linspace(0, 1, LEVELS)
    stops = [place for place, _ in ramp]
    colours = np.array([list(bytes.fromhex(colour[1:])) for _, colour in ramp])
    channels = [np.interp(places, stops, colours[:, channel]) for channel in range(3)]
    found: NDArray[np.uint8] = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return found


def _picture(pixels: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None) -> str:
    """Return pixels `(H, W)`, grey or of a palette, or `(H, W, 3)` as a small PNG."""
    step = -(-max(pixels.shape[:2]) // LARGEST)
    return data_uri(png(pixels[::step, ::step], palette))
