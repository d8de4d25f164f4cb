"""Arrays as PNG files, to be shown."""

import base64
import io

import numpy as np
from numpy.typing import NDArray

_MARK = (8, 119, 189, 150)  # of a mask: blue, and translucent


def png(
    pixels: NDArray[np.uint8] | NDArray[np.bool_], palette: NDArray[np.uint8] | None = None
) -> bytes:
    """Return an array as a PNG.

    Args:
        pixels: `uint8`, grey `(H, W)` or colours `(H, W, 3)`; or a mask, `bool`, `(H, W)`, which
            becomes blue where it is true and transparent elsewhere.
        palette: `(colours, 3)`, of which `pixels`, `(H, W)`, are the numbers; grey without one.
    """
    from PIL import Image  # which takes long to load

    if pixels.dtype == np.bool_:
        colours = np.zeros((*pixels.shape, 4), np.uint8)
        colours[pixels] = _MARK
        pixels = colours
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if palette is not None:
        picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def as_picture(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image of a data set, `(C, H, W)`, as a picture: `(H, W)`, or `(H, W, 3)`."""
    return pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)


def data_uri(content: bytes) -> str:
    """Return a PNG as an address that has all of it."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
