"""Finds plugins, loads each one alone, checks what it offers and keeps what holds.

Nothing that a plugin does while it loads can harm another: a broken one is recorded with a
sentence and the lines of its own code that led there, and the rest go on.
"""

import hashlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pluggy
import torch
from torch import nn

from explorer import hooks
from explorer.parameters import Parameter, ParameterError, Value, fill, read_parameters, suggest
from explorer.spec import ImageSpec

ENTRY_POINTS = "explorer"
HOOK = "register_architectures"
PACKAGE = Path(__file__).parent
PROBE = ImageSpec(channels=1, size=28, classes=10)


class PluginError(Exception):
    """What is wrong with a plugin, as a sentence for its author."""


class UnknownArchitectureError(LookupError):
    """No loaded plugin offers an architecture of that name."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a plugin comes from.

    Attributes:
        name: The plugin's own name: its file's, its folder's or its entry point's.
        origin: What to show a person: a path, or a distribution with its version.
        location: The file, or the package folder, that holds its code; empty if unknown.
    """

    name: str
    origin: str
    location: Path | None
    entry_point: importlib.metadata.EntryPoint | None = None


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
    return load([*_built_in(), *in_folders(folders), *_installed()])


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
            broken.append(BrokenPlugin(source, explain(error, source), _own_trace(error, source)))
    return Registry(architectures, tuple(broken))


def in_folders(folders: Iterable[Path]) -> Iterator[Source]:
    """The plugins in `folders`: each file and package whose name does not begin with `_` or `.`."""
    for folder in folders:
        if not folder.is_dir():
            yield Source(folder.name, str(folder), folder)
            continue
        for path in sorted(folder.iterdir()):
            is_plugin = path.suffix == ".py" or (path / "__init__.py").is_file()
            if is_plugin and not path.name.startswith(("_", ".")):
                yield Source(path.stem, str(path), path)


def from_target(target: str) -> Source:
    """The plugin that `target` names: a file, a package folder or an importable module.

    Raises:
        PluginError: There is no such file or module.
    """
    path = Path(target)
    if path.exists():
        return Source(path.resolve().stem, target, path.resolve())
    if location := _location(target):
        return Source(target, target, location)
    raise PluginError(f"There is no file and no importable module {target!r}.")


def _built_in() -> Iterator[Source]:
    # Beside the package in a checkout, inside it in a wheel.
    beside, inside = PACKAGE.parent / "plugins", PACKAGE / "plugins"
    return in_folders([inside if inside.is_dir() else beside])


def _installed() -> Iterator[Source]:
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS)):
        release = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        yield Source(entry.name, release, _location(entry.module), entry)


def _location(module: str) -> Path | None:
    """The file of a module, or the folder of a package, without running it."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def _load_one(source: Source, taken: Mapping[str, Architecture]) -> dict[str, Architecture]:
    module = source.entry_point.load() if source.entry_point else _import(source)
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(module)
    _check_hooks(manager)

    found: dict[str, Architecture] = {}
    fingerprint = _fingerprint(source.location)

    def register(architecture: type, /, *, name: str | None = None) -> None:
        if not (isinstance(architecture, type) and issubclass(architecture, nn.Module)):
            raise PluginError(f"register takes a torch.nn.Module class, not {architecture!r}.")
        name = name or _kebab(architecture.__name__)
        if holder := taken.get(name) or found.get(name):
            raise PluginError(
                f"The name {name!r} is taken by {holder.source.origin}; register it under "
                f"another: register({architecture.__name__}, name=…)."
            )
        parameters = read_parameters(architecture)
        weights = _probe(architecture)
        found[name] = Architecture(name, architecture, parameters, source, fingerprint, weights)

    manager.hook.register_architectures(register=register)
    if not found:
        raise PluginError(f"{HOOK} registered nothing; call register(YourNetwork) in it.")
    return found


def _import(source: Source) -> ModuleType:
    path = source.location
    if path is None or not path.exists():
        raise PluginError(f"There is no plugin folder {source.origin}.")
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        raise PluginError(f"{source.origin} holds no Python package: it has no __init__.py.")
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"explorer_plugin_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(path)] if path.is_dir() else None
    )
    if spec is None or spec.loader is None:
        raise PluginError(f"{source.origin} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look a class's module up by name while the module still runs.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _check_hooks(manager: pluggy.PluginManager) -> None:
    plugin = next(iter(manager.get_plugins()))
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.spec:
            raise PluginError(
                f"{caller.name} is no hook of the explorer; {suggest(caller.name, [HOOK])}"
            )
    if not callers:
        raise PluginError(
            f"It implements no hook; write `@hookimpl` above a function `{HOOK}(register)`."
        )


def _probe(architecture: type[nn.Module]) -> int:
    """Build the network once and run two images through it; return its trainable weights."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
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


def _fingerprint(location: Path | None) -> str:
    """Hash the plugin's source; line endings do not count, so a checkout anywhere agrees."""
    files = sorted(location.rglob("*.py")) if location and location.is_dir() else [location]
    digest = hashlib.sha256()
    for file in files:
        if file is not None and file.is_file():
            digest.update(b"\n".join(file.read_bytes().splitlines()))
    return digest.hexdigest()[:16]


def explain(error: BaseException, source: Source) -> str:
    """One sentence on what a plugin's code did wrong, for its author."""
    match error:
        case PluginError() | ParameterError():
            text = str(error)
            return text[:1].upper() + text[1:]
        case ModuleNotFoundError(name=str(name)):
            return f"It imports {name!r}, which is not installed; install it, or do without."
        case SyntaxError():
            return f"It is not valid Python: {error.msg}, line {error.lineno}."
        case SystemExit():
            return "It ends the program (sys.exit) where it should only define things; remove that."
        case pluggy.PluginValidationError():
            return f"A hook must take the arguments it is given: write `def {HOOK}(register):`."
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_own(f.filename, source)]
    line = f", line {frames[-1].lineno}" if frames else ""
    message = str(error).strip().rstrip(".")
    return f"It raised {type(error).__name__}{line}: {message or 'without a message'}."


def _own_trace(error: BaseException, source: Source) -> str:
    """The traceback without the frames of the explorer, pluggy, torch and the import system."""

    def keep_own(trace: traceback.TracebackException | None) -> bool:
        if trace is None:
            return False
        trace.stack = traceback.StackSummary.from_list(
            [frame for frame in trace.stack if _is_own(frame.filename, source)]
        )
        if not keep_own(trace.__cause__):
            trace.__cause__ = None
        if not keep_own(trace.__context__):
            trace.__context__ = None
        return bool(trace.stack or trace.__cause__ or trace.__context__)

    trace = traceback.TracebackException.from_exception(error)
    own = keep_own(trace) or isinstance(error, SyntaxError)
    return "".join(trace.format()).rstrip() if own else ""


def _is_own(filename: str, source: Source) -> bool:
    return source.location is not None and Path(filename).is_relative_to(source.location)
