"""The commands `list`, `datasets` and `runs`."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer.cli.common import (
    AsJson,
    open_store,
    plugins_elsewhere,
    print_broken,
    refuse,
    settings_or_refuse,
)
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.engines.plugins import Plugins
    from explorer.runs.run import Run, UnreadableRun


def list_architectures(as_json: AsJson = False) -> None:
    """List the architectures that can be trained, and the plugins that are broken."""
    with plugins_elsewhere() as plugins:
        registry = plugins.whole_catalogue
        fits = {name: _fitting(plugins, name) for name in registry.architectures}
    fitting = {name: list(found) for name, found in fits.items()}
    repeated = {
        name: [each for each, is_repeated in found.items() if is_repeated]
        for name, found in fits.items()
    }
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": architecture.name,
                        "summary": architecture.summary,
                        "images": architecture.images.shape,
                        "fits": fitting[architecture.name],
                        "grey_in_each_channel": repeated[architecture.name],
                        "parameters": architecture.parameters,
                        "options": [p.describe() for p in architecture.options],
                        "origin": architecture.origin,
                    }
                    for architecture in registry.architectures.values()
                ],
                indent=2,
                ensure_ascii=False,
            )
        )
    else:
        width = max(map(len, registry.architectures), default=0)
        for architecture in registry.architectures.values():
            print(
                f"{architecture.name:{width}}  {architecture.parameters:>9,} parameters  "
                f"{architecture.summary}"
            )
            if (names := fitting[architecture.name]) != list(registry.datasets):
                print(f"{'':{width}}    fits {', '.join(names) or 'no data set here'}")
            if grey := repeated[architecture.name]:
                print(
                    f"{'':{width}}    takes colour images; of {', '.join(grey)} it is given the "
                    "grey in each channel"
                )
            for option in architecture.options:
                print(
                    f"{'':{width}}    --set {option.name}={option.default}  "
                    f"{option.help} ({option.expected()})"
                )
    for broken in registry.broken:
        print_broken(broken)
    for meddling in registry.meddling:
        print(f"note    {meddling.source.origin}: {meddling.text}", file=sys.stderr)


def _fitting(plugins: "Plugins", name: str) -> Mapping[str, bool]:
    try:
        return plugins.fitting(name)
    except ExplorerError as error:
        print(f"note    {name}: {error}", file=sys.stderr)
        return {}


def list_datasets(as_json: AsJson = False) -> None:
    """List the data sets that networks can be trained on."""
    settings = settings_or_refuse()
    with plugins_elsewhere() as plugins:
        registry = plugins.whole_catalogue
    from explorer.data.cache import is_cached

    if as_json:
        found = [
            {
                "name": dataset.name,
                "title": dataset.title,
                "channels": dataset.images.channels,
                "size": dataset.images.size,
                "classes": list(dataset.classes),
                "url": dataset.url,
                "here": is_cached(dataset, settings.cache),
                "citation": dataset.citation,
                "origin": dataset.origin,
            }
            for dataset in registry.datasets.values()
        ]
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    width = max(map(len, registry.datasets), default=0)
    for name, dataset in registry.datasets.items():
        here = is_cached(dataset, settings.cache)
        where = "" if here else f"  downloaded at first use, from {dataset.url}"
        print(f"{name:{width}}  {dataset.images}{where}")


def runs(
    id: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Show one run, and why it failed.")
    ] = None,
    examples: Annotated[
        bool, typer.Option("--examples", help="Also those that ship with the explorer.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Give the run a name.")] = None,
    note: Annotated[str | None, typer.Option(help="Note something about the run.")] = None,
    as_json: AsJson = False,
) -> None:
    """List all runs, the newest first; or show one, and give it a name or a note."""
    from explorer.runs.recorded import open_examples
    from explorer.runs.run import titles
    from explorer.runs.store import find_run

    store = open_store(settings_or_refuse())
    if name is not None or note is not None:
        if id is None:
            refuse("Say which run is named: `explorer runs RUN --name …`.")
        run = find_run(id, [store])[0]
        store.rename(run.id, run.name if name is None else name, run.note if note is None else note)
    if id is not None:
        _show(find_run(id, [store, open_examples()])[0], as_json)
        return
    found, unreadable = store.runs(), store.unreadable()
    if examples:
        found += open_examples().runs()
    if as_json:
        described = [*map(_describe, found), *map(_describe_unreadable, unreadable)]
        print(json.dumps(described, indent=2, ensure_ascii=False))
        return
    if not found and not unreadable:
        print("No runs yet; `explorer train residual` makes one.")
    names = titles(found)
    for run in found:
        print(_line(run, names[run.id]))
    for unreadable_run in unreadable:
        print(f"{unreadable_run.id}  {'unreadable':<11}  {unreadable_run.reason}")


def _show(run: "Run", as_json: bool) -> None:
    if as_json:
        print(json.dumps(_describe(run), indent=2, ensure_ascii=False))
        return
    print(_line(run, run.title))
    if run.note:
        print("    " + run.note.replace("\n", "\n    "))
    for epoch in () if run.spec.imported else run.epochs:
        print(
            f"    epoch {epoch.epoch:>3}  train {100 * epoch.train_accuracy:.2f} %  "
            f"test {100 * epoch.test_accuracy:.2f} %"
        )
    for text in filter(None, (run.reason, run.traceback)):
        print("    " + text.replace("\n", "\n    "))


def _line(run: "Run", title: str) -> str:
    accuracy = "" if run.best_accuracy is None else f"{100 * run.best_accuracy:.2f} %"
    training = f"{len(run.epochs)}/{run.spec.recipe.epochs} epochs  {run.seconds:6.1f} s"
    if run.spec.imported:
        training = f"{'imported':<{len(training)}}"
    return f"{run.id}  {run.status:<11}  {accuracy:>8}  {training}  {title}"


def _describe(run: "Run") -> dict[str, Any]:
    from explorer.training import events

    return {
        "run": run.id,
        "name": run.name,
        "note": run.note,
        **run.spec.to_json(),
        "status": str(run.status),
        "reason": run.reason,
        "traceback": run.traceback,
        "created": run.created.isoformat(timespec="seconds"),
        "best_accuracy": run.best_accuracy,
        "last_accuracy": run.last_accuracy,
        "seconds": run.seconds,
        "epochs": [events.to_json(epoch) for epoch in run.epochs],
    }


def _describe_unreadable(run: "UnreadableRun") -> dict[str, Any]:
    return {"run": run.id, "status": "unreadable", "reason": run.reason}
