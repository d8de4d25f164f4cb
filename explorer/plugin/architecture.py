"""An architecture: a plugin's network class, with its options and the images that it takes."""

import contextlib
import functools
import inspect
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from explorer.errors import explain
from explorer.plugin.options import Option, OptionError, Value, fill
from explorer.plugin.sources import PluginError, Source
from explorer.spec import ImageSpec

_SIZES = {28, 32, 64}  # pixels that `needs` tries
_KINDS = {1: "grey images", 3: "colour images"}


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that can be built, as a plugin offers it.

    Attributes:
        name: What it is called in the picker and on the command line.
        cls: The `nn.Module` class.
        options: The options of its constructor.
        source: The plugin that offers it.
        fingerprint: A hash of the plugin's source, by which a run knows whether the code that made
            it is still the code that is here.
        images: The images on which it is described: 1×28×28 if it takes them, else the first kind
            that it was found to take.
        parameters: The number of its trainable parameters, with default options on `images`.
    """

    name: str
    cls: type[nn.Module]
    options: tuple[Option, ...]
    source: Source
    fingerprint: str
    images: ImageSpec
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
        """The docstring of the class itself, without indentation; empty if it has none."""
        return inspect.cleandoc(self.cls.__dict__.get("__doc__") or "")

    @property
    def summary(self) -> str:
        """The first paragraph of the description, on one line."""
        return " ".join(self.description.split("\n\n")[0].split())

    def build(self, images: ImageSpec, values: Mapping[str, object] | None = None) -> nn.Module:
        """Build the network for `images`, with defaults for the options not in `values`.

        Raises:
            OptionError: A value does not fit its option.
            BaseException: Whatever the plugin's code raises.
        """
        options = self.complete(values or {})
        with printing_to_stderr():
            return self.cls(images, **options)

    def complete(self, values: Mapping[str, object]) -> dict[str, Value]:
        """Check `values` and add the defaults of the options that are not in it.

        Raises:
            OptionError: A value does not fit its option.
        """
        try:
            return fill(self.options, values)
        except OptionError as error:
            raise OptionError(f"{self.name}: {error}") from error

    def misfit(self, images: ImageSpec, values: Mapping[str, object] | None = None) -> str:
        """Say in a sentence why the network cannot take `images`; empty if it can.

        It is built and run once for each kind of images; the answer is remembered.

        Raises:
            OptionError: A value does not fit its option.
        """
        return _misfit(self, images, tuple(self.complete(values or {}).items()))

    def needs(self, refused: ImageSpec) -> str:
        """Say which images the network needs in place of `refused`, such as "colour images".

        It is found by trying a few sizes; empty if neither size nor channels are the reason.
        """
        channels, size = self.images.channels, self.images.size

        def takes(**changed: int) -> bool:
            return not self.misfit(replace(self.images, **changed))

        kind = "images"
        if refused.channels != channels and not takes(channels=refused.channels):
            kind = _KINDS.get(channels, f"{channels}-channel images")
        sizes = sorted({*_SIZES, size // 2, size, 2 * size, refused.size})
        taken = [each for each in sizes if takes(size=each)]
        if refused.size in taken:
            return "" if kind == "images" else kind
        if taken == sizes[-len(taken) :]:
            return f"{kind} of {taken[0]} pixels or more"
        if taken == sizes[: len(taken)]:
            return f"{kind} of {taken[-1]} pixels or fewer"
        return f"{kind} of {' or '.join(f'{each}×{each}' for each in taken)} pixels"


def try_out(
    cls: type[nn.Module], images: ImageSpec, values: Mapping[str, object] | None = None
) -> nn.Module:
    """Build a network and run two blank images through it, in evaluation mode.

    torch's random numbers are left unchanged.

    Args:
        cls: The class of the network.
        images: What it is built for.
        values: Options by name, as the constructor takes them.

    Returns:
        The network; its lazy layers have their shapes now.

    Raises:
        PluginError: It does not answer with logits `(2, num_classes)`.
        BaseException: Whatever the plugin's code raises.
    """
    with printing_to_stderr(), torch.random.fork_rng(devices=[]), torch.no_grad():
        model = cls(images, **(values or {})).eval()
        output = model(torch.zeros(2, *images.shape))
    wanted = (2, images.num_classes)
    if not isinstance(output, Tensor) or tuple(output.shape) != wanted:
        given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise PluginError(
            f"{cls.__name__} answers two images with {given} where (2, num_classes) = {wanted} "
            "is expected; end it with a linear layer to `images.num_classes` logits."
        )
    return model


@contextlib.contextmanager
def printing_to_stderr() -> Iterator[None]:
    """Print on stderr what a plugin's code prints, since stdout may be read as JSON.

    One thread at a time, as `sys.stdout` belongs to the whole process.
    """
    with _printing, contextlib.redirect_stdout(sys.stderr):
        yield


_printing = threading.RLock()


@functools.lru_cache(maxsize=1024)
def _misfit(
    architecture: Architecture, images: ImageSpec, values: tuple[tuple[str, Value], ...]
) -> str:
    if images == architecture.images and dict(values) == architecture.complete({}):
        return ""  # seen when it was loaded
    try:
        try_out(architecture.cls, images, dict(values))
    except (Exception, SystemExit) as error:
        return explain(error, architecture.location)
    return ""
