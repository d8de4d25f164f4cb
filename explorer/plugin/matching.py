"""Which network a state dict is of: what does not fit one, and which one it fits."""

import contextlib
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from explorer.language import listed, say
from explorer.plugin.architecture import Architecture
from explorer.plugin.options import Option, OptionError, Value
from explorer.plugin.registry import Registry
from explorer.spec import ImageSpec
from explorer.text import cut, dimensions

SECONDS = 5.0  # that may be spent on the search for a network that fits
NAMED = 3  # tensors that a sentence names
ROOM = 60  # characters for a name or a shape

_Ways: TypeAlias = Iterator[tuple[Architecture, Mapping[str, Value]]]

# Batch normalisation counts its batches since torch 0.4.1, and does without in older files.
_COUNTER = "num_batches_tracked"


def differences(model: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    """Say which tensors of a state dict do not fit a network; empty if all do."""
    own = model.state_dict()
    said = []
    missing = [name for name in own if name not in tensors and not name.endswith(_COUNTER)]
    if missing:
        said.append(say("it has no {tensors}", tensors=_listed(missing)))
    if unknown := sorted(tensors.keys() - own.keys()):
        said.append(say("the network has no {tensors}", tensors=_listed(unknown)))
    shared = [name for name in own if name in tensors and not is_lazy(own[name])]
    shapes = [
        say(
            "{tensor} is {given} and should be {wanted}",
            tensor=_name(name),
            given=_shape(tensors[name]),
            wanted=_shape(own[name]),
        )
        for name in shared
        if tensors[name].shape != own[name].shape
    ]
    types = [
        say(
            "{tensor} is of {given} and should be of {wanted}",
            tensor=_name(name),
            given=_type(tensors[name]),
            wanted=_type(own[name]),
        )
        for name in shared
        if tensors[name].shape == own[name].shape and not _converts(tensors[name], own[name])
    ]
    for kind in (shapes, types):
        if kind:
            named, more = listed(kind[:NAMED], ","), len(kind) - NAMED
            said.append(say("{named}, and {n} more", named=named, n=more) if more > 0 else named)
    return listed(said, comma=say("; "), last=",")


def find_match(
    tensors: Mapping[str, Tensor],
    registry: Registry,
    architecture: Architecture,
    values: Mapping[str, Value],
    images: ImageSpec,
) -> str:
    """Return which network a state dict fits, such as `residual-bn --set width=32`, or nothing.

    Networks are built without memory for their parameters, for a few seconds at most.

    Args:
        tensors: The state dict.
        registry: The networks that are tried.
        architecture: The one that is tried first, with other options.
        values: The options with which it does not fit.
        images: What the networks are built for.
    """
    end = time.monotonic() + SECONDS
    others = [other for other in registry.architectures.values() if other != architecture]

    def changed(
        network: Architecture, before: Mapping[str, Value], numbers: Iterable[int]
    ) -> _Ways:
        for number in numbers:
            for values in _changed(network.options, before, tensors, number):
                yield network, {**before, **values}

    several = range(2, len(architecture.options) + 1)
    ways: _Ways = itertools.chain(
        changed(architecture, values, [1]),
        ((other, other.complete({})) for other in others),
        *(changed(other, other.complete({}), [1]) for other in others),
        changed(architecture, values, several),
    )
    for network, chosen in ways:
        if time.monotonic() > end:
            break
        if _fits(network, chosen, images, tensors):
            defaults = network.complete({})
            settings = [f"--set {n}={v}" for n, v in chosen.items() if v != defaults[n]]
            return " ".join([network.name, *settings])
    return ""


def _fits(
    architecture: Architecture,
    values: Mapping[str, Value],
    images: ImageSpec,
    tensors: Mapping[str, Tensor],
) -> bool:
    try:
        seen = architecture.sees(images, values)
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            model = architecture.build(seen, values)
        return not differences(model, tensors)
    except (Exception, SystemExit):  # a network that needs memory, or that cannot be built so
        return False


def _changed(
    options: Sequence[Option],
    values: Mapping[str, Value],
    tensors: Mapping[str, Tensor],
    number: int,
) -> Iterator[dict[str, Value]]:
    """Yield other values for so many of the options at once."""
    sizes = sorted({size for tensor in tensors.values() for size in tensor.shape})
    others = {
        option.name: [v for v in _values(option, sizes) if v != values[option.name]]
        for option in options
    }
    for names in itertools.combinations(others, number):
        for chosen in itertools.product(*(others[name] for name in names)):
            yield dict(zip(names, chosen, strict=True))


def _values(option: Option, sizes: Sequence[int]) -> Iterator[Value]:
    """Yield the values of an option that may change a network's shapes."""
    if option.choices:
        yield from option.choices
    elif option.type is bool:
        yield from (False, True)
    elif option.type is int:
        # Widths are sizes of the tensors; depths are small.
        for number in sorted({*sizes, *range(13)}):
            with contextlib.suppress(OptionError):
                yield option.check(number)


def _converts(given: Tensor, own: Tensor) -> bool:
    """Return whether numbers keep their meaning in the network's type."""
    kinds = [(t.is_complex(), t.is_floating_point()) for t in (given, own)]
    return kinds[0] == kinds[1]


def _listed(names: Sequence[str]) -> str:
    named, more = listed([_name(name) for name in names[:NAMED]], ","), len(names) - NAMED
    return say("{named} and {n} more", named=named, n=more) if more > 0 else named


def _name(name: str) -> str:
    return cut(name, ROOM)  # in a file it may have any length


def _shape(tensor: Tensor) -> str:
    return cut(dimensions(tensor.shape), ROOM) or say("a single number")


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
