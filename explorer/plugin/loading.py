"""Loads one plugin: runs it, asks its hooks, checks what each of them offers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pluggy
import torch
from torch import nn

from explorer import hooks
from explorer.data.dataset import DataSet
from explorer.hooks import HOOKS
from explorer.plugin.architecture import Architecture
from explorer.plugin.options import read_options
from explorer.plugin.sources import PluginError, Source, fingerprint, import_plugin
from explorer.spec import ImageSpec
from explorer.text import suggest

PROBE = ImageSpec(channels=1, size=28, num_classes=10)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a plugin offers, by name.

    Attributes:
        architectures: What can be built.
        datasets: What can be learned from.
    """

    architectures: dict[str, Architecture] = field(default_factory=dict)
    datasets: dict[str, DataSet] = field(default_factory=dict)


def load_plugin(source: Source, taken: Offer) -> Offer:
    """Load a plugin and check what it offers.

    Args:
        source: The plugin.
        taken: What others offer already; no name can be had twice.

    Raises:
        PluginError: What it offers cannot be used.
        OptionError: A network has an option that cannot become a widget.
        BaseException: Whatever the plugin's code raises.
    """
    code = fingerprint(source.location)
    module = import_plugin(source)
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(module)
    implemented = _check_hooks(manager)
    offer = Offer()

    def register_architecture(architecture: type, /, *, name: str | None = None) -> None:
        if not (isinstance(architecture, type) and issubclass(architecture, nn.Module)):
            raise PluginError(
                f"The function register takes a torch.nn.Module class, not {architecture!r}."
            )
        if name is not None and not isinstance(name, str):
            raise PluginError(f"The name of an architecture must be text, not {name!r}.")
        name = name or _kebab(architecture.__name__)
        renamed = f"register({architecture.__name__}, name=…)"
        _refuse_taken(name, renamed, taken.architectures, offer.architectures)
        options = read_options(architecture)
        parameters = _probe(architecture)
        offer.architectures[name] = Architecture(
            name, architecture, options, source, code, parameters
        )

    def register_dataset(dataset: DataSet, /) -> None:
        if not isinstance(dataset, DataSet):
            raise PluginError(f"The function register takes a DataSet, not {dataset!r}.")
        _refuse_taken(dataset.name, "DataSet(name=…)", taken.datasets, offer.datasets)
        offer.datasets[dataset.name] = dataset.offered_by(
            source.origin, source.location, source.target, code
        )

    manager.hook.register_architectures(register=register_architecture)
    manager.hook.register_datasets(register=register_dataset)
    if not offer.architectures and not offer.datasets:
        example = "YourNetwork" if implemented[0] == HOOKS[0] else "DataSet(…)"
        raise PluginError(
            f"The hook {implemented[0]} registered nothing; call register({example}) in it."
        )
    return offer


class _Offered(Protocol):
    @property
    def origin(self) -> str: ...


def _refuse_taken(name: str, renamed: str, *offered: Mapping[str, _Offered]) -> None:
    for each in offered:
        if holder := each.get(name):
            raise PluginError(
                f"The name {name!r} is taken by {holder.origin}; register it under "
                f"another: {renamed}."
            )


def _check_hooks(manager: pluggy.PluginManager) -> list[str]:
    """The names of the hooks that the plugin implements."""
    plugin = next(iter(manager.get_plugins()))
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.spec:
            raise PluginError(
                f"The function {caller.name} is no hook of the explorer; "
                f"{suggest(caller.name, HOOKS)}"
            )
    if not callers:
        raise PluginError(
            f"It implements no hook; write `@hookimpl` above a function `{HOOKS[0]}(register)` or "
            f"`{HOOKS[1]}(register)`."
        )
    return [caller.name for caller in callers]


def _probe(architecture: type[nn.Module]) -> int:
    """Build the network once and run two images through it; return how many parameters it has."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        model = architecture(PROBE).eval()
        output = model(torch.zeros(2, PROBE.channels, PROBE.size, PROBE.size))
    wanted = (2, PROBE.num_classes)
    if not isinstance(output, torch.Tensor) or tuple(output.shape) != wanted:
        given = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise PluginError(
            f"{architecture.__name__} answers two images with {given} where (2, num_classes) = "
            f"{wanted} is expected; end it with a linear layer to `images.num_classes` logits."
        )
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _kebab(name: str) -> str:
    """`ResidualBN` → `residual-bn`, `ResidualAsPrinted` → `residual-as-printed`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
