"""An architecture: a plugin's network class, with its options read off its constructor."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from explorer.plugin.options import Option, OptionError, Value, fill
from explorer.plugin.sources import Source
from explorer.spec import ImageSpec


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that can be built, as a plugin offers it.

    Attributes:
        name: What it is called in the picker and on the command line.
        cls: The `nn.Module` class.
        options: The options of its constructor.
        source: The plugin that offers it.
        fingerprint: A hash of the plugin's source, so that a run can tell whether the code that
            made it is still the code that is here.
        parameters: Trainable numbers, with default options on 1×28×28 images of 10 classes.
    """

    name: str
    cls: type[nn.Module]
    options: tuple[Option, ...]
    source: Source
    fingerprint: str
    parameters: int

    @property
    def origin(self) -> str:
        """The plugin that offers it, as a person reads it."""
        return self.source.origin

    @property
    def location(self) -> Path | None:
        """The file or folder of the plugin that offers it."""
        return self.source.location

    @property
    def description(self) -> str:
        """The class's own docstring, with its indentation cleaned; empty if it has none."""
        return inspect.cleandoc(self.cls.__dict__.get("__doc__") or "")

    @property
    def summary(self) -> str:
        """The first paragraph of the description, on one line."""
        return " ".join(self.description.split("\n\n")[0].split())

    def build(self, images: ImageSpec, values: Mapping[str, object] | None = None) -> nn.Module:
        """Build the network for `images`, with defaults for the options not in `values`.

        Raises:
            OptionError: A value does not fit its option.
        """
        return self.cls(images, **self.complete(values or {}))

    def complete(self, values: Mapping[str, object]) -> dict[str, Value]:
        """Check `values` and add the defaults of the options that it leaves out.

        Raises:
            OptionError: A value does not fit its option.
        """
        try:
            return fill(self.options, values)
        except OptionError as error:
            raise OptionError(f"{self.name}: {error}") from error
