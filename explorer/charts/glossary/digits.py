"""Images of digits for the glossary's drawings, and what layers make of them."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from explorer.charts.glossary.pen import Floats

# The corners of each digit's stroke, from left to right and from top to bottom of a square of 1.
_TURN = np.linspace(0, 2 * np.pi, 17)
_RING = np.stack([0.5 + 0.24 * np.sin(_TURN), 0.5 + 0.36 * np.cos(_TURN)], axis=1)
_STROKES = {
    "0": _RING,
    "1": [(0.36, 0.3), (0.54, 0.14), (0.54, 0.86)],
    "2": [(0.26, 0.3), (0.4, 0.15), (0.6, 0.15), (0.72, 0.3), (0.26, 0.85), (0.76, 0.85)],
    "3": [(0.28, 0.15), (0.72, 0.15), (0.48, 0.44), (0.72, 0.62), (0.6, 0.84), (0.28, 0.82)],
    "4": [(0.62, 0.86), (0.62, 0.14), (0.22, 0.62), (0.82, 0.62)],
    "7": [(0.24, 0.17), (0.78, 0.17), (0.44, 0.86)],
}
DIGITS = tuple(_STROKES)
_HALF = 0.07  # of a stroke's width

# Its answer is large where something begins, from left to right: an edge.
EDGE = np.array([[-1.0, 1.0, 0.0]] * 3)


def digit(name: str, side: int) -> Floats:
    """Return the image of a digit, `(side, side)`, from 0 to 1, with soft edges."""
    places = (np.arange(side) + 0.5) / side
    pixels = np.stack(np.meshgrid(places, places), axis=-1)
    corners = np.array(_STROKES[name])
    begins, ways = corners[:-1], np.diff(corners, axis=0)
    off = pixels[:, :, None] - begins
    along = np.clip((off * ways).sum(-1) / (ways**2).sum(-1), 0, 1)
    far = np.linalg.norm(off - along[..., None] * ways, axis=-1).min(-1)
    ink: Floats = np.clip((_HALF - far) * side + 0.5, 0, 1)
    return ink


def windows(values: ArrayLike, side: int, stride: int = 1) -> Floats:
    """Return every window of an array, `(rows, columns, side, side)`."""
    found: Floats = sliding_window_view(np.asarray(values, float), (side, side))
    return found[::stride, ::stride]


def convolved(values: ArrayLike, kernel: ArrayLike, padding: int = 0) -> Floats:
    """Return what a convolution of stride 1 gives, without a bias."""
    weights = np.asarray(kernel, float)
    seen = windows(np.pad(np.asarray(values, float), padding), len(weights))
    result: Floats = (seen * weights).sum((-2, -1))
    return result


def rectified(values: Floats) -> Floats:
    """Return what ReLU makes of values."""
    return np.maximum(values, 0.0)


def strongest(values: Floats) -> tuple[int, int]:
    """Return the row and the column of the largest value."""
    row, column = divmod(int(values.argmax()), values.shape[1])
    return row, column
