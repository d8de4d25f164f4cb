"""Reads a data set once and keeps its arrays: four files on disk, mapped into memory.

The arrays of a data set appear in the cache folder all together or not at all: they are written to
a scratch folder beside it, which is renamed when all of them are there and have been checked. What
is damaged is never written to, since a process that has mapped a file ends when the file becomes
shorter: the arrays are made again in a folder of the next number, and the damaged one is deleted.
"""

import json
import logging
import re
import shutil
import tempfile
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from explorer.data.arrays import as_bytes, as_numbers, as_square, images_of, labels_of
from explorer.data.dataset import DataSet, DataSetError, digest
from explorer.data.downloads import request_timeout
from explorer.errors import ExplorerError, explain
from explorer.language import author, bare, english, say
from explorer.spec import ImageSpec
from explorer.text import on_one_line

DOWNLOAD_SECONDS = 30.0  # without an answer

_MANIFEST = "manifest.json"  # beside the arrays: each file's size and checksum
_FORMAT = 1
_ATTEMPTS = 5  # of several processes that repair a data set at once, each needs two at most
_CHUNK = 2**20  # bytes

_PARSING = threading.Lock()

_log = logging.getLogger(__name__)


class DataError(ExplorerError, RuntimeError):
    """A data set cannot be downloaded, read or written; the message names it and the cause."""


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
    """Return a data set's arrays from the cache folder; at the first time, read and write them.

    What is damaged there, or of another version of the explorer, is made again.

    Raises:
        DataError: It cannot be downloaded or read, or its arrays are not as it describes them.
            Nothing is left in the cache folder then.
    """
    for _ in range(_ATTEMPTS):
        for home in _homes(dataset, cache):
            if arrays := _load(home):
                return arrays
            _log.warning("%s is damaged, or of another version; it is made again", home)
        _fill(dataset, cache)
    raise DataError(
        say(
            "{title} was written to the cache folder {folder}, but cannot be read again as it was "
            "written; name another folder in EXPLORER_CACHE.",
            title=author(dataset.title),
            folder=cache,
        )
    )


def read_uncached(dataset: DataSet) -> Arrays:
    """Read a data set without the cache: neither use what is there, nor write to it.

    Raises:
        DataError: It cannot be downloaded or read, or its arrays are not as it describes them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return _read(dataset, Path(scratch))


def is_cached(dataset: DataSet, cache: Path) -> bool:
    """Return whether a data set can be read without the network."""
    return not dataset.needs_download or is_decoded(dataset, cache)


def is_decoded(dataset: DataSet, cache: Path) -> bool:
    """Return whether a data set's arrays are in the cache."""
    return any(map(_checksums, _homes(dataset, cache)))


def train_size(dataset: DataSet, cache: Path) -> int | None:
    """Return how many training images a data set has; `None` while it is not in the cache."""
    for home in _homes(dataset, cache):
        try:
            return len(_map(home / "train_labels.npy", "r"))
        except (OSError, ValueError):  # damaged, and not mended yet
            continue
    return None


def peek(dataset: DataSet, cache: Path) -> Arrays | None:
    """Return a data set's arrays, mapped and not checked; `None` while it is not in the cache."""
    for home in _homes(dataset, cache):
        try:
            if _checksums(home):
                return Arrays(*(_map(home / f"{part}.npy", "r") for part in _PARTS))
        except (OSError, ValueError):  # damaged, and not mended yet
            continue
    return None


def mean_and_std(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return each channel's mean and standard deviation, of pixels scaled to 0–1.

    The deviation of a channel that is the same everywhere is 0, exactly.

    Args:
        images: `(N, C, H, W)`.
    """
    shades = np.arange(256) / 255
    means, stds = [], []
    for channel in range(images.shape[1]):
        # Counting shades is exact, and needs no copy of all images in floating point.
        counts = np.bincount(images[:, channel].ravel(), minlength=256)
        mean = float(counts @ shades / counts.sum())
        means.append(mean)
        is_constant = np.count_nonzero(counts) == 1  # rounding would make its deviation 1e-17
        variance = 0.0 if is_constant else counts @ (shades - mean) ** 2 / counts.sum()
        stds.append(float(np.sqrt(variance)))
    return tuple(means), tuple(stds)


def _homes(dataset: DataSet, cache: Path) -> list[Path]:
    """Return the folders of a data set's arrays, the newest first; all but one are damaged."""
    pattern = re.compile(rf"{re.escape(_name(dataset))}(?:\.(\d+))?")
    found = ((pattern.fullmatch(path.name), path) for path in cache.glob(f"{_name(dataset)}*"))
    numbered = [(int(match[1] or 1), path) for match, path in found if match]
    return [path for _, path in sorted(numbered, reverse=True)]


def _name(dataset: DataSet) -> str:
    """Return a name with all that decides a data set's arrays."""
    state = digest(dataset.version or "", english(dataset.images), dataset.url)
    return f"{dataset.name}-{state}"


def _load(home: Path) -> Arrays | None:
    """Map the arrays of a folder into memory; return `None` unless they are as they were written.

    A checksum of all bytes costs less than the first look at them: 10 ms for MNIST.
    """
    if not (checksums := _checksums(home)):
        return None
    try:
        if any(_checksum(home / name) != known for name, known in checksums.items()):
            return None
        # Copy-on-write: torch wants writable memory, and the file must not change.
        return Arrays(*(_map(home / f"{part}.npy", "c") for part in _PARTS))
    except (OSError, ValueError):  # another process has just deleted it
        return None


def _map(file: Path, mode: Literal["r", "c"]) -> NDArray[Any]:
    """Map an array into memory.

    NumPy parses the header of the file as Python, and CPython 3.11 may fail with a `SystemError`
    where two threads parse at once.
    """
    with _PARSING:
        return np.load(file, mmap_mode=mode)  # type: ignore[no-any-return]


def _checksums(home: Path) -> dict[str, int]:
    """Return the checksum of each file of a folder; of none, if one is not there as a whole."""
    try:
        manifest = json.loads((home / _MANIFEST).read_bytes())
        files = {f"{part}.npy": manifest["files"][f"{part}.npy"] for part in _PARTS}
        sizes = {name: (home / name).stat().st_size for name in files}
        is_whole = all(sizes[name] == known["bytes"] for name, known in files.items())
        if manifest["format"] != _FORMAT or not is_whole:
            return {}
        return {name: known["crc32"] for name, known in files.items()}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _checksum(file: Path) -> int:
    # It is read, not mapped: a file that is cut meanwhile must not end the process.
    found, chunk = 0, memoryview(bytearray(_CHUNK))
    with open(file, "rb", buffering=0) as opened:
        while length := opened.readinto(chunk):
            found = zlib.crc32(chunk[:length], found)
    return found


def _fill(dataset: DataSet, cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{dataset.name}-", dir=cache) as scratch:
            raw, ready = Path(scratch, "raw"), Path(scratch, "ready")
            raw.mkdir()
            ready.mkdir()
            _write(dataset, raw, ready, cache)
            home = _place(ready, dataset, cache)
        _delete_earlier(dataset, cache, home)
    except OSError as error:
        raise DataError(
            say(
                "{title} could not be written to the cache folder {folder} ({cause}); make room "
                "there or make it writable, or name another folder in EXPLORER_CACHE.",
                title=author(dataset.title),
                folder=cache,
                cause=_cause(error),
            )
        ) from error


def _place(ready: Path, dataset: DataSet, cache: Path) -> Path:
    """Rename a folder to the next number of its data set; return the folder to be used."""
    failure = OSError(f"{cache} cannot be written")
    for _ in range(_ATTEMPTS):
        homes = _homes(dataset, cache)
        for home in homes:
            if _load(home):  # another process was faster; its arrays are the same
                return home
        newest = int(homes[0].suffix[1:] or 1) if homes else 0
        home = cache / (f"{_name(dataset)}.{newest + 1}" if newest else _name(dataset))
        try:
            return ready.rename(home)
        except OSError as error:  # possibly another has taken the number in between
            failure = error
    raise failure


def _write(dataset: DataSet, raw: Path, ready: Path, cache: Path) -> None:
    arrays = _read(dataset, raw, cache)
    if dataset.has_changed:  # these would be kept as the arrays of the earlier files
        raise DataError(
            say(
                "The files of {title} have changed since its plugin was loaded; reload the plugins "
                "and try again. Nothing was kept in the cache folder {folder}.",
                title=author(dataset.title),
                folder=cache,
            )
        )
    for part in _PARTS:
        np.save(ready / f"{part}.npy", getattr(arrays, part))
    files = {
        file.name: {"bytes": file.stat().st_size, "crc32": _checksum(file)}
        for file in sorted(ready.iterdir())
    }
    (ready / _MANIFEST).write_text(json.dumps({"format": _FORMAT, "files": files}, indent=1))


def _delete_earlier(dataset: DataSet, cache: Path, home: Path) -> None:
    pattern = re.compile(rf"{re.escape(dataset.name)}(-[0-9a-f]{{16}}(\.\d+)?)?")
    for folder in cache.iterdir():
        if folder != home and pattern.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def _read(dataset: DataSet, folder: Path, cache: Path | None = None) -> Arrays:
    """Read the arrays, in an empty folder; `cache` is where they would be kept."""
    title = author(dataset.title)
    try:
        with request_timeout(DOWNLOAD_SECONDS):
            arrays = dataset.read(folder)
        return _check(dataset, arrays)
    except (Exception, SystemExit) as error:  # an author's code may raise anything
        if dataset.needs_download and not isinstance(error, DataSetError):
            values = {"title": title, "url": dataset.url, "cause": _cause(error)}
            if cache is None:
                raise DataError(
                    say(
                        "{title} could not be downloaded from {url} ({cause}). Check the network "
                        "and try again, or choose a data set that needs none.",
                        **values,
                    )
                ) from error
            raise DataError(
                say(
                    "{title} could not be downloaded from {url} ({cause}). Nothing was kept in the "
                    "cache folder {folder}. Check the network and try again, or choose a data set "
                    "that needs none.",
                    **values,
                    folder=cache,
                )
            ) from error
        reason = explain(error, dataset.location)
        if cache is None:
            raise DataError(
                say("{title} could not be read: {reason}", title=title, reason=reason)
            ) from error
        raise DataError(
            say(
                "{title} could not be read: {reason} Nothing was kept in the cache folder "
                "{folder}.",
                title=title,
                reason=reason,
                folder=cache,
            )
        ) from error


def _check(dataset: DataSet, arrays: Any) -> Arrays:
    """Return what a reader gave as arrays of one layout and type.

    Raises:
        DataSetError: They do not fit the description.
    """
    try:
        train_images, train_labels, test_images, test_labels = arrays
    except (TypeError, ValueError):
        raise DataSetError(
            say(
                "The function read must return four arrays: training images, training labels, test "
                "images and test labels."
            )
        ) from None
    # Here, since what an author's own class raises is the author's fault.
    given = [np.asarray(array) for array in (train_images, test_images, train_labels, test_labels)]
    images = as_bytes(*given[:2])
    parts = [
        _check_part(dataset.images, *part)
        for part in zip(images, given[2:], ("training", "test"), strict=True)
    ]
    return Arrays(*parts[0], *parts[1])


def _check_part(
    spec: ImageSpec, images: NDArray[np.uint8], given_labels: NDArray[Any], which: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images = as_square(images, spec, which)
    labels = as_numbers(given_labels, which)
    if len(labels) != len(images) or not len(labels):
        raise DataSetError(
            say(
                "It has {number} {images} and labels of the shape {shape}, which do not fit; give "
                "one label for each image, and at least one image.",
                number=len(images),
                images=images_of(which),
                shape=given_labels.shape,
            )
        )
    if labels.min() < 0 or labels.max() >= spec.num_classes:
        raise DataSetError(
            say(
                "Its {labels} are numbers from {low} to {high}, but its {classes} classes have the "
                "numbers 0 to {last}.",
                labels=labels_of(which),
                low=int(labels.min()),
                high=int(labels.max()),
                classes=spec.num_classes,
                last=spec.num_classes - 1,
            )
        )
    return images, labels


def _cause(error: BaseException) -> str:
    text = bare(on_one_line(str(error)))
    if isinstance(error, TimeoutError) or "timed out" in text:
        return say("no answer for {seconds:g} seconds", seconds=DOWNLOAD_SECONDS)
    if "urlopen error" in text:
        return say("no connection")
    return text or type(error).__name__
