"""Fetches a data set once and keeps it decoded: four arrays on disk, mapped into memory.

The arrays of a data set appear in the cache folder all together or not at all: they are made in a
scratch folder beside it, which is renamed when everything is there and checked.
"""

import contextlib
import gzip
import hashlib
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.data.catalogue import DataSet

DOWNLOAD_SECONDS = 30.0  # without a word from the other side
MNIST = Path(__file__).parent / "mnist"
CHECKSUMS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class DataError(RuntimeError):
    """A data set that cannot be had; the message names it, its address and the cache folder."""


@dataclass(frozen=True, slots=True)
class Decoded:
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


_PARTS = tuple(Decoded.__dataclass_fields__)


def decoded(dataset: DataSet, cache: Path) -> Decoded:
    """Read a data set from the cache folder, fetching and decoding it if it is not there yet.

    Raises:
        DataError: It cannot be fetched, or what came is not what was expected. Nothing is left in
            the cache folder then.
    """
    home = cache / dataset.name
    if not home.is_dir():
        _prepare(dataset, cache, home)
    # Copy-on-write: torch wants writable memory, and the file must stay as it is.
    parts = {part: np.load(home / f"{part}.npy", mmap_mode="c") for part in _PARTS}
    return Decoded(**parts)


def is_cached(dataset: DataSet, cache: Path) -> bool:
    """Whether the data set can be read without fetching anything."""
    return dataset.embedded or (cache / dataset.name).is_dir()


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
    except OSError as error:
        raise DataError(
            f"{dataset.title} could not be written to the cache folder {cache} "
            f"({_brief(error)}); make room there, or name another folder in EXPLORER_CACHE."
        ) from error


def _decode(dataset: DataSet, raw: Path, ready: Path, cache: Path) -> None:
    raw.mkdir()
    ready.mkdir()
    try:
        if dataset.embedded:
            _unpack_mnist(raw / "MNIST" / "raw")
        with _patience(DOWNLOAD_SECONDS):
            train = _read(dataset, raw, train=True)
            test = _read(dataset, raw, train=False)
    except Exception as error:
        kept = f"Nothing was kept in the cache folder {cache}."
        if dataset.embedded:
            raise DataError(
                f"{dataset.title} could not be read from {MNIST} ({_brief(error)}). {kept} "
                "Reinstall the explorer: its copy of the files is damaged."
            ) from error
        raise DataError(
            f"{dataset.title} could not be downloaded from {dataset.address} ({_brief(error)}). "
            f"{kept} Check the network and try again, or choose MNIST, which needs none."
        ) from error
    arrays: tuple[NDArray[Any], ...] = (*train, *test)
    for part, array in zip(_PARTS, arrays, strict=True):
        np.save(ready / f"{part}.npy", array)


@contextlib.contextmanager
def _patience(seconds: float) -> Iterator[None]:
    # torchvision's downloads would wait for ever on a network that swallows what it is sent.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _unpack_mnist(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, checksum in CHECKSUMS.items():
        with gzip.open(MNIST / f"{name}.gz") as packed, open(folder / name, "wb") as file:
            shutil.copyfileobj(packed, file)
        if hashlib.md5((folder / name).read_bytes()).hexdigest() != checksum:
            raise ValueError(f"{name} does not have the MD5 sum {checksum}")


def _read(
    dataset: DataSet, folder: Path, *, train: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    import torchvision.datasets  # slow to import, and not needed once the cache is there

    cls: Any = getattr(torchvision.datasets, dataset.torchvision)
    source = cls(folder, train=train, download=not dataset.embedded)
    images, labels = np.asarray(source.data), np.asarray(source.targets)
    # Grey images come as (N, H, W), colour as (N, H, W, C); QMNIST's labels carry more columns.
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    labels = labels[:, 0] if labels.ndim == 2 else labels
    spec = dataset.images
    if images.shape != (len(labels), spec.channels, spec.size, spec.size) or not len(labels):
        raise ValueError(f"{len(labels)} labels and images of shape {images.shape} do not fit")
    if labels.min() < 0 or labels.max() >= spec.classes:
        raise ValueError(f"labels lie outside 0–{spec.classes - 1}")
    return np.ascontiguousarray(images, np.uint8), labels.astype(np.int64)


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    if "urlopen error" in text or isinstance(error, TimeoutError):
        return "no connection"
    return text or type(error).__name__
