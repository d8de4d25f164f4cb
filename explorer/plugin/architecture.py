"""An architecture: a plugin's network class, with its parameters read off its constructor."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from explorer.plugin.options import Parameter, ParameterError, Value, fill
from explorer.plugin.sources import Source
from explorer.spec import ImageSpec


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that can be built, as a plugin offers it.

    Attributes:
        name: What it is called in the picker and on the command line.
        cls: The `nn.Module` class.
        parameters: The parameters of its constructor.
        source: The plugin that offers it.
        fingerprint: A hash of the plugin's source, so that a run can tell whether the code that
            made it is still the code that is here.
        weights: Trainable numbers, with default parameters on 1×28×28 images of 10 classes.
    """

    name: str
    cls: type[nn.Module]
    parameters: tuple[Parameter, ...]
    source: Source
    fingerprint: str
    weights: int

    @property
    def description(self) -> str:
        """The class's own docstring, with its indentation cleaned; empty if it has none."""
        return inspect.cleandoc(self.cls.__dict__.get("__doc__") or "")

    @property
    def summary(self) -> str:
        """The first paragraph of the description, on one line."""
        return " ".join(self.description.split("\n\n")[0].split())

    def build(self, images: ImageSpec, values: Mapping[str, object] | None = None) -> nn.Module:
        """Build the network for `images`, with defaults for the parameters not in `values`.

        Raises:
            ParameterError: A value does not fit its parameter.
        """
        return self.cls(images, **self.complete(values or {}))

    def complete(self, values: Mapping[str, object]) -> dict[str, Value]:
        """Check `values` and add the defaults of the parameters that it leaves out.

        Raises:
            ParameterError: A value does not fit its parameter.
        """
        try:
            return fill(self.parameters, values)
        except ParameterError as error:
            raise ParameterError(f"{self.name}: {error}") from error
