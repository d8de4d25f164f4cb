"""Images of a network's size, as short texts for addresses: what became of an uploaded picture."""

import base64
import binascii
import zlib

import numpy as np
from numpy.typing import NDArray

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.spec import ImageSpec

VERSION = "1"  # the first character of every text
MOST_CHARACTERS = 4_500  # of a text; noise of 3 × 32 × 32 bytes takes about 4,120


class PixelsError(ExplorerError, ValueError):
    """A text is no image of the size that is wanted."""


def pack_pixels(pixels: NDArray[np.uint8]) -> str | None:
    """Pack an image, `(C, H, W)`, into a text of letters, digits, `-` and `_`.

    Returns:
        The text; `None` if it would be too long for an address.
    """
    packed = base64.urlsafe_b64encode(zlib.compress(pixels.tobytes(), 9)).decode().rstrip("=")
    return VERSION + packed if len(packed) < MOST_CHARACTERS else None


def unpack_pixels(text: str, images: ImageSpec) -> NDArray[np.uint8]:
    """Return the image, `(C, H, W)`, of a text that `pack_pixels` made.

    Raises:
        PixelsError: It is no such text, or of an image of another size.
    """
    if len(text) > MOST_CHARACTERS or text[:1] != VERSION:
        raise _damaged()
    shape = (images.channels, images.size, images.size)
    size = images.channels * images.size**2
    unpacker = zlib.decompressobj()
    try:
        packed = base64.b64decode(text[1:] + "=" * (-(len(text) - 1) % 4), b"-_", validate=True)
        found = unpacker.decompress(packed, size + 1)  # a small text may become gigabytes
    except (ValueError, binascii.Error, zlib.error) as error:
        raise _damaged() from error
    if len(found) != size or not unpacker.eof or unpacker.unused_data:
        raise _damaged()
    return np.frombuffer(found, np.uint8).reshape(shape)


def _damaged() -> PixelsError:
    return PixelsError(
        say("This picture is cut off, changed, or of another size; copy the whole link again.")
    )
