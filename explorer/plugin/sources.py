"""Where plugins come from: the built-in folder, the user's folders, installed packages."""

import contextlib
import difflib
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.text import on_one_line

ENTRY_POINTS = "explorer"
PACKAGE = Path(__file__).parents[1]


class PluginError(ExplorerError):
    """A plugin cannot be used; the message is a sentence for its author."""

    def __init__(self, message: str) -> None:
        # It may have the name of a file, in which any character is possible.
        super().__init__(on_one_line(message))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a plugin comes from.

    Attributes:
        name: The name of its file, its folder or its entry point.
        origin: What to show a person: a path, or a distribution with its version.
        location: The file or package folder of its code; `None` if it is unknown.
        entry_point: How an installed package declares it; `None` for files and folders.
    """

    name: str
    origin: str
    location: Path | None
    entry_point: importlib.metadata.EntryPoint | None = None

    @property
    def target(self) -> str:
        """The text by which `from_target` finds it."""
        return self.entry_point.value if self.entry_point else str(self.location)


def in_folders(folders: Iterable[Path]) -> Iterator[Source]:
    """Yield the files and packages in `folders` whose names do not begin with `_` or a dot."""
    for folder in folders:
        if not folder.is_dir():
            yield Source(folder.name, str(folder), folder)
            continue
        for path in sorted(folder.resolve().iterdir()):
            if _is_plugin(path):
                yield Source(path.stem, str(path), path)


def _is_plugin(path: Path) -> bool:
    is_code = path.suffix == ".py" or (path / "__init__.py").is_file()
    return is_code and not path.name.startswith(("_", "."))


def from_target(target: str) -> Source:
    """Return the plugin that `target` names: a file, a package folder or an importable module.

    Raises:
        PluginError: There is no such file or module.
    """
    path = Path(target)
    if path.exists():
        return Source(path.resolve().stem, target, path.resolve())
    if location := _location(target.partition(":")[0]):
        entry = importlib.metadata.EntryPoint(target, target, ENTRY_POINTS)
        return Source(target, target, location, entry)
    there = [each.name for each in Path().iterdir() if _is_plugin(each)]
    close = difflib.get_close_matches(f"{target.replace('-', '_')}.py", there, n=1)
    if close:
        raise PluginError(
            say(
                "There is no file and no importable module {name!r}; did you mean {meant!r}?",
                name=target,
                meant=close[0],
            )
        )
    raise PluginError(say("There is no file and no importable module {name!r}.", name=target))


def find_sources(target: str) -> list[Source]:
    """Return the plugin that `target` names, or all plugins in the folder that it names.

    Raises:
        PluginError: There is no such file or module, or no plugin in the folder.
    """
    folder = Path(target)
    if not folder.is_dir() or (folder / "__init__.py").is_file():
        return [from_target(target)]
    if not (found := list(in_folders([folder]))):
        raise PluginError(
            say(
                "There is no plugin in the folder {folder}: no Python file, and no folder with an "
                "__init__.py, whose name begins with a letter.",
                folder=target,
            )
        )
    return found


def built_in() -> Iterator[Source]:
    """Yield the plugins that ship with the explorer."""
    # Beside the package in a checkout, inside it in a wheel.
    beside, inside = PACKAGE.parent / "plugins", PACKAGE / "plugins"
    return in_folders([inside if inside.is_dir() else beside])


def installed() -> Iterator[Source]:
    """Yield the plugins that installed packages declare in the entry-point group `explorer`."""
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS)):
        release = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        # Without its distribution, so that it is plain values and the same from read to read.
        alone = importlib.metadata.EntryPoint(entry.name, entry.value, entry.group)
        yield Source(entry.name, release, _location(entry.module), alone)


def all_sources(folders: Iterable[Path]) -> list[Source]:
    """Return the built-in plugins, those in `folders` and those that installed packages declare."""
    return [*built_in(), *in_folders(folders), *installed()]


def changed_since(loaded: Mapping[Source, str], folders: Iterable[Path]) -> list[str]:
    """Return the names of plugins that were edited, added or removed since they were loaded.

    Args:
        loaded: The fingerprint of each plugin when it was loaded.
        folders: Where plugins may have been added. Newly installed packages are not looked for.
    """
    present = {*built_in(), *in_folders(folders), *(s for s in loaded if s.entry_point)}
    current = {source: fingerprint(source.location) for source in present}
    either = loaded.keys() | present
    return sorted({s.name for s in either if loaded.get(s) != current.get(s)})


def _location(module: str) -> Path | None:
    """Return the file of a module, or the folder of its package, without importing it."""
    # To find a.b, Python imports a; so this stops at the first part that is not a namespace.
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:end]))
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        if spec.origin is not None:
            origin = Path(spec.origin)
            return origin.parent if origin.name == "__init__.py" else origin
    return None


def fingerprint(location: Path | None) -> str:
    """Hash the plugin's source, but not its line endings, which differ between systems."""
    files = sorted(location.rglob("*.py")) if location and location.is_dir() else [location]
    digest = hashlib.sha256()
    for file in files:
        if file is not None and file.is_file():
            digest.update(b"\n".join(file.read_bytes().splitlines()))
    return digest.hexdigest()[:16]


def import_plugin(source: Source) -> ModuleType:
    """Import the plugin's module, again if its code was edited since the last import.

    Raises:
        PluginError: There is nothing to import.
        BaseException: Whatever its code raises.
    """
    digest = fingerprint(source.location)
    if source.location and _loaded.setdefault(source.location, digest) != digest:
        _forget(source.location)
        _loaded[source.location] = digest
    with _without_bytecode():
        return _import(source)


@contextlib.contextmanager
def _without_bytecode() -> Iterator[None]:
    """Let Python keep no compiled code: it takes a file of the same length and second for the same.

    An author who saves twice in a second would be shown the first version for ever.
    """
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _import(source: Source) -> ModuleType:
    if source.entry_point:
        return cast(ModuleType, source.entry_point.load())
    path = source.location
    if path is None or not path.exists():
        raise PluginError(say("There is no plugin folder {folder}.", folder=source.origin))
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        raise PluginError(
            say("{place} is not a Python package: it has no __init__.py.", place=source.origin)
        )
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"explorer_plugin_{path.stem}_{place}"
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(path)] if path.is_dir() else None
    )
    if spec is None or spec.loader is None:
        raise PluginError(say("{place} is not a Python file.", place=source.origin))
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickle look up a class's module by name while the module still runs.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


# The fingerprint that each plugin had when it was last imported in this process.
_loaded: dict[Path, str] = {}


def _forget(location: Path) -> None:
    """Remove an edited plugin's modules from `sys.modules`, so that its code is read again."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_relative_to(location):
            del sys.modules[name]
