"""Finds plugins, loads each one alone, checks what it offers and keeps what holds.

Nothing that a plugin does while it loads can harm another: a broken one is recorded with a
sentence and the lines of its own code that led there, and the rest go on.
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pluggy
import torch
from torch import nn

from explorer import hooks
from explorer.diagnosis import explain, own_trace
from explorer.hooks import HOOK
from explorer.parameters import Parameter, ParameterError, Value, fill, read_parameters, suggest
from explorer.sources import (
    PluginError,
    Source,
    built_in,
    fingerprint,
    import_plugin,
    in_folders,
    installed,
)
from explorer.spec import ImageSpec

PROBE = ImageSpec(channels=1, size=28, classes=10)


class UnknownArchitectureError(LookupError):
    """No loaded plugin offers an architecture of that name."""


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


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that could not be used.

    Attributes:
        source: The plugin.
        reason: One sentence on what is wrong and what would be right.
        trace: The part of the traceback that lies in the plugin's own code; may be empty.
    """

    source: Source
    reason: str
    trace: str


@dataclass(frozen=True, slots=True)
class Registry:
    """All that was found: what can be built, and what is broken."""

    architectures: Mapping[str, Architecture]
    broken: tuple[BrokenPlugin, ...]

    def __getitem__(self, name: str) -> Architecture:
        try:
            return self.architectures[name]
        except KeyError:
            raise UnknownArchitectureError(
                f"There is no architecture {name!r}; {suggest(name, self.architectures)}"
            ) from None


def discover(folders: Iterable[Path] = ()) -> Registry:
    """Load the built-in plugins, those in `folders` and those that installed packages declare."""
    return load([*built_in(), *in_folders(folders), *installed()])


def load(sources: Iterable[Source]) -> Registry:
    """Load and check each plugin alone; where two offer one name, the first has it."""
    architectures: dict[str, Architecture] = {}
    broken: list[BrokenPlugin] = []
    for source in sources:
        try:
            architectures |= _load_one(source, architectures)
        # A plugin may raise anything, SystemExit included; only Ctrl-C is the user's.
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            broken.append(BrokenPlugin(source, explain(error, source), own_trace(error, source)))
    return Registry(architectures, tuple(broken))


def _load_one(source: Source, taken: Mapping[str, Architecture]) -> dict[str, Architecture]:
    code = fingerprint(source.location)
    module = import_plugin(source)
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(module)
    _check_hooks(manager)

    found: dict[str, Architecture] = {}

    def register(architecture: type, /, *, name: str | None = None) -> None:
        if not (isinstance(architecture, type) and issubclass(architecture, nn.Module)):
            raise PluginError(
                f"The function register takes a torch.nn.Module class, not {architecture!r}."
            )
        if name is not None and not isinstance(name, str):
            raise PluginError(f"The name of an architecture must be text, not {name!r}.")
        name = name or _kebab(architecture.__name__)
        if holder := taken.get(name) or found.get(name):
            raise PluginError(
                f"The name {name!r} is taken by {holder.source.origin}; register it under "
                f"another: register({architecture.__name__}, name=…)."
            )
        parameters = read_parameters(architecture)
        weights = _probe(architecture)
        found[name] = Architecture(name, architecture, parameters, source, code, weights)

    manager.hook.register_architectures(register=register)
    if not found:
        raise PluginError(f"The hook {HOOK} registered nothing; call register(YourNetwork) in it.")
    return found


def _check_hooks(manager: pluggy.PluginManager) -> None:
    plugin = next(iter(manager.get_plugins()))
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.spec:
            raise PluginError(
                f"The function {caller.name} is no hook of the explorer; "
                f"{suggest(caller.name, [HOOK])}"
            )
    if not callers:
        raise PluginError(
            f"It implements no hook; write `@hookimpl` above a function `{HOOK}(register)`."
        )


def _probe(architecture: type[nn.Module]) -> int:
    """Build the network once and run two images through it; return its trainable weights."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        model = architecture(PROBE).eval()
        output = model(torch.zeros(2, PROBE.channels, PROBE.size, PROBE.size))
    wanted = (2, PROBE.classes)
    if not isinstance(output, torch.Tensor) or tuple(output.shape) != wanted:
        given = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise PluginError(
            f"{architecture.__name__} answers two images with {given} where (2, classes) = "
            f"{wanted} is expected; end it with a linear layer to `images.classes` logits."
        )
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _kebab(name: str) -> str:
    """`ResidualBN` → `residual-bn`, `ResidualAsPrinted` → `residual-as-printed`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
