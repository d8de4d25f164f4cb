"""A data set as a plugin describes it: what its images are like, and how they are read."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from explorer.errors import ExplorerError
from explorer.spec import ImageSpec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Reader: TypeAlias = "Callable[[Path], Sequence[ArrayLike]]"


class DataSetError(ExplorerError, ValueError):
    """A data set that is declared or read wrongly; the message is for its author."""


class UnknownDataSetError(ExplorerError, LookupError):
    """No loaded plugin offers a data set of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A data set for telling images apart, as `register_datasets` registers it.

    Attributes:
        name: What it is called in the picker and on the command line: small letters, digits and
            hyphens.
        images: Channels, size and number of classes.
        classes: Their names, in the order of their numbers.
        read: Reads it. It is handed an empty folder for what it may have to download or unpack,
            which is deleted afterwards, and returns four arrays: the training images, `uint8` from
            0 to 255, `(N, C, H, W)`, `(N, H, W, C)` or, if they are grey, `(N, H, W)`; their
            labels, whole numbers from 0, `(N,)`; and likewise the test images and their labels. It
            is called once; what it returns is kept in the cache folder.
        title: Its name in sentences; by default `name`.
        mean: Each channel's mean over the training images, pixels scaled to 0–1; by default it is
            measured.
        std: Each channel's standard deviation over the training images, likewise.
        citation: Who made it, and under which licence.
        url: Where `read` downloads it from; empty if it needs no network.
        version: Tells these images from earlier ones of the same name, so that they are read anew
            and runs with the earlier ones are not taken for runs with these. By default, if they
            have no url, a hash of the plugin's code; published images never change, so theirs
            is empty.
        centred: Whether each image's ink was scaled to a box of 20 pixels and centred by its mass,
            as MNIST's. A drawn digit is then treated likewise.
        origin: The plugin that offers it, as a person reads it; set when it is registered.
        location: That plugin's file or folder, likewise.

    Raises:
        DataSetError: The name cannot be one, or labels, mean or std do not fit the images.
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
    version: str | None = None
    centred: bool = False
    origin: str = field(default="", compare=False, repr=False)
    location: Path | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name)):
            raise DataSetError(
                f"{self.name!r} cannot be a data set's name; use small letters, digits and single "
                "hyphens, such as 'my-digits'."
            )
        if not isinstance(self.images, ImageSpec):
            raise DataSetError(
                f"images of {self.name} must be an ImageSpec(channels, size, classes), "
                f"not {self.images!r}."
            )
        object.__setattr__(self, "classes", tuple(map(str, self.classes)))
        object.__setattr__(self, "title", self.title or self.name)
        if not len(set(self.classes)) == len(self.classes) == self.images.num_classes >= 2:
            raise DataSetError(
                f"{self.name} has {self.images.num_classes} classes and {len(set(self.classes))} "
                "different labels; give it one label a class, and two classes or more."
            )
        if self.centred and self.images.channels != 1:
            raise DataSetError(f"{self.name} is centred, which only grey images can be.")
        for what in ("mean", "std"):
            object.__setattr__(self, what, values := tuple(map(float, getattr(self, what))))
            if len(values) not in (0, self.images.channels):
                raise DataSetError(
                    f"{what} of {self.name} has {len(values)} values for {self.images.channels} "
                    "channels; give one a channel, or none to have them measured."
                )

    @property
    def needs_download(self) -> bool:
        """Whether it has to be fetched over the network once."""
        return bool(self.url)
