"""Data sets from what most people have: pictures in folders, arrays in a file, torchvision."""

import contextlib
import inspect
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.data.dataset import DataSet, DataSetError, Reader, digest, stamp_files
from explorer.data.folders import find_pictures, read_pictures
from explorer.language import english, listed, say
from explorer.spec import ImageSpec

if TYPE_CHECKING:
    from PIL.Image import Image

_PREPARATION = "3"  # to be changed when `pictures` makes another image of the same picture
_NPZ_NAMES = (("{}_images", "{}_labels"), ("{}_data", "{}_labels"), ("x_{}", "y_{}"))
_NPZ_WANTED = ("train_images", "train_labels", "test_images", "test_labels")
_VALIDATION = ("val", "valid", "validation")


def image_folder(
    name: str,
    folder: str | Path,
    *,
    size: int,
    channels: int = 3,
    test: float = 0.2,
    centred: bool = False,
    title: str = "",
    citation: str = "",
) -> DataSet:
    """Describe a data set of pictures, with one folder for each class.

    Args:
        name: The data set's name.
        folder: Holds one folder for each class, named as the class, with its pictures, also in
            folders of their own; or two folders, `train` and `test`, that hold such folders. In
            place of `test` it may be `val`; if there are both, `val` is left out.
        size: Height and width in pixels; every picture is fitted into this square, on black. If
            there are transparent pictures, black or white is behind them all, whichever is the
            opposite of the ink of most.
        channels: 1 for grey, 3 for colour. Pictures of more than 8 bits are scaled in one way for
            the whole set: white is 1, 255, or the largest number of 10, 12, 14 or 16 bits,
            whichever is the first that no pixel exceeds, but the highest pixel if it is less than
            half of that; black is 0, or the lowest pixel if that is below 0.
        test: Without a folder `test` or `val`, the share of each class's pictures that are test
            images: every 1/`test`-th in the order of their names, always the same ones.
        centred: Treat the pictures as MNIST treats its digits: ink on a plain background, scaled to
            a box of 20/28 of the size and centred by its mass.
        title: Its name in sentences.
        citation: Who made it, and under which licence.

    Raises:
        DataSetError: There is no such folder, or it holds fewer than two classes.

    Example:
        ```python
        image_folder("leaves", Path(__file__).parent / "leaves", size=32)
        ```
    """
    folder = Path(folder).expanduser()
    if not 0 < test < 1:
        raise DataSetError(
            say(
                "test of {name} must be a share between 0 and 1, not {share}.",
                name=name,
                share=test,
            )
        )
    stamp, every = stamp_files([folder]), max(2, round(1 / test))
    found = find_pictures(folder, every)
    if len(found.classes) < 2:
        raise DataSetError(
            say(
                "The folder {folder} does not hold pictures of two classes or more; put those of "
                "each class into a folder of its own there.",
                folder=folder,
            )
        )
    images = ImageSpec(channels, size, len(found.classes))

    def read(_: Path) -> Sequence[Any]:
        if not found.test or not found.train:
            raise DataSetError(
                say(
                    "The folder {folder} has too few pictures of each class to set one in {every} "
                    "aside for the test; add some, or choose a larger share as test.",
                    folder=folder,
                    every=every,
                )
            )
        pixels = read_pictures([file for file, _ in (*found.train, *found.test)], described)
        labels = [label for _, label in (*found.train, *found.test)]
        number = len(found.train)
        return pixels[:number], labels[:number], pixels[number:], labels[number:]

    described = DataSet(
        name=name,
        images=images,
        classes=found.classes,
        read=read,
        title=title,
        citation=citation,
        files=(folder,),
        stamp=stamp,
        version=digest(stamp, english(images), str(every), str(centred), _PREPARATION),
        centred=centred,
        notes=found.notes,
    )
    return described


def npz_file(
    name: str,
    file: str | Path,
    *,
    classes: Sequence[str] = (),
    title: str = "",
    citation: str = "",
) -> DataSet:
    """Describe a data set whose four arrays are in an `.npz` file.

    Args:
        name: The data set's name.
        file: Written by `numpy.savez`, with the arrays `train_images`, `train_labels`,
            `test_images` and `test_labels`, or `x_train`, `y_train`, `x_test` and `y_test`, as
            `DataSet.read` describes them. In place of `test` it may be `val`; if there are both,
            `val` is left out.
        classes: The names of the classes; by default their numbers.
        title: Its name in sentences.
        citation: Who made it, and under which licence.

    Raises:
        DataSetError: There is no such file, or it lacks these arrays.

    Example:
        ```python
        npz_file("shapes", Path(__file__).parent / "shapes.npz", classes=["circle", "square"])
        ```
    """
    file = Path(file).expanduser()
    stamp = stamp_files([file])
    with _open_npz(file) as archive:
        held = [member.removesuffix(".npy") for member in archive.namelist()]
        names, notes = _known_names(held, file)
        shape = _array_shape(archive, names[0])
        number = len(classes) or _number_of_classes(archive, names)
    what = say("{array} in {file}", array=names[0], file=file)
    channels, size = _channels_and_size(shape, what)
    images = ImageSpec(channels, size, number)

    def read(_: Path) -> Sequence[Any]:
        with _open_npz(file) as archive:
            return [_array(archive, array) for array in names]

    return DataSet(
        name=name,
        images=images,
        classes=tuple(classes) or tuple(map(str, range(number))),
        read=read,
        title=title,
        citation=citation,
        files=(file,),
        stamp=stamp,
        version=digest(stamp, english(images)),
        notes=tuple(notes),
    )


def torchvision_reader(cls: str, images: ImageSpec | None = None) -> Reader:
    """Return a function that downloads and reads a data set of torchvision.

    Args:
        cls: The class in `torchvision.datasets`, such as `"SVHN"`; it must take `download=`, and
            `train=` or `split=`.
        images: The images that its pictures are fitted into, if they differ in size.

    Returns:
        What `DataSet` takes as `read`.

    Example:
        ```python
        DataSet(
            name="svhn",
            images=ImageSpec(3, 32, 10),
            classes=tuple("0123456789"),
            read=torchvision_reader("SVHN"),
            url="http://ufldl.stanford.edu/housenumbers/",
        )
        ```
    """

    def read(folder: Path) -> Sequence[Any]:
        import torchvision.datasets  # slow to import, and not needed once the arrays are cached

        found: Callable[..., Any] | None = getattr(torchvision.datasets, cls, None)
        if found is None:
            raise DataSetError(say("There is no {name} in torchvision.datasets.", name=cls))
        has_train = "train" in inspect.signature(found).parameters
        arrays: list[Any] = []
        for part in ("train", "test"):
            which: Any = {"train": part == "train"} if has_train else {"split": part}
            source = found(folder, download=True, **which)
            arrays += _fit_all(source, images) if images else _whole(source, cls)
        return arrays

    return read


def _fit_all(source: "Iterable[tuple[Image, int]]", images: ImageSpec) -> tuple[Any, Any]:
    import numpy as np

    from explorer.data.pictures import fit

    pairs = [(fit(picture, images), label) for picture, label in source]
    return np.array([image for image, _ in pairs]), np.array([label for _, label in pairs])


def _whole(source: Any, cls: str) -> tuple[Any, Any]:
    import numpy as np

    data, targets = getattr(source, "data", None), getattr(source, "targets", None)
    targets = getattr(source, "labels", None) if targets is None else targets
    if data is None or targets is None:
        raise DataSetError(
            say(
                "The pictures of {name} differ in size; say which images they are to be fitted "
                "into: torchvision_reader({name!r}, images=ImageSpec(…)).",
                name=cls,
            )
        )
    labels = np.asarray(targets)
    return np.asarray(data), labels[:, 0] if labels.ndim == 2 else labels  # QMNIST has columns


@contextlib.contextmanager
def _open_npz(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except DataSetError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataSetError(
            say(
                "{file} cannot be read as an .npz file ({reason}); write it with numpy.savez.",
                file=file,
                reason=error,
            )
        ) from error


def _known_names(held: Sequence[str], file: Path) -> tuple[list[str], list[str]]:
    """Return the names of the four arrays in an `.npz` file, and what to know of them.

    Raises:
        DataSetError: It does not hold these.
    """
    known = {name.lower(): name for name in held}
    for pair in _NPZ_NAMES:
        for part in ("test", *_VALIDATION):
            wanted = [name.format(which) for which in ("train", part) for name in pair]
            if not set(wanted) <= set(known):
                continue
            names = [known[name] for name in wanted]
            notes = []
            if part != "test":
                notes.append(say("The test images are {array}.", array=names[2]))
            if rest := [name for name in held if name not in names]:
                notes.append(
                    say(
                        "Left out of {file}: {arrays}.",
                        file=file.name,
                        arrays=listed(sorted(rest), ","),
                    )
                )
            return names, notes
    raise DataSetError(
        say(
            "{file} holds the arrays {held}; name them {wanted}.",
            file=file,
            held=listed(held, ",") or say("none"),
            wanted=listed(_NPZ_WANTED, ","),
        )
    )


def _number_of_classes(archive: zipfile.ZipFile, names: Sequence[str]) -> int:
    """Return how many classes the labels in an `.npz` file have.

    Raises:
        DataSetError: They are no labels.
    """
    from explorer.data.arrays import as_numbers

    given = [_array(archive, names[1]), _array(archive, names[3])]
    columns = [labels.shape[1] for labels in given if labels.ndim == 2 and labels.shape[1] > 1]
    numbers = [as_numbers(*each) for each in zip(given, ("training", "test"), strict=True)]
    highest = [int(labels.max()) + 1 for labels in numbers if labels.size]
    return max(columns + highest, default=0)


def _array_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """Return the shape of an array of an `.npz` file; only its header is read."""
    from numpy.lib import format as npy

    with archive.open(f"{name}.npy") as file:
        is_first = npy.read_magic(file) == (1, 0)
        header = (npy.read_array_header_1_0 if is_first else npy.read_array_header_2_0)(file)
    return tuple(header[0])


def _array(archive: zipfile.ZipFile, name: str) -> Any:
    from numpy.lib import format as npy

    with archive.open(f"{name}.npy") as file:
        return npy.read_array(file)


def _channels_and_size(shape: tuple[int, ...], what: str) -> tuple[int, int]:
    match shape:
        case (_, height, width) if height == width:
            return 1, height
        case (_, channels, height, width) if height == width:
            return channels, height
        case (_, height, width, channels) if height == width:
            return channels, height
    raise DataSetError(
        say(
            "{what} has the shape {shape}; make it (N, C, H, W), (N, H, W, C) or (N, H, W), with "
            "square images.",
            what=what,
            shape=shape,
        )
    )
