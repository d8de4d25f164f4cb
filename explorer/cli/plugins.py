"""The commands for plugin authors, `new-plugin` and `check`."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.common import (
    AsJson,
    in_english,
    plugins_elsewhere,
    print_broken,
    refuse,
    settings_or_refuse,
)
from explorer.errors import ExplorerError
from explorer.language import later, learn, say


def new_plugin(
    name: Annotated[str, typer.Argument(help=later("The architecture's name, such as my-net."))],
    kind: Annotated[
        str,
        typer.Option(
            help=later("The template: plain, residual or inception; or package, to install.")
        ),
    ] = "inception",
    as_json: AsJson = False,
) -> None:
    """Write a small plugin that works into this folder."""
    from explorer.plugin import templates

    try:
        chosen = templates.read_kind(kind)
        made = templates.new_plugin(name, chosen, Path(), _taken())
    except ExplorerError as error:
        refuse(str(error))
    if as_json:
        print(json.dumps({"path": str(made)}))
        return
    print(say("{file} is written. To check it:", file=made))
    print(f"    explorer check {made}")
    if chosen is templates.Kind.PACKAGE:
        print(say("To see it in the app, install it:"))
        print(f"    pip install --editable {made}")
    else:
        print(say("To see it in the app, start the app with this variable:"))
        print(f"    EXPLORER_PLUGINS={Path().resolve()}")


def _taken() -> Iterator[str]:
    """Yield the names of all architectures; the plugins are loaded when the first is asked for."""
    with plugins_elsewhere() as plugins:
        yield from plugins.whole_catalogue.architectures


def check(
    target: Annotated[str, typer.Argument(help=later("A plugin's file, folder or module."))],
    only: Annotated[
        str | None,
        typer.Option(help=later("Check only this architecture, data set or lesson of it.")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what works and what does not in plugins."""
    from explorer.checks.plugins import examine, load_beside_built_ins
    from explorer.cli.output import print_checks
    from explorer.engines.bench import show
    from explorer.plugin.sources import find_sources
    from explorer.text import suggest

    try:
        registry = load_beside_built_ins(find_sources(target))
    except ExplorerError as error:
        refuse(str(error))
    learn(registry.translations)
    offered = [*registry.architectures, *registry.datasets, *registry.lessons]
    if only and only not in offered:
        meant = suggest(only, offered)
        refuse(say("It does not offer {name!r}; {meant}", name=only, meant=meant))
    reports = []
    cache = settings_or_refuse().cache
    shown = functools.partial(show, folder=cache)
    for report in examine(registry, cache, only, shown):
        reports.append(report)
        if not as_json:
            print_checks(report.to_json())
    passed = not registry.broken and all(report.passed for report in reports)
    if as_json:
        result = {
            "ok": passed,
            "reports": [report.to_json() for report in reports],
            "broken": [
                {
                    "plugin": broken.source.name,
                    "name": broken.name,
                    "origin": broken.source.origin,
                    "reason": broken.reason,
                    "trace": broken.trace,
                }
                for broken in registry.broken
            ],
        }
        print(json.dumps(in_english(result), indent=2, ensure_ascii=False))
    else:
        for broken in registry.broken:
            print_broken(broken)
    if not passed:
        raise typer.Exit(1)
