"""Fetches a data set once and keeps it decoded: four arrays on disk, mapped into memory.

The arrays of a data set appear in the cache folder all together or not at all: they are made in a
scratch folder beside it, which is renamed when everything is there and checked.
"""

import contextlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.data.dataset import DataSet, DataSetError, digest
from explorer.data.downloads import request_timeout
from explorer.errors import ExplorerError, explain
from explorer.spec import ImageSpec

DOWNLOAD_SECONDS = 30.0  # without an answer


class DataError(ExplorerError, RuntimeError):
    """A data set that cannot be had; the message names it, its address and the cache folder."""


@dataclass(frozen=True, slots=True)
class Arrays:
    """A data set's images and labels.

    Attributes:
        train_images: `uint8`, `(N, C, H, W)`.
        train_labels: `int64`, `(N,)`.
        test_images: `uint8`, `(M, C, H, W)`.
        test_labels: `int64`, `(M,)`.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


_PARTS = tuple(Arrays.__dataclass_fields__)


def load_arrays(dataset: DataSet, cache: Path) -> Arrays:
    """Read a data set from the cache folder, reading and decoding it if it is not there yet.

    Raises:
        DataError: It cannot be had, or what came is not what was expected. Nothing is left in the
            cache folder then.
    """
    home = _home(dataset, cache)
    if not home.is_dir():
        _prepare(dataset, cache, home)
    # Copy-on-write: torch wants writable memory, and the file must stay as it is.
    parts = {part: np.load(home / f"{part}.npy", mmap_mode="c") for part in _PARTS}
    return Arrays(**parts)


def read_uncached(dataset: DataSet) -> Arrays:
    """Read a data set past the cache, and keep nothing.

    Raises:
        DataError: It cannot be had, or what came is not what was expected.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return _read(dataset, Path(scratch), "")


def is_cached(dataset: DataSet, cache: Path) -> bool:
    """Whether the data set can be read without fetching anything."""
    return not dataset.needs_download or _home(dataset, cache).is_dir()


def statistics(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Each channel's mean and standard deviation, of pixels scaled to 0–1.

    Args:
        images: `(N, C, H, W)`.
    """
    shades = np.arange(256) / 255
    means, stds = [], []
    for channel in range(images.shape[1]):
        # Counting shades is exact, and needs no copy of all the images as floating point.
        counts = np.bincount(images[:, channel].ravel(), minlength=256)
        mean = float(counts @ shades / counts.sum())
        means.append(mean)
        stds.append(float(np.sqrt(counts @ (shades - mean) ** 2 / counts.sum())))
    return tuple(means), tuple(stds)


def _home(dataset: DataSet, cache: Path) -> Path:
    """Return the folder of a data set's arrays: another one for all that may change them."""
    state = digest(dataset.version or "", str(dataset.images), dataset.url)
    return cache / f"{dataset.name}-{state}"


def _prepare(dataset: DataSet, cache: Path, home: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{dataset.name}-", dir=cache) as scratch:
            _decode(dataset, Path(scratch, "raw"), ready := Path(scratch, "ready"), cache)
            # Another process may have been quicker; what it made is the same.
            with contextlib.suppress(OSError):
                ready.rename(home)
            if not home.is_dir():
                raise OSError(f"{home} could not be made")
        _forget_earlier(dataset, cache, home)
    except OSError as error:
        raise DataError(
            f"{dataset.title} could not be written to the cache folder {cache} "
            f"({_brief(error)}); make room there, or name another folder in EXPLORER_CACHE."
        ) from error


def _forget_earlier(dataset: DataSet, cache: Path, home: Path) -> None:
    """Delete the earlier versions of a data set."""
    pattern = re.compile(rf"{re.escape(dataset.name)}(-[0-9a-f]{{16}})?")
    for folder in cache.iterdir():
        if folder != home and pattern.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def _decode(dataset: DataSet, raw: Path, ready: Path, cache: Path) -> None:
    raw.mkdir()
    ready.mkdir()
    kept = f" Nothing was kept in the cache folder {cache}."
    arrays = _read(dataset, raw, kept)
    if dataset.has_changed:  # these would be kept as the arrays of the earlier files
        raise DataError(
            f"The files of {dataset.title} have changed since its plugin was loaded; reload the "
            f"plugins and try again.{kept}"
        )
    for part in _PARTS:
        np.save(ready / f"{part}.npy", getattr(arrays, part))


def _read(dataset: DataSet, folder: Path, kept: str) -> Arrays:
    try:
        with request_timeout(DOWNLOAD_SECONDS):
            arrays = dataset.read(folder)
        return _checked(dataset, arrays)
    except (Exception, SystemExit) as error:  # an author's code may raise anything
        if dataset.needs_download and not isinstance(error, DataSetError):
            raise DataError(
                f"{dataset.title} could not be downloaded from {dataset.url} "
                f"({_brief(error)}).{kept} Check the network and try again, or choose a data set "
                "that needs none."
            ) from error
        sentence = explain(error, dataset.location)
        raise DataError(f"{dataset.title} could not be read: {sentence}{kept}") from error


def _checked(dataset: DataSet, arrays: Any) -> Arrays:
    try:
        train_images, train_labels, test_images, test_labels = arrays
    except (TypeError, ValueError):
        raise DataSetError(
            "The function read must return four arrays: training images, training labels, test "
            "images and test labels."
        ) from None
    return Arrays(
        *_split(dataset.images, train_images, train_labels, "training"),
        *_split(dataset.images, test_images, test_labels, "test"),
    )


def _split(
    spec: ImageSpec, given_images: Any, given_labels: Any, which: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images, labels = np.asarray(given_images), np.asarray(given_labels)
    if images.dtype != np.uint8:
        raise DataSetError(
            f"Its {which} images are {images.dtype}; make them uint8, from 0 to 255: multiply "
            "values from 0 to 1 by 255 and round them."
        )
    wanted = (spec.channels, spec.size, spec.size)
    shape = images.shape
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and shape[1:] != wanted:
        images = images.transpose(0, 3, 1, 2)
    if images.shape[1:] != wanted:
        sizes = ", ".join(map(str, wanted))
        raise DataSetError(
            f"Its {which} images are of shape {shape} where (N, {sizes}) is expected."
        )
    if labels.shape != (len(images),) or not len(labels):
        raise DataSetError(
            f"It has {len(images)} {which} images and labels of shape {labels.shape}, which do not "
            "fit; give each image one label."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= spec.num_classes:
        raise DataSetError(
            f"Its {which} labels lie outside 0–{spec.num_classes - 1}; number the classes from 0, "
            "in whole numbers."
        )
    return np.ascontiguousarray(images), labels.astype(np.int64)


def _brief(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, TimeoutError) or "timed out" in text:
        return f"no answer for {DOWNLOAD_SECONDS:g} seconds"
    if "urlopen error" in text:
        return "no connection"
    return text or type(error).__name__
