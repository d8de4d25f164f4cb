"""A data set as a plugin describes it: what its images are, and how they are read."""

import hashlib
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from explorer.errors import ExplorerError
from explorer.language import english, say
from explorer.spec import ImageSpec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Reader: TypeAlias = "Callable[[Path], Sequence[ArrayLike]]"

# macOS hides its own: .DS_Store, and ._1.png beside 1.png.
_OF_SYSTEMS = frozenset(
    ("thumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "@eadir", "lost+found")
)


class DataSetError(ExplorerError, ValueError):
    """A data set is described or read in a wrong way; the message is for its author."""


class UnknownDataSetError(ExplorerError, LookupError):
    """No loaded plugin offers a data set of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A data set for image classification, as `register_datasets` registers it.

    Attributes:
        name: Its name in the picker and on the command line: small letters, digits and hyphens.
        images: Channels, size and number of classes.
        classes: The names of the classes, in the order of their numbers.
        read: Reads the images. It receives an empty folder for what it downloads or unpacks, which
            is deleted afterwards, and returns four arrays: the training images, `uint8` from 0 to
            255, `(N, C, H, W)`, `(N, H, W, C)` or, if they are grey, `(N, H, W)`; their labels,
            whole numbers from 0, `(N,)` or `(N, 1)`, or one-hot; and then the test images and
            their labels. Images of another type are scaled to 0–255 in one way for all: floats
            from 0 to 1 or to 255, switches, and whole numbers of more than 8 bits. It is called
            once, since the arrays are kept in the cache folder.
        title: Its name in sentences; by default `name`.
        mean: Each channel's mean over the training images, pixels scaled to 0–1; by default it is
            measured.
        std: Each channel's standard deviation over the training images, likewise. Where it is 0,
            images are divided by 1.
        citation: Who made it, and under which licence.
        url: Where `read` downloads it from; empty if it needs no network. A request through
            `urllib` that gets no answer for 30 seconds fails.
        files: The files and folders on this machine that `read` reads; a folder means all
            files in it. They are part of the default version.
        version: Distinguishes these images from earlier ones of the same name: with another
            version, they are read again, and a run with them is another run. By default a hash of
            the plugin's code and of the names, sizes and times of `files`. Published images never
            change, so the default for a data set with a url is a hash of `images` alone.
        centred: Whether each image's ink was scaled to a box of 20/28 of its size and centred by
            its mass, as in MNIST. A drawn digit is then treated in the same way.
        notes: What whoever uses it should know, in sentences, such as what was left out.
        origin: The plugin that offers it, as a person reads it; set when it is registered.
        location: That plugin's file or folder; set when it is registered.
        target: What `explorer check` finds that plugin by; set when it is registered.
        stamp: The state of `files` when it was described; set then.

    Raises:
        DataSetError: The name is not a valid one, or classes, mean or std do not fit the images.
    """

    name: str
    images: ImageSpec
    classes: tuple[str, ...]
    read: Reader = field(compare=False, repr=False)
    title: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    citation: str = ""
    url: str = ""
    files: tuple[Path, ...] = ()
    version: str | None = None
    centred: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False, repr=False)
    origin: str = field(default="", compare=False, repr=False)
    location: Path | None = field(default=None, compare=False, repr=False)
    target: str = field(default="", compare=False, repr=False)
    stamp: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name)):
            raise DataSetError(
                say(
                    "{name} cannot be a data set's name; use small letters, digits and single "
                    "hyphens, such as 'my-digits'.",
                    name=repr(self.name),
                )
            )
        if not isinstance(self.images, ImageSpec):
            raise DataSetError(
                say(
                    "images of {name} must be an ImageSpec(channels, size, num_classes), not "
                    "{given}.",
                    name=self.name,
                    given=repr(self.images),
                )
            )
        object.__setattr__(self, "classes", tuple(map(str, self.classes)))
        object.__setattr__(self, "title", self.title or self.name)
        different = len(set(self.classes))
        if not different == len(self.classes) == self.images.num_classes >= 2:
            raise DataSetError(
                say(
                    "{name} has {classes} classes and {different} different names for them; give "
                    "each class one name, and have two classes or more.",
                    name=self.name,
                    classes=self.images.num_classes,
                    different=different,
                )
            )
        if self.centred and self.images.channels != 1:
            raise DataSetError(
                say("{name} is centred, which only grey images can be.", name=self.name)
            )
        for what in ("mean", "std"):
            object.__setattr__(self, what, values := tuple(map(float, getattr(self, what))))
            if len(values) not in (0, self.images.channels):
                raise DataSetError(
                    say(
                        "{what} of {name} has {values} values for {channels} channels; give one "
                        "value a channel, or none to have them measured.",
                        what=what,
                        name=self.name,
                        values=len(values),
                        channels=self.images.channels,
                    )
                )
        if not all(map(math.isfinite, (*self.mean, *self.std))) or min(self.std, default=0) < 0:
            raise DataSetError(
                say(
                    "mean and std of {name} must be finite numbers, and std not below 0; give none "
                    "to have them measured.",
                    name=self.name,
                )
            )
        object.__setattr__(self, "notes", tuple(map(str, self.notes)))
        files = [self.files] if isinstance(self.files, str | Path) else self.files
        object.__setattr__(self, "files", tuple(Path(file).expanduser() for file in files))
        object.__setattr__(self, "stamp", self.stamp or stamp_files(self.files))

    @property
    def needs_download(self) -> bool:
        """Whether reading it needs the network."""
        return bool(self.url)

    @property
    def has_changed(self) -> bool:
        """Whether its files are no longer as they were when it was described."""
        return stamp_files(self.files) != self.stamp

    def described(self) -> "DataSet":
        """Return the same data set without the code that reads it, as plain values."""
        return replace(self, read=read_elsewhere)

    def offered_by(self, origin: str, location: Path | None, target: str, code: str) -> "DataSet":
        """Return this data set with its plugin's place, and with a version if it has none.

        Args:
            origin: The plugin, as a person reads it.
            location: The plugin's file or folder.
            target: What `explorer check` finds the plugin by.
            code: A hash of the plugin's code.
        """
        version = self.version
        if version is None:
            parts = [english(self.images)] if self.needs_download else [code, self.stamp]
            version = digest(*parts)
        return replace(self, origin=origin, location=location, target=target, version=version)


def read_elsewhere(_: Path) -> "Sequence[ArrayLike]":
    """Stand for the code that reads a data set where that code is not.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("another process has the code that reads it")


def stamp_files(files: Iterable[Path]) -> str:
    """Return a hash of the names, sizes and times of files, or nothing if there are no files.

    No file is read, so this costs little. A folder means all files in it and in its folders,
    except those that `is_of_a_system` names.
    """
    states = []
    for path in files:
        states.append(path.name)
        for file in sorted(files_in(path)) if path.is_dir() else [str(path)]:
            try:
                status = os.stat(file)
            except OSError:
                continue  # that a file is missing is a state too
            states.append(f"{file[len(str(path)) :]}/{status.st_size}/{status.st_mtime_ns}")
    return digest(*states) if states else ""


def digest(*parts: str) -> str:
    """Return a hash of texts: 16 hexadecimal digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def files_in(folder: Path, onerror: Callable[[OSError], None] | None = None) -> Iterator[str]:
    """Yield the paths of all files in a folder and its folders, but for those of a system.

    Args:
        folder: The folder; links are followed.
        onerror: Called if a folder cannot be read; by default, there is nothing in it.
    """
    seen = set()
    for home, folders, names in os.walk(folder, onerror=onerror, followlinks=True):
        if (real := os.path.realpath(home)) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not is_of_a_system(name)]
        yield from (os.path.join(home, name) for name in names if not is_of_a_system(name))


def is_of_a_system(name: str) -> bool:
    """Return whether a file or folder is hidden, or was put there by Windows, macOS or a disk."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS
