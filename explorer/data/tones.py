"""Which values of a data set's images are black and white, the same for all its images.

Bytes are 0–255. Deeper values, 16 bits or floating point, do not say what white is, so it is read
off the whole set: if it were read off each image, a dim one would look like a bright one.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from explorer.errors import ExplorerError
from explorer.language import say

if TYPE_CHECKING:
    from PIL.Image import Image

Ground: TypeAlias = Literal["black", "white"]

_WHITES = (1, *(2**bits - 1 for bits in (8, 10, 12, 14, 16)))  # what cameras and programs use
_OVERSHOOT = 1.1  # resizing floats leaves some a little above white


class ToneError(ExplorerError, ValueError):
    """Values have no tones, since some are infinite or not numbers."""


@dataclass(frozen=True, slots=True)
class Tones:
    """How the values of a set's images become bytes.

    Attributes:
        black: The value that becomes 0.
        white: The value that becomes 255.
        ground: What is behind the transparent pixels.
    """

    black: float = 0
    white: float = 255
    ground: Ground = "black"

    def to_bytes(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Return values as bytes of the same shape, rounded; what is beyond white is white."""
        scaled = (values.astype(np.float64) - self.black) * (255 / (self.white - self.black))
        return scaled.round().clip(0, 255).astype(np.uint8)


def tones(lowest: float, highest: float, *, is_float: bool) -> Tones:
    """Return the tones of a set whose values go from `lowest` to `highest`.

    White is 1, or the largest number of 8, 10, 12, 14 or 16 bits, whichever is the first that no
    value exceeds; but `highest` if it is less than half of that. Whole numbers up to 255 are bytes.
    If there are values below 0, black is `lowest` and white is `highest`.
    """
    if lowest < 0:
        return Tones(lowest, highest if highest > lowest else lowest + 1)
    if not is_float and 1 < highest <= 255:
        return Tones()
    slack = _OVERSHOOT if is_float else 1
    usual = next((white for white in _WHITES if highest <= white * slack), highest)
    return Tones(0, usual if highest > usual / 2 else highest or 1)


def extremes(values: NDArray[Any]) -> tuple[float, float]:
    """Return the lowest and the highest value.

    Raises:
        ToneError: There are values that are infinite or not numbers.
    """
    lowest, highest = float(values.min()), float(values.max())  # NaN is both, if there is one
    if not np.isfinite([lowest, highest]).all():
        wrong = values.size - np.count_nonzero(np.isfinite(values))
        raise ToneError(
            say(
                "{wrong:,} of its {all:,} values are infinite or not numbers; replace them.",
                wrong=int(wrong),
                all=values.size,
            )
        )
    return lowest, highest


def is_transparent(picture: "Image") -> bool:
    """Return whether one can see through a part of a picture."""
    if not picture.has_transparency_data:
        return False
    lowest, _ = picture.convert("RGBA").getchannel("A").getextrema()
    return int(lowest) < 255  # type: ignore[arg-type]


class Survey:
    """Looks at the pictures of a set, one after the other, to find tones that fit them all."""

    def __init__(self) -> None:
        self._lowest, self._highest = np.inf, -np.inf
        self._is_float = False
        self._balance = 0.0  # of light ink over dark, behind which there is nothing

    def add(self, picture: "Image") -> bool:
        """Look at a picture; return whether its bytes depend on the other pictures.

        Raises:
            ToneError: It has values that are infinite or not numbers.
        """
        if picture.mode[0] in "IF":
            lowest, highest = extremes(np.asarray(picture.convert("F")))
            self._lowest, self._highest = min(self._lowest, lowest), max(self._highest, highest)
            self._is_float |= picture.mode[0] == "F"
            return True
        if not is_transparent(picture):
            return False
        seen = picture.convert("RGBA")
        alpha = np.asarray(seen.getchannel("A"), np.float64)
        grey = np.asarray(seen.convert("L"), np.float64)
        self._balance += float((alpha * (grey - 127.5)).sum() / (alpha.sum() or 1))
        return True

    @property
    def tones(self) -> Tones:
        """The tones for all these pictures; what is transparent is the opposite of the ink."""
        found = Tones()
        if self._lowest <= self._highest:
            found = tones(self._lowest, self._highest, is_float=self._is_float)
        return Tones(found.black, found.white, "white" if self._balance < 0 else "black")
