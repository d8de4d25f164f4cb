"""Loads one plugin: imports it, calls its hooks, checks what it registers."""

import contextlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pluggy
from torch import nn
from torch.overrides import TorchFunctionMode

from explorer import hooks
from explorer.data.dataset import DataSet
from explorer.hooks import HOOKS
from explorer.plugin.architecture import Architecture, printing_to_stderr, try_out
from explorer.plugin.options import read_options
from explorer.plugin.sources import PluginError, Source, fingerprint, import_plugin
from explorer.spec import ImageSpec
from explorer.text import suggest

# The images on which a new network is tried, one kind after the other until it takes one.
KINDS = tuple(
    ImageSpec(channels, size, num_classes=10)
    for channels, size in ((1, 28), (3, 32), (1, 32), (3, 28), (3, 64))
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a plugin offers, by name.

    Attributes:
        architectures: Networks that can be built.
        datasets: Data sets to train them on.
    """

    architectures: dict[str, Architecture] = field(default_factory=dict)
    datasets: dict[str, DataSet] = field(default_factory=dict)


def load_plugin(source: Source, taken: Offer) -> Offer:
    """Load a plugin and check what it offers.

    Args:
        source: The plugin.
        taken: What others offer already; a name can be given only once. Networks are tried on
            these data sets too.

    Raises:
        PluginError: What it offers cannot be used.
        OptionError: A network has an option for which there is no widget.
        BaseException: Whatever the plugin's code raises.
    """
    code = fingerprint(source.location)
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
        datasets = [*taken.datasets.values(), *offer.datasets.values()]
        kinds = dict.fromkeys([*KINDS, *(dataset.images for dataset in datasets)])
        images, parameters = _probe(architecture, kinds)
        offer.architectures[name] = Architecture(
            name, architecture, options, source, code, images, parameters
        )

    def register_dataset(dataset: DataSet, /) -> None:
        if not isinstance(dataset, DataSet):
            raise PluginError(f"The function register takes a DataSet, not {dataset!r}.")
        _refuse_taken(dataset.name, "DataSet(name=…)", taken.datasets, offer.datasets)
        offer.datasets[dataset.name] = dataset.offered_by(
            source.origin, source.location, source.target, code
        )

    with printing_to_stderr():
        manager = pluggy.PluginManager(hooks.PROJECT)
        manager.add_hookspecs(hooks)
        manager.register(import_plugin(source))
        implemented = _check_hooks(manager)
        # The data sets first, since its networks may be made for these alone.
        manager.hook.register_datasets(register=register_dataset)
        manager.hook.register_architectures(register=register_architecture)
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
                f"another name: {renamed}."
            )


def _check_hooks(manager: pluggy.PluginManager) -> list[str]:
    """Return the names of the hooks that the plugin implements.

    Raises:
        PluginError: It implements none, or one that does not exist.
    """
    plugin = next(iter(manager.get_plugins()))
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.spec:
            raise PluginError(
                f"The function {caller.name} is not a hook of the explorer; "
                f"{suggest(caller.name, HOOKS)}"
            )
    if not callers:
        raise PluginError(
            f"It implements no hook; write `@hookimpl` above a function `{HOOKS[0]}(register)` or "
            f"`{HOOKS[1]}(register)`."
        )
    return [caller.name for caller in callers]


def _probe(architecture: type[nn.Module], kinds: Collection[ImageSpec]) -> tuple[ImageSpec, int]:
    """Find the first kind of images that a network takes.

    Returns:
        These images, and the number of its trainable parameters when it is built for them.

    Raises:
        BaseException: It takes none. This is what it raised where it came furthest: a network for
            colour is not to be called wrong for its refusal of grey images.
    """

    def parameters(images: ImageSpec) -> int:
        model = try_out(architecture, images)
        return sum(p.numel() for p in model.parameters() if p.requires_grad)

    for images in kinds:
        with contextlib.suppress(Exception, SystemExit):
            return images, parameters(images)
    furthest = max(kinds, key=lambda images: _operations(architecture, images))
    return furthest, parameters(furthest)


def _operations(architecture: type[nn.Module], images: ImageSpec) -> int:
    """Count the operations of torch that a network gets through before it fails."""
    counter = _Counter()
    with contextlib.suppress(Exception, SystemExit), counter:
        try_out(architecture, images)
    return counter.count


class _Counter(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count += 1
        return result


def _kebab(name: str) -> str:
    """`ResidualBN` → `residual-bn`, `ResidualAsPrinted` → `residual-as-printed`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
