"""One image of each class of a data set, to show what it is about."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from explorer.data.cache import peek
from explorer.data.dataset import DataSet

MOST = 20  # classes


@dataclass(frozen=True, slots=True)
class Samples:
    """Images of the first classes.

    Attributes:
        png: All of them, one below the other.
        classes: The name of each image's class.
        more: How many classes have no image here.
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
    from PIL import Image

    arrays = peek(dataset, cache)
    if arrays is None:
        return None
    images, labels = arrays.train_images, np.asarray(arrays.train_labels)
    present, first = np.unique(labels, return_index=True)
    chosen = np.asarray(images[first[:MOST]])  # (classes, C, H, W)
    count, channels, height, width = chosen.shape
    column = chosen.transpose(0, 2, 3, 1).reshape(count * height, width, channels)
    picture = Image.fromarray(np.ascontiguousarray(column if channels == 3 else column[:, :, 0]))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    names = tuple(dataset.classes[label] for label in present[:MOST])
    return Samples(buffer.getvalue(), names, len(dataset.classes) - len(names))
