"""Turns a picture file into an image like those of a data set: converted, scaled and centred.

MNIST's digits were scaled to fit a box of 20 × 20 pixels, with edges made grey by anti-aliasing,
and moved until their centre of mass was in the centre of 28 × 28 pixels (LeCun et al.,
Gradient-based learning applied to document recognition, 1998). A network that was trained on them
expects the same of every digit.
"""

import io
import math
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from explorer.data.dataset import DataSet
from explorer.data.ink import border, find_ink
from explorer.data.tones import Ground, Survey, ToneError, Tones, is_transparent
from explorer.errors import ExplorerError
from explorer.language import say
from explorer.spec import ImageSpec

MOST_PIXELS = 40_000_000

# What browsers show and cameras write. To read some others, Pillow would start other programs.
_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO")

_WORKING_SIZE = 1024  # pixels of the longer side; more costs memory and time, and adds nothing
_SHOWN_SIZE = 512  # likewise, of what is looked at and shown: ink needs no more
_INK_BOX = 20 / 28  # of the image's side

Crop: TypeAlias = tuple[float, float, float, float]


class PictureError(ExplorerError, ValueError):
    """A picture cannot be used; the message says what would be right."""


def open_picture(content: bytes, most_pixels: int | None = MOST_PIXELS) -> Image.Image:
    """Return the picture in a file, upright; of an animation, the first frame.

    Args:
        content: The bytes of the file, in any of the usual formats.
        most_pixels: How many pixels it may have; Pillow has a limit of its own as well.

    Raises:
        PictureError: It is not a picture, is damaged, or has more pixels.
    """
    Image.init()
    try:
        picture = Image.open(io.BytesIO(content), formats=[f for f in _FORMATS if f in Image.OPEN])
    except Image.DecompressionBombError as error:
        raise _too_large(most_pixels) from error
    except Exception as error:  # a damaged header may raise anything
        raise PictureError(
            say(
                "This is not a picture that can be read; choose a PNG, JPEG, GIF, BMP, WebP or "
                "TIFF file."
            )
        ) from error
    if most_pixels is not None and picture.width * picture.height > most_pixels:
        raise _too_large(most_pixels)
    try:
        picture.load()
        return ImageOps.exif_transpose(picture)
    except Exception as error:
        raise PictureError(
            say(
                "This picture is damaged, and its end cannot be read; choose a PNG, JPEG, GIF, "
                "BMP, WebP or TIFF file that is complete."
            )
        ) from error


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image that was made from a picture, and how.

    Attributes:
        original: The picture as it can be shown, `uint8`, `(H, W, 3)`, at most 512 pixels a side.
        ink: Which pixels of `original` were taken for the digit; where a data set is not centred,
            for the image: all that is in `box` and not transparent. `(H, W)`.
        box: What they are in: left, top, right and bottom as shares of width and height, 0–1.
        image: `uint8`, `(C, size, size)`, with channels and size of the data set's images.
        doubt: A sentence that says why this may not be what was meant, or `None`.
    """

    original: NDArray[np.uint8]
    ink: NDArray[np.bool_]
    box: Crop
    image: NDArray[np.uint8]
    doubt: str | None

    @property
    def sure(self) -> bool:
        """Whether there is no doubt."""
        return self.doubt is None


def prepare(picture: Image.Image, dataset: DataSet) -> NDArray[np.uint8]:
    """Make an image like those of `dataset` from a picture of any mode and size.

    Returns:
        The image of `prepare_and_show`.

    Raises:
        PictureError: There is no ink, or the picture's colours are Lab.
    """
    return prepare_and_show(picture, dataset).image


def prepare_and_show(picture: Image.Image, dataset: DataSet, crop: Crop | None = None) -> Prepared:
    """Make an image like those of `dataset` from a picture, and show what was done.

    For centred data sets, the ink is what differs from the background, be it darker or lighter, and
    makes a digit; `ink.py` finds it. It becomes white on black, is scaled to its box, and is moved
    until its centre of mass is in the centre. For other data sets, the whole picture is fitted into
    the image, on black.

    Args:
        picture: The picture.
        dataset: The data set whose images it is to be like.
        crop: What a person says the digit is in, or what is to be fitted: left, top, right and
            bottom as shares of width and height, 0–1. All ink in there belongs to the digit, also
            where it goes on outside.

    Raises:
        PictureError: There is no ink, the crop has no area, or the picture's colours are Lab.
    """
    whole = _Region(0, 0, *picture.size)
    wanted = whole if crop is None else _region(crop, picture.size)
    shown = _shown(picture)
    original = _on_ground(shown)
    if not dataset.centred:
        image = fit(picture.crop(wanted), dataset.images)
        has_colour = np.asarray(shown.getchannel("A")) > 0
        place = wanted.within(whole, has_colour.shape)
        ink = np.zeros_like(has_colour)
        ink[place] = has_colour[place]
        return Prepared(original, ink, wanted.shares(whole), image, None)
    seen, view, inside = shown, whole, None
    if crop is not None:
        view = wanted.with_surroundings(whole)
        seen = _shown(picture.crop(view))
        inside = wanted.within(view, (seen.height, seen.width))
    found = find_ink(_on_ground(seen) / 255, inside, is_cut_out=_is_cut_out(seen))
    if found is None:
        raise PictureError(
            say(
                "There is nothing in this picture that differs from its background; draw in white "
                "on black, or in black on white."
            )
            if crop is None
            else say(
                "There is nothing in this frame that differs from what is around it; move it to "
                "the digit."
            )
        )
    rows, columns = (np.flatnonzero(found.share.any(axis)) for axis in (1, 0))
    cut = found.share[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ink = _laid(found.share > 0, view.within(whole, original.shape), original.shape)
    left, top, right, bottom = view.shares(whole)
    height, width = found.share.shape
    across, down = (right - left) / width, (bottom - top) / height
    box = (
        left + across * int(columns[0]),
        top + down * int(rows[0]),
        left + across * (int(columns[-1]) + 1),
        top + down * (int(rows[-1]) + 1),
    )
    return Prepared(
        original=original,
        ink=ink,
        box=box,
        image=_centred(cut, dataset.images.size)[None],
        doubt=found.doubt,
    )


def fit(picture: Image.Image, images: ImageSpec, tones: Tones | None = None) -> NDArray[np.uint8]:
    """Fit a whole picture into an image, on black, or if it is transparent on the set's ground.

    Args:
        picture: Of any mode and size.
        images: What it is fitted into.
        tones: Those of the set that the picture is from; by default, those that fit it alone.

    Returns:
        `uint8`, `(C, size, size)`, with channels and size of `images`.

    Raises:
        PictureError: The picture's colours are Lab, or its values are not finite numbers.
    """
    if tones is None:
        tones = tones_of(picture)
    channels = "L" if images.channels == 1 else "RGB"
    ground = tones.ground if is_transparent(picture) else "black"
    return _fitted(_converted(picture, tones), images.size, channels, ground)


def tones_of(picture: Image.Image) -> Tones:
    """Return the tones that fit a picture alone.

    Raises:
        PictureError: Its values are not finite numbers.
    """
    survey = Survey()
    try:
        survey.add(picture)
    except ToneError as error:
        raise PictureError(str(error)) from error
    return survey.tones


def _too_large(most_pixels: int | None) -> PictureError:
    most = MOST_PIXELS if most_pixels is None else most_pixels
    return PictureError(
        say(
            "This picture is too large; choose one of at most {most:g} megapixels.", most=most / 1e6
        )
    )


def _converted(picture: Image.Image, tones: Tones | None = None) -> Image.Image:
    """Return the picture as RGBA, with the longer side at most `_WORKING_SIZE` pixels long.

    Without `tones`, the range of its own values becomes 0–255, if these are not bytes.
    """
    if picture.mode == "LAB":  # it would become black
        raise PictureError(
            say("This picture's colours are Lab; save it with RGB colours, or in grey.")
        )
    deep = picture.mode[0] in "IF"
    picture = picture.convert("F" if deep else "RGBA")
    if max(picture.size) > _WORKING_SIZE:
        picture = _scaled(picture, _WORKING_SIZE)
    return _shallow(picture, tones).convert("RGBA") if deep else picture


def _shallow(picture: Image.Image, tones: Tones | None) -> Image.Image:
    if tones:
        return Image.fromarray(tones.to_bytes(np.asarray(picture)))
    # A picture of 16 or 32 bits does not say which value is white, so its own range becomes 0–255.
    values = np.nan_to_num(np.asarray(picture, np.float64), posinf=0, neginf=0)
    lowest, highest = values.min(), values.max()
    scaled = (values - lowest) * (255 / ((highest - lowest) or 1))
    return Image.fromarray(scaled.round().astype(np.uint8))


def _scaled(picture: Image.Image, side: int) -> Image.Image:
    """Return the picture with its longer side `side` pixels long, anti-aliased."""
    longer = max(picture.size)
    width, height = (max(1, round(length * side / longer)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)


def _fitted(picture: Image.Image, size: int, mode: str, ground: Ground) -> NDArray[np.uint8]:
    picture = _scaled(picture, size)
    image = Image.new("RGBA", (size, size), ground)
    corner = ((size - picture.width) // 2, (size - picture.height) // 2)
    image.alpha_composite(picture, corner)
    pixels = np.asarray(image.convert(mode))
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


class _Region(NamedTuple):
    """A part of a picture, in its pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def with_surroundings(self, whole: "_Region") -> "_Region":
        """Return the region with half of its longer side around it, as far as the picture goes.

        A 1 is narrow, and so is a frame around it: of its paper there is more beside the frame.
        """
        more = (max(self.right - self.left, self.bottom - self.top) + 1) // 2
        return _Region(
            max(self.left - more, 0),
            max(self.top - more, 0),
            min(self.right + more, whole.right),
            min(self.bottom + more, whole.bottom),
        )

    def shares(self, outer: "_Region") -> Crop:
        """Return where it is in an outer region, as shares of that one's width and height."""
        width, height = outer.right - outer.left, outer.bottom - outer.top
        return (
            (self.left - outer.left) / width,
            (self.top - outer.top) / height,
            (self.right - outer.left) / width,
            (self.bottom - outer.top) / height,
        )

    def within(self, outer: "_Region", shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Return the rows and columns that it has in an array that shows an outer region."""
        return _slices(self.shares(outer), shape)


def _region(crop: Crop, size: tuple[int, int]) -> _Region:
    """Return the pixels that a crop has any part of.

    Raises:
        PictureError: It has no area within the picture.
    """
    left, top, right, bottom = crop
    if not (max(left, 0) < min(right, 1) and max(top, 0) < min(bottom, 1)):
        raise PictureError(
            say(
                "This frame has no area; its left is less than its right, its top less than its "
                "bottom, and all are shares from 0 to 1."
            )
        )
    rows, columns = _slices(crop, size[::-1])
    return _Region(columns.start, rows.start, columns.stop, rows.stop)


def _slices(crop: Crop, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of an array, `(H, W, …)`, that a crop has any part of."""

    def part(first: float, last: float, length: int) -> slice:
        start = min(max(math.floor(first * length + 1e-6), 0), length - 1)
        return slice(start, min(max(math.ceil(last * length - 1e-6), start + 1), length))

    left, top, right, bottom = crop
    return part(top, bottom, shape[0]), part(left, right, shape[1])


def _laid(
    mask: NDArray[np.bool_], place: tuple[slice, slice], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return a mask, scaled, at its place on an empty one of another shape."""
    laid = np.zeros(shape[:2], np.bool_)
    size = laid[place].shape[::-1]
    laid[place] = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    return laid


def _shown(picture: Image.Image) -> Image.Image:
    picture = _converted(picture)
    return _scaled(picture, _SHOWN_SIZE) if max(picture.size) > _SHOWN_SIZE else picture


def _is_cut_out(picture: Image.Image) -> bool:
    """Return whether most of the border of an RGBA picture is transparent."""
    return bool((border(np.asarray(picture.getchannel("A"))) < 128).mean() > 0.5)


def _on_ground(picture: Image.Image) -> NDArray[np.uint8]:
    """Return the colours of an RGBA picture, `(H, W, 3)`, on what is behind its ink.

    That is the colour of its border, or if the border is transparent, the opposite of its ink.
    """
    pixels = np.asarray(picture)
    colours, alpha = pixels[..., :3], pixels[..., 3:] / 255
    if alpha.all():
        return np.ascontiguousarray(colours)
    if _is_cut_out(picture):
        ground = np.full(3, 0.0 if (alpha * (colours - 127.5)).sum() > 0 else 255.0)
    else:
        ground = np.median(border(colours)[border(alpha[..., 0]) >= 0.5], axis=0)
    mixed: NDArray[np.float64] = alpha * colours + (1 - alpha) * ground
    return mixed.round().astype(np.uint8)


def _centred(ink: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    box = round(size * _INK_BOX)
    scaled = np.array(_scaled(Image.fromarray(ink.astype(np.float32)), box), np.float64)
    scaled /= scaled.max()  # scaling makes a thin line grey
    image = np.zeros((size, size), np.uint8)
    top, left = (_start(scaled.sum(axis), size) for axis in (1, 0))
    height, width = scaled.shape
    image[top : top + height, left : left + width] = (scaled * 255).round()
    return image


def _start(mass: NDArray[np.float64], size: int) -> int:
    """Return where the ink starts on an axis, so that its centre of mass is in the centre.

    If it would leave the image then, which no digit does, it is moved as far as possible.
    """
    centre = (mass * np.arange(len(mass))).sum() / mass.sum()
    return int(np.clip(round(size // 2 - centre), 0, size - len(mass)))
