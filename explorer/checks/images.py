"""Checks a data set: reads it, and looks at its arrays."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from explorer.checks.findings import Finding, Found, Report, place_of, run_check
from explorer.data.cache import Arrays, DataError, load_arrays, mean_and_std, read_uncached
from explorer.data.dataset import DataSet

_TOLERANCE = 0.05  # between a measured mean or std and the declared one
_FEW = 20  # test images, of which one is 5 % of the accuracy


class Examined:
    """A data set while it is checked; its arrays are read once for all checks.

    Args:
        dataset: The data set.
        cache: The folder of the cached arrays.
        again: Whether to read it without the cache, if that needs no download.
    """

    def __init__(self, dataset: DataSet, cache: Path, *, again: bool = True) -> None:
        self.dataset, self.cache, self.again = dataset, cache, again

    @cached_property
    def arrays(self) -> Arrays:
        """Images and labels."""
        if self.dataset.needs_download or not self.again:
            return load_arrays(self.dataset, self.cache)
        return read_uncached(self.dataset)

    @cached_property
    def home(self) -> str:
        """The file and line where its reader is defined."""
        return place_of(self.dataset.read)


def examine(dataset: DataSet, cache: Path) -> Report:
    """Run every check on a data set; download it if that is needed."""
    examined = Examined(dataset, cache)
    try:
        sizes = [len(examined.arrays.train_labels), len(examined.arrays.test_labels)]
        findings = tuple(finding for name in CHECKS for finding in run(examined, name))
    except DataError as error:
        sizes = [0, 0]
        findings = (Finding("reads", "error", str(error), examined.home),)
    facts: dict[str, Any] = {
        "title": dataset.title,
        "origin": dataset.origin,
        "images": [dataset.images.channels, dataset.images.size, dataset.images.size],
        "classes": list(dataset.classes),
        "training_images": sizes[0],
        "test_images": sizes[1],
    }
    return Report("data set", dataset.name, facts, findings)


def remarks(dataset: DataSet, cache: Path) -> tuple[str, ...]:
    """Return what whoever trains on a data set should know of it, in sentences.

    Raises:
        DataError: It cannot be downloaded or read.
    """
    examined = Examined(dataset, cache, again=False)
    assert examined.arrays  # what cannot be read is one error, not one for each check
    findings = [finding for name in CHECKS for finding in run(examined, name)]
    return tuple(finding.text for finding in findings if finding.verdict != "ok")


def run(examined: Examined, name: str) -> Sequence[Finding]:
    """Run one check."""
    location = examined.dataset.location
    return list(run_check(name, CHECKS[name], examined, location, examined.home))


def reads(examined: Examined) -> Found:
    """Can it be read?"""
    arrays = examined.arrays
    yield (
        "ok",
        f"{len(arrays.train_labels):,} training images and {len(arrays.test_labels):,} test images "
        f"of {examined.dataset.images}.",
    )


def files(examined: Examined) -> Found:
    """Are all of its files used?"""
    for note in examined.dataset.notes:
        yield "note", note
    if not examined.dataset.notes:
        yield "ok", "Nothing is left out."


def classes(examined: Examined) -> Found:
    """Are there images of every class?"""
    names, arrays = examined.dataset.classes, examined.arrays
    for which, labels in (("training", arrays.train_labels), ("test", arrays.test_labels)):
        counts = np.bincount(labels, minlength=len(names))
        missing = [name for name, count in zip(names, counts, strict=True) if not count]
        if missing:
            yield "note", f"There is no {which} image of {', '.join(missing)}."
        elif counts.max() > 10 * counts.min():
            frequent, rare = names[counts.argmax()], names[counts.argmin()]
            yield (
                "note",
                f"There are {counts.max():,} {which} images of {frequent} and {counts.min():,} of "
                f"{rare}, so accuracy is mostly that of the frequent classes.",
            )
        else:
            least, most = f"{counts.min():,}", f"{counts.max():,}"
            span = least if least == most else f"{least} to {most}"
            yield "ok", f"Each class has {span} {which} images."
    if (number := len(arrays.test_labels)) < _FEW:
        yield (
            "note",
            f"There are only {number} test images, so each of them is {100 / number:.0f} % of the "
            "test accuracy.",
        )


def pixels(examined: Examined) -> Found:
    """Do the pixels use their range, and do they have the declared mean and std?"""
    images = examined.arrays.train_images
    if images.max() <= 1:
        yield (
            "error",
            "All its pixels are 0 or 1 of 255: multiply values from 0 to 1 by 255 before you make "
            "them uint8.",
        )
        return
    dataset, (mean, std) = examined.dataset, mean_and_std(images)
    constant = [str(channel + 1) for channel, spread in enumerate(std) if not spread]
    if constant:
        which = f"Channel {', '.join(constant)} of {len(std)}" if len(std) > 1 else "Every pixel"
        yield (
            "note",
            f"{which} has one value in all training images, of which nothing can be learned.",
        )
    values = f"mean {_numbers(mean)}, standard deviation {_numbers(std)}"
    for declared, measured in ((dataset.mean, mean), (dataset.std, std)):
        if declared and max(abs(np.subtract(declared, measured))) > _TOLERANCE:
            yield (
                "note",
                f"The pixels have {values}; declare these, or none to have them measured.",
            )
            return
    yield "ok", f"The pixels have {values}."


def overlap(examined: Examined) -> Found:
    """Are there test images that are training images too?"""
    arrays = examined.arrays
    known = {hashlib.md5(image.tobytes()).digest() for image in arrays.train_images}
    tested = arrays.test_images
    shared = sum(hashlib.md5(image.tobytes()).digest() in known for image in tested)
    if shared > len(tested) / 100:
        yield (
            "note",
            f"{shared:,} of {len(tested):,} test images are training images too, so test accuracy "
            "will look better than it is.",
        )
    else:
        yield "ok", f"{shared:,} of {len(tested):,} test images are training images too."


CHECKS: Mapping[str, Callable[[Examined], Found]] = {
    check.__name__: check for check in (reads, files, classes, pixels, overlap)
}


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
