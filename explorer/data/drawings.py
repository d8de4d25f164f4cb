"""Drawings as short texts, for addresses: `?drawing=1…` shows next month what was drawn today.

What is kept is a drawing's *ink*: 112 × 112 pixels that are on or off. A page that offers links
shows the network the ink, `read_ink`, and never the finer picture that it was made of; so
`unpack_ink(pack_ink(ink))`, which is exactly `ink`, is what the network saw when the link was
copied.

Each pixel is coded with the probability that its neighbours above and to the left give it, which is
learned from the pixels before it: an adaptive binary range coder (Martin, Range encoding, 1979;
JBIG's template of neighbours, ITU-T T.82). A text of any content is decoded to 12,544 pixels in
equal time, and no text is larger when it is unpacked.
"""

import base64
import binascii
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from explorer.errors import ExplorerError
from explorer.language import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 112  # pixels, as many as the page's square sends
VERSION = "1"  # the first character of every text
MOST_CHARACTERS = 3_500  # of a text; noise in each pixel takes about 2,300
MOST_SIDE = 280  # pixels of a picture that is read

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
# Where a pixel's neighbours are, as (rows up, columns right); all of them come before it.
_NEIGHBOURS = ((0, -1), (0, -2), (1, -1), (1, 0), (1, 1), (1, 2), (2, -1), (2, 0), (2, 1), (3, 0))
_MARGIN = 2  # columns beside the drawing, and rows above it, that are never inked
_RANGE, _LEAST = 1 << 32, 1 << 24  # of the coder's interval
_ONE = 1 << 16  # the probability 1


class DrawingError(ExplorerError, ValueError):
    """A text or a picture is no drawing; the message says what would be right."""


def read_ink(content: bytes) -> "NDArray[np.bool_]":
    """Read the ink of what was drawn, white on black.

    Args:
        content: A PNG of at most 280 × 280 pixels.

    Returns:
        Whether each pixel is inked, `(112, 112)`.

    Raises:
        DrawingError: It is no such picture.
    """
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if max(picture.size) > MOST_SIDE:
                raise DrawingError(
                    say(
                        "A drawing has at most {most} × {most} pixels; draw it on the page.",
                        most=MOST_SIDE,
                    )
                )
            grey = picture.convert("L")
    except DrawingError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise DrawingError(say("This is not a PNG; draw on the page.")) from error
    if grey.size != (SIDE, SIDE):
        grey = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
    ink: NDArray[np.bool_] = np.asarray(grey) >= 128
    return ink


def ink_to_png(ink: "NDArray[np.bool_]") -> bytes:
    """Write ink as a PNG of 112 × 112 pixels, white on black, as the page's square sends it."""
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.where(ink, 255, 0).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def pack_ink(ink: "NDArray[np.bool_]") -> str:
    """Pack ink into a text of letters, digits, `-` and `_`: of a usual digit, 100 to 200 of them.

    Args:
        ink: Whether each pixel is inked, `(112, 112)`.

    Raises:
        DrawingError: It has another shape.
    """
    if ink.shape != (SIDE, SIDE):
        raise DrawingError(
            say("A drawing has {side} × {side} pixels, not {shape}.", side=SIDE, shape=ink.shape)
        )
    pixels = iter(ink.ravel().tolist())
    low, width, shifts = 0, _RANGE, 0

    def encode(share: int) -> bool:
        nonlocal low, width, shifts
        bound = (width >> 16) * share
        pixel = bool(next(pixels))
        if pixel:
            low, width = low + bound, width - bound
        else:
            width = bound
        while width < _LEAST:
            low, width, shifts = low << 8, width << 8, shifts + 1
        return pixel

    _walk(encode)
    # Any number within the interval says the same; that with the most zeros at its end is short.
    kept = max(bits for bits in range(33) if (low + width - 1) >> bits << bits >= low)
    number = (low + width - 1) >> kept << kept
    code = number.to_bytes(shifts + 5, "big")[1:].rstrip(b"\0")
    return VERSION + base64.urlsafe_b64encode(code).decode().rstrip("=")


def unpack_ink(text: str) -> "NDArray[np.bool_]":
    """Return the ink of a text that `pack_ink` made.

    Returns:
        Whether each pixel is inked, `(112, 112)`.

    Raises:
        DrawingError: It is not such a text: too long, of another version, cut off or changed.
    """
    import numpy as np

    if len(text) > MOST_CHARACTERS:
        raise DrawingError(
            say(
                "This drawing has more than {most:,} characters; copy the whole link again.",
                most=MOST_CHARACTERS,
            )
        )
    if text[:1] != VERSION:
        raise DrawingError(
            say("This drawing was made by another version of the explorer; draw it again.")
        )
    code = _bytes(text[1:])
    following = iter(code)
    value, width = int.from_bytes(next(following, 0) for _ in range(4)), _RANGE
    pixels = bytearray()

    def decode(share: int) -> bool:
        nonlocal value, width
        bound = (width >> 16) * share
        pixel = value >= bound
        if pixel:
            value, width = value - bound, width - bound
        else:
            width = bound
        while width < _LEAST:
            value, width = value << 8 | next(following, 0), width << 8
        pixels.append(pixel)
        return pixel

    _walk(decode)
    ink = np.frombuffer(bytes(pixels), np.bool_).reshape(SIDE, SIDE)
    if pack_ink(ink) != text:  # one drawing has one text, so a changed one is found
        raise _damaged()
    return ink


def _walk(code: Callable[[int], bool]) -> None:
    """Code all pixels, row by row.

    Args:
        code: Gets the probability, in 65,536ths, that the next pixel is not inked; codes the pixel,
            and returns whether it is inked.
    """
    wide = SIDE + 2 * _MARGIN
    around = [columns - rows * wide for rows, columns in _NEIGHBOURS]
    pixels = [0] * (wide * (SIDE + 3))
    seen = [[1, 1] for _ in range(1 << len(around))]  # in twos: pixels without ink, and with it
    for row in range(3, SIDE + 3):
        start = row * wide + _MARGIN
        for place in range(start, start + SIDE):
            context = 0
            for step in around:
                context = context << 1 | pixels[place + step]
            counts = seen[context]
            blank, inked = counts
            pixel = code(min(max(_ONE * blank // (blank + inked), 1), _ONE - 1))
            pixels[place] = pixel
            counts[pixel] += 4


def _bytes(text: str) -> bytes:
    if not _ALPHABET.issuperset(text):
        raise _damaged()
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise _damaged() from error


def _damaged() -> DrawingError:
    return DrawingError(say("This drawing is cut off or changed; copy the whole link again."))
