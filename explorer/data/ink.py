"""Finds a digit's ink in a picture: on paper that is lit unevenly, ruled, soiled or framed.

What is narrower than a pen's widest stroke and differs from all that is around it is ink; what is
wider, such as a shadow or a table, is background. A morphological closing (Serra, Image analysis
and mathematical morphology, 1982) tells one from the other. Of the connected parts of the ink, the
digit is the one with the most of it, and those near it that are as thick: not what touches the
border, a line from border to border, or a speck.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from explorer.data.rules import find_rules
from explorer.language import say

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)

LEAST_CONTRAST = 8 / 255

_SAME = 2.5 / 255  # greys that differ by less are one
_REACH = 0.15  # of the shorter side: half of the widest stroke
_DARKEST = 0.35  # of the lightest paper: ink on darker paper is not as clear
_STRONG = 0.3  # of the strongest ink: what is fainter belongs to a digit at its edges only
_FAINT = 0.1  # of the digit's ink: what is fainter is a trace of compression or enlargement
_THINNEST = 0.5  # of the digit's thickness: what is thinner is not a part of it
_LEAST_PART = 0.05  # of the digit's area
_NEAR = 0.2  # of the digit's size
_ALSO = 0.25  # of the digit's ink: as much elsewhere may be the digit instead
_LEAST_PIXELS = 12

_NEXT = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, slots=True)
class Ink:
    """A digit's ink.

    Attributes:
        share: How much ink each pixel has, 0–1, `(H, W)`.
        doubt: A sentence that says why this may not be the digit, or `None`.
    """

    share: Floats
    doubt: str | None


@dataclass(frozen=True, slots=True)
class _Parts:
    """The connected parts of a mask.

    Attributes:
        labels: The number of each pixel's part, from 1, or 0, `(H, W)`.
        area: How many pixels each part has, `(N,)`.
        ink: How much ink each part has, where it is thick more than at its edges, `(N,)`.
        thickness: From the middle of its thickest stroke to the edge, in pixels, `(N,)`.
        boxes: First and last row, first and last column, `(N, 4)`.
        is_cut: Whether it touches the border of the picture, `(N,)`.
    """

    labels: NDArray[np.int32]
    area: NDArray[np.int64]
    ink: Floats
    thickness: Floats
    boxes: NDArray[np.int64]
    is_cut: Mask


def find_ink(
    colours: Floats, inside: tuple[slice, slice] | None = None, *, is_cut_out: bool = False
) -> Ink | None:
    """Find the ink of a digit that is darker, or lighter, than what it is on.

    Args:
        colours: 0–1, `(H, W, 3)`.
        inside: The rows and columns that a person says the digit is in; by default it is sought.
        is_cut_out: Whether the background has the colour of the border everywhere, as where it was
            transparent.

    Returns:
        The ink, or `None` where nothing differs from the background.
    """
    contrast, noise = _contrast(_grey(colours), is_cut_out)
    least = max(5 * noise, LEAST_CONTRAST / 2)
    rules = find_rules(contrast > least)
    if inside is not None:
        contrast = _only(contrast, inside)
    seen = contrast > least
    if contrast.max() < LEAST_CONTRAST - 1e-9 or not seen.any():
        return None
    strong = seen & (contrast > _STRONG * float(np.quantile(contrast[seen], 0.9)))
    strokes = strong & ~rules if (strong & ~rules).any() else strong
    parts = _parts(strokes, contrast)
    numbers, doubt = _digit(parts) if inside is None else (_all(parts), None)
    is_digit = np.zeros(len(parts.area) + 1, np.bool_)
    is_digit[numbers + 1] = True
    digit = is_digit[parts.labels]
    strongest = float(np.quantile(contrast[digit], 0.95))
    edges = (contrast >= _FAINT * strongest) & ~(strokes | rules)
    own = digit | edges & (_around if noise else _joined)(digit, edges)
    share = np.where(own, np.minimum(contrast / strongest, 1), 0)
    return Ink(share, doubt or _doubt(digit, strongest, noise))


def _only(values: Floats, inside: tuple[slice, slice]) -> Floats:
    """Return values that are 0 outside."""
    only = np.zeros_like(values)
    only[inside] = values[inside]
    return only


# --- contrast


def _grey(colours: Floats) -> Floats:
    """Mix the channels so that ink differs most from its background, `(H, W)`.

    Red ink on green paper may be as bright as that; in the green channel it is dark.
    """
    if all((colours[..., 0] == colours[..., other]).all() for other in (1, 2)):
        return colours[..., 0].copy()
    away = _from_around(colours).reshape(-1, 3)
    along = np.linalg.eigh(away.T @ away).eigenvectors[:, -1]
    mix = max(np.maximum(along, 0), np.maximum(-along, 0), key=np.linalg.norm)
    grey: Floats = colours @ (mix / mix.sum())
    return grey


def _from_around(values: Floats) -> Floats:
    """Return how values differ from those around them, at every fourth pixel or so."""
    from scipy import ndimage

    step = max(1, min(values.shape[:2]) // 100)
    few = values[::step, ::step]
    reach = min(few.shape[:2]) / 10
    around: Floats = ndimage.gaussian_filter(few, reach, truncate=2.5, axes=(0, 1))
    return few - around


def _contrast(grey: Floats, is_cut_out: bool) -> tuple[Floats, float]:
    """Return how much each pixel differs from its background, as ink does, and the noise in it.

    Returns:
        The difference, 0–1, `(H, W)`, and its standard deviation where there is no ink.
    """
    edge = border(grey)
    level = float(np.median(edge))
    # A drawing or a screenshot has one grey behind all.
    if is_cut_out or (_share_of(edge, level) > 0.8 and _share_of(grey, level) > 0.5):
        away = grey - level
        if np.abs(away).max() < LEAST_CONTRAST - 1e-9:
            return np.zeros_like(grey), 0.0
        is_light = away.max() > -away.min()
        return np.maximum(away if is_light else -away / max(level, 0.1), 0), 0.0
    grey = _smooth(grey)
    is_light = (_from_around(grey) ** 3).sum() > 0  # ink is the smaller part, and differs more
    if is_light:
        grey = 1 - grey
    background = _closing(grey, max(1, round(_REACH * min(grey.shape))))
    contrast = background - grey
    if not is_light:  # dark ink takes a share of the light, so it differs less where light is dim
        contrast /= np.maximum(background, _DARKEST * max(float(np.quantile(background, 0.9)), 0.1))
    middle = float(np.median(contrast))
    noise = 1.4826 * float(np.median(np.abs(contrast - middle)))
    return np.maximum(contrast - middle, 0), noise


def _share_of(greys: Floats, level: float) -> float:
    return float((np.abs(greys - level) < _SAME).mean())


def _smooth(grey: Floats) -> Floats:
    """Return greys without a camera's noise: the more of it, the smoother."""
    from scipy import ndimage

    blurred: Floats = ndimage.gaussian_filter(grey, 1)
    noise = 1.85 * float(np.median(np.abs(grey - blurred)))  # 1.4826 / what a blur leaves
    if noise < 1 / 255:
        return grey
    return blurred if noise < 6 / 255 else ndimage.gaussian_filter(grey, 1.5)


def _closing(grey: Floats, reach: int) -> Floats:
    """Return greys without what is dark and narrower than a window of `2 * reach + 1` pixels.

    What is beyond the border counts as dark, so a dark margin is background, however narrow.
    """
    from scipy import ndimage

    padded = np.pad(grey.astype(np.float32), reach, constant_values=-1)
    lightest = ndimage.maximum_filter(padded, 2 * reach + 1, mode="nearest")
    closed = ndimage.minimum_filter(lightest, 2 * reach + 1, mode="nearest")
    inner: Floats = closed[reach:-reach, reach:-reach].astype(np.float64)
    return inner


def border(pixels: NDArray[T]) -> NDArray[T]:
    """Return the pixels along the four sides."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


# --- the digit among the parts


def _parts(mask: Mask, contrast: Floats) -> _Parts:
    from scipy import ndimage

    labels, count = ndimage.label(mask, _NEXT)
    numbers, depths = labels[mask], ndimage.distance_transform_cdt(mask)[mask]
    thickness = np.zeros(count + 1)
    np.maximum.at(thickness, numbers, depths)
    boxes = [
        (rows.start, rows.stop, columns.start, columns.stop)
        for rows, columns in ndimage.find_objects(labels)
    ]
    return _Parts(
        labels=labels,
        area=np.bincount(numbers)[1:],
        ink=np.bincount(numbers, contrast[mask] * depths)[1:].astype(np.float64),
        thickness=thickness[1:],
        boxes=np.array(boxes),
        is_cut=np.isin(np.arange(1, count + 1), border(labels)),
    )


def _digit(parts: _Parts) -> tuple[NDArray[np.intp], str | None]:
    """Return which parts make the digit, and a doubt."""
    main = int(np.argmax(np.where(parts.is_cut, 0.1, 1) * parts.ink))
    alike = ~parts.is_cut & (parts.thickness >= _THINNEST * parts.thickness[main])
    alike &= parts.area >= _LEAST_PART * parts.area[main]
    chosen = np.arange(len(parts.area)) == main
    while (more := alike & ~chosen & _is_near(parts.boxes, parts.boxes[chosen])).any():
        chosen |= more
    doubt = None
    if parts.is_cut[main]:
        doubt = say("The digit touches the edge of the picture; leave some paper around it.")
    elif (parts.ink[alike & ~chosen] > _ALSO * parts.ink[main]).any():
        doubt = say("There is more in this picture than one digit; draw the frame around one.")
    return np.flatnonzero(chosen), doubt


def _is_near(boxes: NDArray[np.int64], chosen: NDArray[np.int64]) -> Mask:
    """Return which boxes are near the box around the chosen ones."""
    top, left = chosen[:, 0].min(), chosen[:, 2].min()
    bottom, right = chosen[:, 1].max(), chosen[:, 3].max()
    gaps = np.stack(
        [boxes[:, 0] - bottom, top - boxes[:, 1], boxes[:, 2] - right, left - boxes[:, 3]]
    )
    near: Mask = gaps.max(axis=0) <= _NEAR * max(bottom - top, right - left)
    return near


def _all(parts: _Parts) -> NDArray[np.intp]:
    """Return all parts but specks: a person says that they are the digit."""
    return np.flatnonzero(parts.area >= _LEAST_PART * parts.area.max())


def _around(digit: Mask, _: Mask) -> Mask:
    """Return the pixels around a digit, where a picture with noise has its edges."""
    from scipy import ndimage

    wider: Mask = ndimage.binary_dilation(digit, _NEXT, 2)
    return wider


def _joined(digit: Mask, edges: Mask) -> Mask:
    """Return the edges that are joined to a digit, however wide they are."""
    from scipy import ndimage

    labels, count = ndimage.label(digit | edges, _NEXT)
    has_digit = np.zeros(count + 1, np.bool_)
    has_digit[labels[digit]] = True
    joined: Mask = has_digit[labels]
    return joined


def _doubt(digit: Mask, strongest: float, noise: float) -> str | None:
    height, width = (int(np.ptp(np.flatnonzero(digit.any(axis)))) + 1 for axis in (1, 0))
    if strongest < 8 * noise:
        return say(
            "The ink hardly differs from the paper; write with a darker pen, or in better light."
        )
    if max(height, width) < _LEAST_PIXELS:
        return say(
            "The digit is only {pixels} pixels large; take a picture from nearer by.",
            pixels=max(height, width),
        )
    if digit.sum() > 0.8 * height * width and max(height, width) < 2 * min(height, width):
        return say("What differs from the background is a patch, not the strokes of a pen.")
    return None
