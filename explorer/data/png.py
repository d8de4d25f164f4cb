"""Arrays as PNG files, to be shown."""

import io

import numpy as np
from numpy.typing import NDArray

_MARK = (8, 119, 189, 150)  # of a mask: blue, and translucent


def png(pixels: NDArray[np.uint8] | NDArray[np.bool_]) -> bytes:
    """Return an array as a PNG.

    Args:
        pixels: `uint8`, grey `(H, W)` or colours `(H, W, 3)`; or a mask, `bool`, `(H, W)`, which
            becomes blue where it is true and transparent elsewhere.
    """
    from PIL import Image  # which takes long to load

    if pixels.dtype == np.bool_:
        colours = np.zeros((*pixels.shape, 4), np.uint8)
        colours[pixels] = _MARK
        pixels = colours
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
