"""Finds the pictures of a folder, their classes, and which of them are test images; reads them.

What is left out is said in a sentence, unless an operating system put it there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from explorer.data.dataset import DataSet, DataSetError, files_in, is_of_a_system
from explorer.language import listed, say

SUFFIXES = frozenset(
    (
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".gif", ".bmp", ".webp"),
        *(".tif", ".tiff", ".avif", ".avifs", ".ico", ".pbm", ".pgm", ".ppm", ".pnm", ".pfm"),
        *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    )
)
_TRAIN = ("train", "training")
_VALIDATION = ("val", "valid", "validation")
_TEST = ("test", "testing")
_NAMED = 3  # of those that a sentence is about

Labelled: TypeAlias = tuple[Path, int]


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of a folder.

    Attributes:
        classes: The names of the classes, in alphabetical order.
        train: The training images' files, with the numbers of their classes.
        test: The test images' files, likewise.
        notes: What is left out, and what is taken for what, in sentences.
    """

    classes: tuple[str, ...]
    train: tuple[Labelled, ...]
    test: tuple[Labelled, ...]
    notes: tuple[str, ...]


def find_pictures(folder: Path, every: int) -> Pictures:
    """Find the pictures of a folder that holds a folder for each class.

    Args:
        folder: Holds these; or it holds a folder `train`, and a folder `test` or `val`, that do.
        every: Without a folder `test` or `val`, one in so many pictures of a class is a test image.

    Raises:
        DataSetError: There is no such folder, or one in it cannot be read.
    """
    if not folder.is_dir():
        raise DataSetError(
            say(
                "There is no folder {folder}; put the pictures of each class into a folder there.",
                folder=folder,
            )
        )
    homes, notes = _homes(folder, every)
    classes = sorted({name for home in homes for name in home.pictures})
    parts: tuple[list[Labelled], list[Labelled]] = ([], [])
    for label, name in enumerate(classes):
        for number, home in enumerate(homes):
            for index, file in enumerate(home.pictures.get(name, ())):
                is_test = number == 1 if len(homes) > 1 else index % every == every - 1
                parts[is_test].append((file, label))
    empty = {path for home in homes for path in home.empty if path.name not in classes}
    if empty:
        notes.append(
            say(
                "Left out, since these folders hold no picture: {folders}.",
                folders=_named(empty, folder),
            )
        )
    if loose := [file for home in homes for file in home.loose]:
        notes.append(
            say(
                "Left out, since these pictures are in no class's folder: {pictures}.",
                pictures=_named(loose, folder),
            )
        )
    if others := [file for home in homes for file in home.others]:
        notes.append(
            say(
                "Left out, since these files are no pictures: {files}.",
                files=_named(others, folder),
            )
        )
    return Pictures(tuple(classes), tuple(parts[0]), tuple(parts[1]), tuple(notes))


def read_pictures(files: Sequence[Path], dataset: DataSet) -> Any:
    """Read all pictures of a data set, in one way.

    Returns:
        `uint8`, `(N, C, size, size)`, in the order of the files.

    Raises:
        DataSetError: Some cannot be used.
    """
    import numpy as np

    from explorer.data.pictures import PictureError, fit, open_picture, prepare
    from explorer.data.tones import Survey, ToneError, Tones

    images = np.empty((len(files), *dataset.images.shape), np.uint8)
    survey, deep, failed = Survey(), list[int](), dict[Path, str]()
    for index, file in enumerate(files):
        try:
            picture = open_picture(file.read_bytes())
            if dataset.centred:
                images[index] = prepare(picture, dataset)
            elif survey.add(picture):
                deep.append(index)
            else:
                images[index] = fit(picture, dataset.images, Tones())
        except (PictureError, ToneError) as error:
            failed[file] = str(error)
        except OSError as error:
            failed[file] = say("It cannot be opened ({reason}).", reason=error.strerror)
    if failed:
        file, reason = next(iter(failed.items()))
        if others := list(failed)[1:]:
            raise DataSetError(
                say(
                    "{file} cannot be used: {reason} Nor can {others}.",
                    file=file,
                    reason=reason,
                    others=_named(others, dataset.files[0]),
                )
            )
        raise DataSetError(say("{file} cannot be used: {reason}", file=file, reason=reason))
    for index in deep:
        picture = open_picture(files[index].read_bytes())
        images[index] = fit(picture, dataset.images, survey.tones)
    return images


class _Home:
    """What is in a folder that holds a folder for each class.

    Attributes:
        path: The folder.
        pictures: The pictures of each class that has any, in the order of their names.
        empty: The folders that hold none.
        loose: The pictures that are in no class's folder.
        others: The files in folders of classes that are no pictures.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures: dict[str, list[Path]] = {}
        self.empty, self.loose, self.others = list[Path](), list[Path](), list[Path]()
        for file in sorted(map(Path, files_in(path, onerror=_refuse))):
            inside = file.relative_to(path).parts
            if file.suffix.lower() not in SUFFIXES:
                self.others += [file] if len(inside) > 1 else []
            elif len(inside) > 1:
                self.pictures.setdefault(inside[0], []).append(file)
            else:
                self.loose.append(file)
        self.empty = [each for each in _folders(path) if each.name not in self.pictures]


def _homes(folder: Path, every: int) -> tuple[list[_Home], list[str]]:
    """Return the folders that hold the classes' folders: one, or those of training and test.

    Returns:
        The folders; and what was taken for what, in sentences.
    """
    inside = {each.name.lower(): each for each in _folders(folder)}

    def found(names: Iterable[str]) -> _Home | None:
        return next((_Home(inside[name]) for name in names if name in inside), None)

    train, validation, test = found(_TRAIN), found(_VALIDATION), found(_TEST)
    parts = [part for part in (train, test, validation) if part]
    if not train or not train.pictures:
        return [_Home(folder)], []
    held_out = next((part for part in (test, validation) if part and part.pictures), None)
    if not held_out and len(parts) < len(inside):  # `train` is the name of a class
        return [_Home(folder)], []
    notes = []
    if held_out and held_out is validation:
        notes.append(say("The test images are those of {folder}.", folder=validation.path.name))
    used = [train, held_out] if held_out else [train]
    rest = [each for each in inside.values() if each not in [part.path for part in used]]
    if rest and held_out:
        notes.append(
            say(
                "The explorer takes training images from {train} and test images from {test}; left "
                "out: {rest}.",
                train=train.path.name,
                test=held_out.path.name,
                rest=_named(rest, folder),
            )
        )
    elif rest:
        notes.append(
            say(
                "One in {every} pictures of {folder} is a test image; left out: {rest}.",
                every=every,
                folder=train.path.name,
                rest=_named(rest, folder),
            )
        )
    return used, notes


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(
            each for each in folder.iterdir() if each.is_dir() and not is_of_a_system(each.name)
        )
    except OSError as error:
        _refuse(error)
        raise


def _refuse(error: OSError) -> None:
    raise DataSetError(
        say(
            "The folder {folder} cannot be read ({reason}); let this user read it.",
            folder=error.filename,
            reason=error.strerror,
        )
    ) from error


def _named(paths: Iterable[Path], folder: Path) -> str:
    """Name a few paths in a folder, and say how many more there are."""
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    some = listed(names[:_NAMED], ",")
    if len(names) <= _NAMED:
        return some
    return say("{names} and {more:,} more", names=some, more=len(names) - _NAMED)
