"""An architecture: a network that a plugin offers, with its options and the images it takes."""

import contextlib
import functools
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from explorer.errors import explain
from explorer.language import again, later, listed, say
from explorer.modes import evaluating
from explorer.outputs import tensors_in
from explorer.plugin.catalogue import Description
from explorer.plugin.constructor import Constructor
from explorer.plugin.options import Value
from explorer.plugin.sources import PluginError
from explorer.spec import ImageSpec

_SIZES = {28, 32, 64}  # pixels that `needs` tries
_KINDS = {1: later("grey images"), 3: later("colour images")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture(Description):
    """A network that can be built, as a plugin offers it.

    Attributes:
        constructor: What makes it: a class, a function, and how it is called.
    """

    constructor: Constructor

    def build(self, images: ImageSpec, values: Mapping[str, object] | None = None) -> nn.Module:
        """Build the network for `images`, with defaults for the options not in `values`.

        Its lazy layers have their shapes.

        Raises:
            OptionError: A value does not fit its option.
            BaseException: Whatever the plugin's code raises.
        """
        options = self.complete(values or {})
        with printing_to_stderr():
            return _build(self.constructor, images, options)

    def sees(self, images: ImageSpec, values: Mapping[str, object] | None = None) -> ImageSpec:
        """Return the images for which the network is built where a data set has `images`.

        A network that refuses grey images and takes coloured ones of the same size is given the
        grey in each of three channels (`Data.seen_as`).

        Raises:
            OptionError: A value does not fit its option.
        """
        options = tuple(self.complete(values or {}).items())
        coloured = replace(images, channels=3)
        if images.channels != 1 or not _refusal(self, images, options):
            return images
        return images if _refusal(self, coloured, options) else coloured

    def repeats_grey(self, images: ImageSpec, values: Mapping[str, object] | None = None) -> bool:
        """Return whether the network is given the grey of `images` in each of three channels.

        Raises:
            OptionError: A value does not fit its option.
        """
        return self.sees(images, values) != images

    def misfit(self, images: ImageSpec, values: Mapping[str, object] | None = None) -> str:
        """Say in a sentence why the network cannot take `images`; empty if it can.

        It is built, run and trained for one step on each kind of images; the answer is remembered.

        Raises:
            OptionError: A value does not fit its option.
        """
        options = tuple(self.complete(values or {}).items())
        return "" if self.repeats_grey(images, values) else again(_refusal(self, images, options))

    def needs(self, refused: ImageSpec) -> str:
        """Say which images the network needs in place of `refused`, such as "colour images".

        It is found by trying a few sizes; empty if neither size nor channels are the reason.
        """
        channels, size = self.images.channels, self.images.size

        def takes(**changed: int) -> bool:
            return not self.misfit(replace(self.images, **changed))

        kind, any_channels = say("images"), True
        if refused.channels != channels and not takes(channels=refused.channels):
            any_channels = False
            known = _KINDS.get(channels)
            kind = say(known) if known else say("{n}-channel images", n=channels)
        sizes = sorted({*_SIZES, size // 2, size, 2 * size, refused.size})
        taken = [each for each in sizes if takes(size=each)]
        if refused.size in taken:
            return "" if any_channels else kind
        if taken == sizes[-len(taken) :]:
            return say("{kind} of {size} pixels or more", kind=kind, size=taken[0])
        if taken == sizes[: len(taken)]:
            return say("{kind} of {size} pixels or fewer", kind=kind, size=taken[-1])
        alternatives = listed([f"{each}×{each}" for each in taken], comma=say(" or "), last=",")
        return say("{kind} of {sizes} pixels", kind=kind, sizes=alternatives)


def try_out(
    constructor: Constructor, images: ImageSpec, values: Mapping[str, Value] | None = None
) -> nn.Module:
    """Build a network, run two blank images through it, and take a training step without update.

    torch's random numbers are left unchanged.

    Args:
        constructor: What makes the network.
        images: What it is built for.
        values: Options by name, as the constructor takes them.

    Raises:
        PluginError: It does not answer with logits `(2, num_classes)`, or cannot be trained.
        BaseException: Whatever the plugin's code raises.
    """
    blank = torch.zeros(2, *images.shape)
    with printing_to_stderr(), torch.random.fork_rng(devices=[]):
        model = _build(constructor, images, values or {})
        with torch.no_grad():
            _logits(constructor, model.eval()(blank), images)
        logits = _logits(constructor, model.train()(blank), images)
        if not logits.requires_grad:
            raise PluginError(
                say(
                    "It cannot be trained: no parameter that requires a gradient has a share in "
                    "its answer."
                )
            )
        F.cross_entropy(logits, torch.zeros(2, dtype=torch.int64)).backward()
    return model


def _build(constructor: Constructor, images: ImageSpec, options: Mapping[str, Value]) -> nn.Module:
    model = constructor.call(images, options)
    if any(map(is_lazy, (*model.parameters(), *model.buffers()))):
        # In evaluation mode, so that no running mean moves.
        with evaluating(model), torch.no_grad():
            model(torch.zeros(2, *images.shape))
    return model


def _logits(constructor: Constructor, returned: object, images: ImageSpec) -> Tensor:
    """Return the logits in what a network returned for two images.

    Raises:
        PluginError: There are none.
    """
    wanted, first = (2, images.num_classes), next(tensors_in(returned), None)
    if first is not None and tuple(first.shape) == wanted:
        return first
    given = type(returned).__name__ if first is None else tuple(first.shape)
    if constructor.asks_for_classes:
        raise PluginError(
            say(
                "It answers two images with {given} where (2, num_classes) = {wanted} is "
                "expected; end it with a linear layer to num_classes logits.",
                given=given,
                wanted=wanted,
            )
        )
    raise PluginError(
        say(
            "It answers two images with {given} where (2, num_classes) = {wanted} is expected; "
            "give its constructor an argument num_classes, which is the number of its logits.",
            given=given,
            wanted=wanted,
        )
    )


@contextlib.contextmanager
def printing_to_stderr() -> Iterator[None]:
    """Print on stderr what a plugin's code prints, since stdout may be read as JSON.

    One thread at a time, as `sys.stdout` belongs to the whole process.
    """
    with _printing, contextlib.redirect_stdout(sys.stderr):
        yield


_printing = threading.RLock()


@functools.lru_cache(maxsize=1024)
def _refusal(
    architecture: Architecture, images: ImageSpec, values: tuple[tuple[str, Value], ...]
) -> str:
    if images == architecture.images and dict(values) == architecture.complete({}):
        return ""  # seen when it was loaded
    try:
        try_out(architecture.constructor, images, dict(values))
    except (Exception, SystemExit) as error:
        return explain(error, architecture.location)
    return ""
