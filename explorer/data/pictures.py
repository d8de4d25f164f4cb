"""Turns a picture file into an image like those of a data set: converted, scaled and centred.

MNIST's digits were scaled to fit a box of 20 × 20 pixels, with edges made grey by anti-aliasing,
and moved until their centre of mass was in the centre of 28 × 28 pixels (LeCun et al.,
Gradient-based learning applied to document recognition, 1998). A network that was trained on them
expects the same of every digit.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from explorer.data.dataset import DataSet
from explorer.data.tones import Ground, Survey, ToneError, Tones, is_transparent
from explorer.errors import ExplorerError
from explorer.spec import ImageSpec

MOST_PIXELS = 40_000_000

# What browsers show and cameras write. To read some others, Pillow would start other programs.
_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO")
_READABLE = "choose a PNG, JPEG, GIF, BMP, WebP or TIFF file"

_WORKING_SIZE = 1024  # pixels of the longer side; more costs memory and time, and adds nothing
_INK_BOX = 20 / 28  # of the image's side
_LEAST_CONTRAST = 8 / 255
_FAINT = 0.1  # of the strongest ink; what is fainter is a trace of compression or enlargement


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
        raise PictureError(f"This is not a picture that can be read; {_READABLE}.") from error
    if most_pixels is not None and picture.width * picture.height > most_pixels:
        raise _too_large(most_pixels)
    try:
        picture.load()
        return ImageOps.exif_transpose(picture)
    except Exception as error:
        raise PictureError(
            f"This picture is damaged, and its end cannot be read; {_READABLE} that is complete."
        ) from error


def prepare(picture: Image.Image, dataset: DataSet) -> NDArray[np.uint8]:
    """Make an image like those of `dataset` from a picture of any mode and size.

    For centred data sets, the ink is what differs from the background, be it darker or lighter. It
    becomes white on black, is scaled to its box, and is moved until its centre of mass is in the
    centre. For other data sets, the whole picture is fitted into the image, on black.

    Returns:
        `uint8`, `(C, size, size)`, with channels and size of `dataset.images`.

    Raises:
        PictureError: There is no ink, or the picture's colours are Lab.
    """
    if dataset.centred:
        return _centred(_ink(_converted(picture)), dataset.images.size)[None]
    return fit(picture, dataset.images)


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
        f"This picture is too large; choose one of at most {most / 1e6:g} megapixels."
    )


def _converted(picture: Image.Image, tones: Tones | None = None) -> Image.Image:
    """Return the picture as RGBA, with the longer side at most `_WORKING_SIZE` pixels long.

    Without `tones`, the range of its own values becomes 0–255, if these are not bytes.
    """
    if picture.mode == "LAB":  # it would become black
        raise PictureError("This picture's colours are Lab; save it with RGB colours, or in grey.")
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


def _ink(picture: Image.Image) -> NDArray[np.float64]:
    """Return how much ink each pixel has, 0–1, `(H, W)`, cut to the pixels that have any."""
    grey = np.asarray(picture.convert("L"), np.float64) / 255
    alpha = np.asarray(picture.getchannel("A"), np.float64) / 255
    background = _background(grey, alpha)
    difference = alpha * (grey - background)  # what is transparent is background
    # Dark ink absorbs a share of the light on the paper, so it differs less where light is dim.
    dark = -difference / np.maximum(background, 0.1)
    ink: NDArray[np.float64] = difference if difference.max() > -difference.min() else dark
    strongest = ink.max()
    # The border is mostly background, so ink that crosses it does not change its median.
    noise = 1.4826 * np.median(np.abs(_border(ink)))  # the background's standard deviation
    if np.abs(difference).max() < _LEAST_CONTRAST - 1e-9 or strongest <= 3 * noise:
        raise PictureError(
            "There is nothing in this picture that differs from its background; "
            "draw in white on black, or in black on white."
        )
    ink = ink / strongest
    ink[ink < np.clip(6 * noise / strongest, _FAINT, 0.5)] = 0
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _background(grey: NDArray[np.float64], alpha: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the grey behind the ink: that of the border, or if it is transparent, the opposite."""
    opaque = _border(alpha) >= 0.5
    if opaque.mean() >= 0.5:
        return _plane(grey, opaque)
    return np.full_like(grey, 0.0 if (alpha * (grey - 0.5)).sum() > 0 else 1.0)


def _plane(grey: NDArray[np.float64], opaque: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fit a plane to the greys of the border: paper that is lit from one side.

    Pixels far from the plane, such as ink that crosses the border, do not count.
    """
    height, width = grey.shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    places = np.stack([np.ones_like(grey), rows, columns], axis=-1)
    edge = np.stack([_border(places[..., i]) for i in range(3)], axis=-1)[opaque]
    greys = _border(grey)[opaque]
    slopes = np.array([np.median(greys), 0, 0])
    for _ in range(4):
        away = np.abs(greys - edge @ slopes)
        near = away <= max(0.02, 3 * float(np.median(away)))
        slopes = np.linalg.lstsq(edge[near], greys[near], rcond=None)[0]
    plane: NDArray[np.float64] = places @ slopes
    return plane


def _border(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    edges: NDArray[np.float64] = np.concatenate(
        [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    )
    return edges


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
