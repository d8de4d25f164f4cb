"""An architecture while it is examined, and what it is tried on."""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from explorer.checks.findings import place_of
from explorer.data.loader import Data
from explorer.inspection.outline import outline
from explorer.inspection.parts import Part
from explorer.plugin.architecture import Architecture
from explorer.plugin.options import Option, Value
from explorer.spec import ImageSpec

IMAGES = (ImageSpec(1, 28, 10), ImageSpec(3, 32, 10))


class Examined:
    """An architecture while it is examined.

    Args:
        architecture: What is examined.
        data: Real images of 1×28×28 to learn from.
    """

    def __init__(self, architecture: Architecture, data: Data) -> None:
        self.architecture, self.data = architecture, data

    def build(
        self,
        images: ImageSpec = IMAGES[0],
        values: Mapping[str, Value] | None = None,
        seed: int = 0,
    ) -> nn.Module:
        """A network with these values, the rest as by default; the same one for the same seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.architecture.build(images, values)

    @cached_property
    def home(self) -> str:
        """Where the class is defined."""
        return place_of(self.architecture.cls)

    def place(self, option: str) -> str:
        """Where the constructor names an option."""
        return place_of_option(self.architecture.cls, option)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The layers and blocks that an image meets."""
        return outline(self.build(), IMAGES[0])


def corners(options: tuple[Option, ...]) -> Iterator[dict[str, Value]]:
    """The defaults, each option at each of its ends, and each pair of options at theirs."""
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


def place_of_option(cls: type, name: str) -> str:
    """The file and line where a constructor names an option, or nothing."""
    try:
        constructor = inspect.getattr_static(cls, "__init__")
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
    """Four random images, always the same ones: `(4, C, H, W)`."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, images.channels, images.size, images.size, generator=generator)


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two answers are equal but for rounding."""
    return one.shape == other.shape and torch.allclose(one, other, 1e-4, 1e-5)


def shape(images: ImageSpec) -> str:
    """As people write it: `1×28×28`."""
    return f"{images.channels}×{images.size}×{images.size}"


def listed(names: list[str]) -> str:
    """The names with commas, the fifth and all that follow counted only."""
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
