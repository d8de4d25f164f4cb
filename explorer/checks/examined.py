"""An architecture while it is examined, and the images on which it is examined."""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.checks.findings import place_of
from explorer.data.loader import Data, Split
from explorer.inspection.outline import outline
from explorer.inspection.tracing import Trace
from explorer.language import listed, say
from explorer.plugin.architecture import Architecture
from explorer.plugin.options import Option, Value
from explorer.spec import ImageSpec

GREY, COLOUR = ImageSpec(1, 28, 10), ImageSpec(3, 32, 10)


class Examined:
    """An architecture while it is examined.

    Args:
        architecture: The architecture.
        data: MNIST, to train it on.
    """

    def __init__(self, architecture: Architecture, data: Data) -> None:
        self.architecture, self.data = architecture, data

    @property
    def images(self) -> ImageSpec:
        """The images on which it is examined, but for the checks `fits` and `ranges`."""
        return self.architecture.images

    @property
    def taken(self) -> tuple[ImageSpec, ...]:
        """Those of `kinds` that it takes, as it sees them."""
        fitting = (images for images in self.kinds if not self.architecture.misfit(images))
        return tuple(dict.fromkeys(map(self.architecture.sees, fitting)))

    @property
    def kinds(self) -> tuple[ImageSpec, ...]:
        """These, and the grey and coloured images that most data sets have."""
        return tuple(dict.fromkeys((self.images, GREY, COLOUR)))

    def build(
        self,
        images: ImageSpec | None = None,
        values: Mapping[str, Value] | None = None,
        seed: int = 0,
    ) -> nn.Module:
        """Build the network with these options; the same one for the same seed.

        Args:
            images: What it is built for; by default `self.images`.
            values: Options by name; their defaults where there is none.
            seed: Of its initial weights.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.architecture.build(images or self.images, values)

    def noise(self) -> Tensor:
        """Return four random images of the kind on which it is examined."""
        return noise(self.images)

    @cached_property
    def home(self) -> str:
        """Where the class or function is defined."""
        return place_of(self.architecture.constructor.definition)

    def place(self, option: str) -> str:
        """Return where the constructor names an option."""
        return place_of_option(self.architecture.constructor.definition, option)

    @cached_property
    def seen(self) -> Trace[None]:
        """What a run of the network does."""
        return outline(self.build(), self.images)


def shown_as(data: Data, images: ImageSpec, train_size: int, test_size: int) -> Data:
    """Return some of MNIST's images, resized and with their grey in each channel.

    Args:
        data: MNIST.
        images: What they are to be like; with fewer than ten classes, only digits of these classes
            are taken.
        train_size: How many training images are taken.
        test_size: How many test images are taken.
    """

    def show(split: Split, size: int) -> Split:
        if images.num_classes < data.spec.num_classes:
            chosen = split.labels < images.num_classes
            split = Split(split.images[chosen], split.labels[chosen], split.mean, split.std)
        split = split.subset(size)
        pixels = split.images
        if images.size != data.spec.size:
            resized = F.interpolate(pixels.float(), (images.size, images.size), mode="bilinear")
            pixels = resized.round().to(torch.uint8)
        channels = images.channels
        return Split(
            pixels.repeat(1, channels, 1, 1),
            split.labels,
            split.mean.repeat(channels, 1, 1),
            split.std.repeat(channels, 1, 1),
        )

    return Data(images, show(data.train, train_size), show(data.test, test_size))


def corners(options: tuple[Option, ...]) -> Iterator[dict[str, Value]]:
    """Yield the defaults, each option at each of its ends, and each pair of options at theirs."""
    singles = list(_ends(options))
    yield from ({}, *singles)
    for one, other in itertools.combinations(singles, 2):
        if one.keys() != other.keys():
            yield one | other


def _ends(options: tuple[Option, ...]) -> Iterator[dict[str, Value]]:
    for option in options:
        ends: tuple[Any, ...] = option.choices
        if option.range:
            ends = (option.range.low, option.range.high)
        elif option.type is bool:
            ends = (False, True)
        for end in ends:
            value = option.check(end)
            if value != option.default:
                yield {option.name: value}


def place_of_option(constructor: Any, name: str) -> str:
    """Return the file and line where a constructor names an option; empty if there is none."""
    try:
        if isinstance(constructor, type):
            constructor = inspect.getattr_static(constructor, "__init__")
        file, (lines, first) = (
            inspect.getsourcefile(constructor),
            inspect.getsourcelines(constructor),
        )
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, TypeError):
        return ""
    found = (n for n in ast.walk(tree) if isinstance(n, ast.arg) and n.arg == name)
    return next((f"{file}:{first + argument.lineno - 1}" for argument in found), "")


def noise(images: ImageSpec) -> Tensor:
    """Return four random images `(4, C, H, W)`, always the same ones."""
    return torch.randn(4, *images.shape, generator=torch.Generator().manual_seed(0))


def labels(images: ImageSpec) -> Tensor:
    """Return labels for `noise`, `(4,)`."""
    return torch.arange(4) % images.num_classes


def same(one: Tensor, other: Tensor) -> bool:
    """Return whether two outputs are equal but for rounding."""
    return one.shape == other.shape and torch.allclose(one, other, 1e-4, 1e-5)


def first_four(names: list[str]) -> str:
    """Join names with commas; from the fifth on, only their number is given."""
    shown, more = listed(names[:4], ","), len(names) - 4
    return say("{named} and {n} more", named=shown, n=more) if more > 0 else shown
