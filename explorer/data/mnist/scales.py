"""MNIST at many scales: digits of different sizes among scraps of others, made from MNIST.

A convolution sees a window of one size, so a set whose digits have one size cannot show what
several sizes of windows are worth. Here each image has one whole digit at 0.45 to 1.35 of its size,
anywhere on 40×40 pixels, and six scraps of other digits, as in the cluttered MNIST of Mnih et al.
(Recurrent Models of Visual Attention, arXiv:1406.6247).
"""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.data.dataset import DataSet, DataSetError
from explorer.data.mnist import MNIST, read
from explorer.language import later, say
from explorer.spec import ImageSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZE = 40  # pixels of an image
LEAST, MOST = 13, 38  # pixels of a digit's box of 28: 0.45 and 1.35 of it
SCRAPS, SCRAP = 6, 8  # of other digits; pixels of each
SEED = 2014
CHECKSUMS = (125783882, 1274969731)  # of the training and the test images: CRC-32
_UNIT = 2**12  # weights of pixels are whole numbers of this part, so that every sum is exact


def read_scales(folder: Path) -> Sequence[Any]:
    """Make the images from those of MNIST; they are the same on every machine.

    Args:
        folder: For the files of MNIST.

    Returns:
        60,000 training images, `uint8`, `(N, 40, 40)`; their labels; 10,000 test images of digits
        that are in no training image; their labels.

    Raises:
        DataSetError: The explorer's copy of MNIST is damaged, or the images are not as they were
            when lessons were written about them.
    """
    import numpy as np

    train_images, train_labels, test_images, test_labels = map(np.asarray, read(folder))
    arrays = [at_many_scales(train_images, SEED), at_many_scales(test_images, SEED + 1)]
    if (found := tuple(zlib.crc32(images.tobytes()) for images in arrays)) != CHECKSUMS:
        raise DataSetError(
            say(
                "The images that were made from MNIST have the checksums {found}, not {known}; "
                "please report it, with the versions of Python and NumPy.",
                found=found,
                known=CHECKSUMS,
            )
        )
    return arrays[0], train_labels, arrays[1], test_labels


def at_many_scales(digits: "NDArray[np.uint8]", seed: int) -> "NDArray[np.uint8]":
    """Put each digit, larger or smaller, somewhere among scraps of other digits.

    Args:
        digits: `(N, 28, 28)`, two or more.
        seed: Decides sizes, places and scraps.

    Returns:
        `(N, 40, 40)`.
    """
    import numpy as np

    count, full = len(digits), digits.shape[1]
    images = np.zeros((count, SIZE, SIZE), np.uint8)
    every = np.arange(count)
    draws = _draws(seed, count)
    for _ in range(SCRAPS):
        other = (every + 1 + next(draws) % (count - 1)) % count
        scraps = _windows(digits, other, next(draws) % (full - SCRAP), next(draws) % (full - SCRAP))
        _lay(images, every, scraps, next(draws), next(draws))
    sizes = LEAST + next(draws) % (MOST - LEAST + 1)
    rows, columns = next(draws), next(draws)
    for size in range(LEAST, MOST + 1):
        which = np.flatnonzero(sizes == size)
        _lay(images, which, resized(digits[which], size), rows[which], columns[which])
    return images


def resized(images: "NDArray[np.uint8]", size: int) -> "NDArray[np.uint8]":
    """Return square images in another size: each pixel is a mean, weighted by a triangle.

    Args:
        images: `(N, H, H)`.
        size: In pixels.

    Returns:
        `(N, size, size)`.
    """
    import numpy as np

    full = images.shape[1]
    step = full / size
    reach = max(1.0, step)  # of the triangle, in pixels of the original
    centres = (np.arange(size) + 0.5) * step - 0.5
    weights = np.clip(1 - np.abs(np.arange(full) - centres[:, None]) / reach, 0, None)
    weights = np.round(weights / weights.sum(1, keepdims=True) * _UNIT)
    weights[np.arange(size), weights.argmax(1)] += _UNIT - weights.sum(1)
    sums = weights @ images.astype(np.float64) @ weights.T  # whole numbers below 2**53: exact
    pixels: NDArray[np.uint8] = np.floor(sums / _UNIT**2 + 0.5).astype(np.uint8)
    return pixels


def _draws(seed: int, count: int) -> "Iterator[NDArray[np.int64]]":
    """Yield arrays of random whole numbers of 32 bits; NumPy keeps this stream as it is."""
    import numpy as np

    source = np.random.PCG64(seed)
    while True:
        yield (source.random_raw(count) >> np.uint64(32)).astype(np.int64)


def _windows(
    digits: "NDArray[np.uint8]",
    which: "NDArray[np.int64]",
    rows: "NDArray[np.int64]",
    columns: "NDArray[np.int64]",
) -> "NDArray[np.uint8]":
    import numpy as np

    within = np.arange(SCRAP)
    found: NDArray[np.uint8] = digits[
        which[:, None, None],
        rows[:, None, None] + within[:, None],
        columns[:, None, None] + within,
    ]
    return found


def _lay(
    images: "NDArray[np.uint8]",
    which: "NDArray[np.int64]",
    pieces: "NDArray[np.uint8]",
    rows: "NDArray[np.int64]",
    columns: "NDArray[np.int64]",
) -> None:
    """Lay a piece on each of some images, at random places; where two meet, the lighter is seen."""
    import numpy as np

    size = pieces.shape[1]
    within, room = np.arange(size), SIZE - size + 1
    at = (
        which[:, None, None],
        (rows % room)[:, None, None] + within[:, None],
        (columns % room)[:, None, None] + within,
    )
    images[at] = np.maximum(images[at], pieces)


MNIST_SCALES = DataSet(
    name="mnist-scales",
    title=later("MNIST at many scales"),
    images=ImageSpec(channels=1, size=SIZE, num_classes=10),
    classes=MNIST.classes,
    read=read_scales,
    mean=(0.1058,),
    std=(0.2737,),
    citation=later(
        "LeCun, Cortes & Burges, The MNIST database of handwritten digits (CC BY-SA 3.0); made "
        "from it by the explorer, after Mnih et al., arXiv:1406.6247"
    ),
    version="1",
)
