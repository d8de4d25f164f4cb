"""What all commands share: settings, plugins, and how errors are printed."""

import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from explorer.errors import ExplorerError, explain
from explorer.language import again, english, later, learn, say

if TYPE_CHECKING:
    from explorer.engines.plugins import Plugins
    from explorer.plugin.catalogue import BrokenPlugin
    from explorer.plugin.options import Option
    from explorer.plugin.registry import Registry
    from explorer.runs.store import RunStore
    from explorer.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help=later("Print JSON instead of text."))]

_log = logging.getLogger(__name__)


def in_sentences(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command end with a sentence where it raises; `--debug` prints the traceback first."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except ExplorerError as error:
            refuse(str(error))
        except Exception as error:
            _log.debug("Failed", exc_info=True)
            print(explain(error, None), file=sys.stderr)
            print(say("`explorer --debug …` prints the traceback."), file=sys.stderr)
            raise typer.Exit(1) from error

    return run


def refuse(sentence: str) -> NoReturn:
    """End with status 2 and a sentence that says what would be right."""
    _log.debug("Refused", exc_info=sys.exc_info()[1])
    print(again(sentence), file=sys.stderr)
    raise typer.Exit(2)


def in_english(value: Any) -> Any:
    """Return plain values with what is said in them in English, as programs read it."""
    match value:
        case str():
            return english(value)
        case Mapping():
            return {name: in_english(each) for name, each in value.items()}
        case list() | tuple():
            return [in_english(each) for each in value]
    return value


def refuse_target(file: Path, *, overwrite: bool) -> None:
    """End with status 2 and a sentence if a file of this name cannot be written."""
    if file.is_dir():
        refuse(say("{file} is a folder; name a file in it.", file=file))
    if file.exists() and not overwrite:
        refuse(
            say(
                "{file} is there already; name another, or give --force to write over it.",
                file=file,
            )
        )
    if not file.parent.is_dir():
        refuse(
            say(
                "There is no folder {folder}; name a file in an existing folder.",
                folder=file.parent,
            )
        )


def print_broken(broken: "BrokenPlugin") -> None:
    """Print to standard error what is wrong with a plugin."""
    line = say("broken  {origin}: {reason}", origin=broken.source.origin, reason=broken.reason)
    print(line, file=sys.stderr)
    if broken.trace:
        print("    " + broken.trace.replace("\n", "\n    "), file=sys.stderr)


def settings_or_refuse() -> "Settings":
    """Read the settings from the environment."""
    from explorer.settings import read_settings

    try:
        return read_settings()
    except ExplorerError as error:
        refuse(str(error))


def open_store(settings: "Settings") -> "RunStore":
    """Open the store of the user's runs."""
    from explorer.runs.store import RunStore

    try:
        return RunStore(settings.database_url)
    except ExplorerError as error:
        refuse(str(error))


def load_registry(architecture: str = "", dataset: str = "") -> "Registry":
    """Load plugins into this process, one after the other, until these two names are there."""
    from explorer.plugin.registry import Loading
    from explorer.plugin.sources import all_sources

    loading = Loading()
    for source in all_sources(settings_or_refuse().plugins):
        found = loading.registry
        if architecture in found.architectures and dataset in found.datasets:
            break
        loading.add(source)
    learn(loading.registry.translations)
    return loading.registry


@contextlib.contextmanager
def plugins_elsewhere() -> "Iterator[Plugins]":
    """Load all plugins in other processes, so that none of them can hang or end this one."""
    from explorer.engines.children import Nursery
    from explorer.engines.plugins import Plugins

    with contextlib.closing(Nursery()) as nursery:
        yield Plugins(nursery, settings_or_refuse())


def parse_options(settings: Sequence[str], options: Sequence["Option"]) -> dict[str, Any]:
    """Read what was typed as `--set OPTION=VALUE`.

    Raises:
        OptionError: There is no such option, or it may not have that value.
    """
    from explorer.plugin.options import OptionError
    from explorer.text import suggest

    known = {option.name: option for option in options}
    values = {}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign:
            raise OptionError(say("Write --set OPTION=VALUE, not {given!r}.", given=setting))
        if name not in known:
            raise OptionError(
                say("There is no option {name!r}; {meant}", name=name, meant=suggest(name, known))
            )
        values[name] = known[name].parse(text)
    return values
