"""Brings images and labels of the kinds that people have into the one form that is kept."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.data.dataset import DataSetError
from explorer.data.tones import ToneError, Tones, extremes, tones
from explorer.language import say
from explorer.spec import ImageSpec

_AT_ONCE = 1000  # images, since scaling takes eight times their memory
_EXACT = 2.0**53  # up to which each whole number is a float


def as_bytes(
    train: NDArray[Any], test: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return training images and test images as bytes, both scaled in one way.

    Bytes stay as they are. Other numbers become bytes by the tones of the whole set
    (`explorer.data.tones.tones`): floats from 0 to 1 or to 255, whole numbers from 0 to 255,
    deeper ones, and switches.

    Raises:
        DataSetError: They are no real numbers, or of two types, or some are infinite or NaN.
    """
    for images, which in zip((train, test), ("training", "test"), strict=True):
        if images.dtype.kind not in "buif":
            raise DataSetError(
                say(
                    "Its {images} are {type}; make them uint8, from 0 to 255, as one array in "
                    "which all images have one size.",
                    images=images_of(which),
                    type=images.dtype,
                )
            )
    if train.dtype != test.dtype:
        raise DataSetError(
            say(
                "Its training images are {train} and its test images {test}; give both in one type "
                "and on one scale.",
                train=train.dtype,
                test=test.dtype,
            )
        )
    if train.dtype == np.uint8 or not train.size or not test.size:
        return train.astype(np.uint8, copy=False), test.astype(np.uint8, copy=False)
    try:
        lowest, highest = zip(extremes(train), extremes(test), strict=True)
    except ToneError as error:
        raise DataSetError(say("Its images cannot be used: {reason}", reason=error)) from error
    found = tones(min(lowest), max(highest), is_float=train.dtype.kind == "f")
    return _in_bytes(train, found), _in_bytes(test, found)


def _in_bytes(images: NDArray[Any], found: Tones) -> NDArray[np.uint8]:
    made = np.empty(images.shape, np.uint8)
    if not images.ndim:
        return made
    for start in range(0, len(images), _AT_ONCE):
        made[start : start + _AT_ONCE] = found.to_bytes(images[start : start + _AT_ONCE])
    return made


def as_square(images: NDArray[np.uint8], spec: ImageSpec, which: str) -> NDArray[np.uint8]:
    """Return images as `(N, C, size, size)`.

    Args:
        images: `(N, C, size, size)`, `(N, size, size, C)` or `(N, size, size)`.
        spec: Their channels and size.
        which: `training` or `test`.

    Raises:
        DataSetError: They have another shape.
    """
    wanted = (spec.channels, spec.size, spec.size)
    shape = images.shape
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and shape[1:] != wanted:
        images = images.transpose(0, 3, 1, 2)
    if images.shape[1:] != wanted:
        raise DataSetError(
            say(
                "Its {images} have the shape {shape}, but (N, {sizes}) is expected.",
                images=images_of(which),
                shape=shape,
                sizes=", ".join(map(str, wanted)),
            )
        )
    return np.ascontiguousarray(images)


def as_numbers(labels: NDArray[Any], which: str) -> NDArray[np.int64]:
    """Return labels as the numbers of their classes, `(N,)`.

    Args:
        labels: Whole numbers of any type, or switches, `(N,)` or `(N, 1)`; or one-hot, `(N, K)`.
        which: `training` or `test`.

    Raises:
        DataSetError: They are neither.
    """
    if labels.dtype.kind not in "buif":
        raise DataSetError(
            say(
                "Its {labels} are {kind}; number the classes from 0, and name them in classes.",
                labels=labels_of(which),
                kind=say("texts") if labels.dtype.kind in "US" else str(labels.dtype),
            )
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and labels.shape[1] > 1:
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise DataSetError(
                say(
                    "Its {labels} have {columns} columns, but not one 1 and else 0 in each row; "
                    "give one number for each image.",
                    labels=labels_of(which),
                    columns=labels.shape[1],
                )
            )
        labels = labels.argmax(axis=1)
    if labels.ndim != 1:
        raise DataSetError(
            say(
                "Its {labels} have the shape {shape}; give one number for each image, (N,).",
                labels=labels_of(which),
                shape=labels.shape,
            )
        )
    if (
        labels.dtype.kind == "f"
        and not ((np.abs(labels) < _EXACT) & (labels == labels.round())).all()
    ):
        raise DataSetError(
            say(
                "Its {labels} are not whole numbers; number the classes from 0.",
                labels=labels_of(which),
            )
        )
    return labels.astype(np.int64)


def images_of(which: str) -> str:
    """Say which images: `training` or `test`."""
    return say("training images") if which == "training" else say("test images")


def labels_of(which: str) -> str:
    """Say which labels: `training` or `test`."""
    return say("training labels") if which == "training" else say("test labels")
