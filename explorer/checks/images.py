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
from explorer.language import author, listed, say

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
        say(
            "{training:,} training images and {test:,} test images of {images}.",
            training=len(arrays.train_labels),
            test=len(arrays.test_labels),
            images=examined.dataset.images,
        ),
    )


def files(examined: Examined) -> Found:
    """Are all of its files used?"""
    for note in examined.dataset.notes:
        yield "note", note
    if not examined.dataset.notes:
        yield "ok", say("Nothing is left out.")


def classes(examined: Examined) -> Found:
    """Are there images of every class?"""
    names, arrays = [author(each) for each in examined.dataset.classes], examined.arrays
    for is_test, labels in ((False, arrays.train_labels), (True, arrays.test_labels)):
        counts = np.bincount(labels, minlength=len(names)).tolist()
        least, most = min(counts), max(counts)
        rare, frequent = names[counts.index(least)], names[counts.index(most)]
        values: dict[str, Any] = {"most": most, "frequent": frequent, "least": least, "rare": rare}
        missing = listed([name for name, n in zip(names, counts, strict=True) if not n], ",")
        if missing and is_test:
            yield "note", say("There is no test image of {classes}.", classes=missing)
        elif missing:
            yield "note", say("There is no training image of {classes}.", classes=missing)
        elif most > 10 * least and is_test:
            yield (
                "note",
                say(
                    "There are {most:,} test images of {frequent} and {least:,} of {rare}, so "
                    "accuracy is mostly that of the frequent classes.",
                    **values,
                ),
            )
        elif most > 10 * least:
            yield (
                "note",
                say(
                    "There are {most:,} training images of {frequent} and {least:,} of {rare}, so "
                    "accuracy is mostly that of the frequent classes.",
                    **values,
                ),
            )
        else:
            yield "ok", _each(least, most, is_test=is_test)
    if (number := len(arrays.test_labels)) < _FEW:
        yield (
            "note",
            say(
                "There are only {n} test images, so each of them is {share:.0f} % of the test "
                "accuracy.",
                n=number,
                share=100 / number,
            ),
        )


def pixels(examined: Examined) -> Found:
    """Do the pixels use their range, and do they have the declared mean and std?"""
    images = examined.arrays.train_images
    if images.max() <= 1:
        yield (
            "error",
            say(
                "All its pixels are 0 or 1 of 255: multiply values from 0 to 1 by 255 before you "
                "make them uint8."
            ),
        )
        return
    dataset, (mean, std) = examined.dataset, mean_and_std(images)
    constant = [str(channel + 1) for channel, spread in enumerate(std) if not spread]
    if constant:
        numbers = listed(constant, ",")
        which = say("Channel {numbers} of {total}", numbers=numbers, total=len(std))
        yield (
            "note",
            say(
                "{which} has one value in all training images, of which nothing can be learned.",
                which=which if len(std) > 1 else say("Every pixel"),
            ),
        )
    values = say("mean {mean}, standard deviation {std}", mean=_numbers(mean), std=_numbers(std))
    for declared, measured in ((dataset.mean, mean), (dataset.std, std)):
        if declared and max(abs(np.subtract(declared, measured))) > _TOLERANCE:
            yield (
                "note",
                say(
                    "The pixels have {values}; declare these, or none to have them measured.",
                    values=values,
                ),
            )
            return
    yield "ok", say("The pixels have {values}.", values=values)


def overlap(examined: Examined) -> Found:
    """Are there test images that are training images too?"""
    arrays = examined.arrays
    known = {hashlib.md5(image.tobytes()).digest() for image in arrays.train_images}
    tested = arrays.test_images
    shared = sum(hashlib.md5(image.tobytes()).digest() in known for image in tested)
    if shared > len(tested) / 100:
        yield (
            "note",
            say(
                "{shared:,} of {total:,} test images are training images too, so test accuracy "
                "will look better than it is.",
                shared=shared,
                total=len(tested),
            ),
        )
    else:
        yield (
            "ok",
            say(
                "{shared:,} of {total:,} test images are training images too.",
                shared=shared,
                total=len(tested),
            ),
        )


CHECKS: Mapping[str, Callable[[Examined], Found]] = {
    check.__name__: check for check in (reads, files, classes, pixels, overlap)
}


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)


def _each(least: int, most: int, *, is_test: bool) -> str:
    if is_test and least == most:
        return say("Each class has {n:,} test images.", n=least)
    if least == most:
        return say("Each class has {n:,} training images.", n=least)
    if is_test:
        return say("Each class has {least:,} to {most:,} test images.", least=least, most=most)
    return say("Each class has {least:,} to {most:,} training images.", least=least, most=most)
