"""Some images of a data set in one small picture: one of each class, or those of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.data.cache import peek
from explorer.data.dataset import DataSet
from explorer.data.png import png

MOST = 20  # classes


@dataclass(frozen=True, slots=True)
class Samples:
    """Images of a data set.

    Attributes:
        png: All of them, one below the other.
        classes: The name of each image's class.
        more: How many classes have no image here, though they should.
    """

    png: bytes
    classes: tuple[str, ...]
    more: int


def samples(dataset: DataSet, cache: Path) -> Samples | None:
    """Return the first training image of each class; `None` while the data set is not decoded.

    Of many classes, the first are shown. Only the pages of the file that have these images are
    read.

    Args:
        dataset: The data set.
        cache: The folder of the decoded data sets.
    """
    arrays = peek(dataset, cache)
    if arrays is None:
        return None
    present, first = np.unique(np.asarray(arrays.train_labels), return_index=True)
    names = tuple(dataset.classes[label] for label in present[:MOST])
    column = _column(np.asarray(arrays.train_images[first[:MOST]]))
    return Samples(column, names, len(dataset.classes) - len(names))


def training_images(dataset: DataSet, cache: Path, numbers: Sequence[int]) -> Samples | None:
    """Return these training images, with their classes; `None` if the data set is not decoded.

    Args:
        dataset: The data set.
        cache: The folder of the decoded data sets.
        numbers: Of the images.
    """
    arrays = peek(dataset, cache)
    if arrays is None or not numbers or max(numbers) >= len(arrays.train_labels):
        return None
    chosen = list(numbers)
    labels = np.asarray(arrays.train_labels)[chosen]
    names = tuple(dataset.classes[label] for label in labels)
    return Samples(_column(np.asarray(arrays.train_images[chosen])), names, 0)


def _column(images: NDArray[np.uint8]) -> bytes:
    """Return images, `(N, C, H, W)`, one below the other in a PNG."""
    count, channels, height, width = images.shape
    column = images.transpose(0, 2, 3, 1).reshape(count * height, width, channels)
    return png(column if channels == 3 else column[:, :, 0])
