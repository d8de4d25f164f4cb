"""What all commands share: settings, plugins, and how bad input is refused."""

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.plugin.registry import BrokenPlugin, Registry
    from explorer.runs.store import RunStore
    from explorer.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def print_broken(broken: "BrokenPlugin") -> None:
    """Print what is wrong with a plugin, beside what a command prints."""
    print(f"broken  {broken.source.origin}: {broken.reason}", file=sys.stderr)
    if broken.trace:
        print("    " + broken.trace.replace("\n", "\n    "), file=sys.stderr)


def refuse(sentence: str) -> NoReturn:
    """End with status 2 and a sentence that says what would be right."""
    print(sentence, file=sys.stderr)
    raise typer.Exit(2)


def settings_or_refuse() -> "Settings":
    """The settings of the environment."""
    from explorer.settings import read_settings

    try:
        return read_settings()
    except ExplorerError as error:
        refuse(str(error))


def open_store(settings: "Settings") -> "RunStore":
    """Where runs are kept."""
    from explorer.runs.store import RunStore

    try:
        return RunStore(settings.database_url)
    except ExplorerError as error:
        refuse(str(error))


def load_registry() -> "Registry":
    """All plugins."""
    from explorer.plugin.registry import discover

    return discover(settings_or_refuse().plugins)
