"""The commands `list`, `datasets` and `runs`."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer.cli.common import (
    AsJson,
    in_english,
    open_store,
    plugins_elsewhere,
    print_broken,
    refuse,
    settings_or_refuse,
)
from explorer.cli.wide import columns, padded
from explorer.errors import ExplorerError
from explorer.language import author, later, listed, recognise, say

if TYPE_CHECKING:
    from explorer.engines.plugins import Plugins
    from explorer.runs.run import Run, UnreadableRun

_STATUS = 11  # columns of a run's status


def list_architectures(as_json: AsJson = False) -> None:
    """Print all architectures, and what is wrong with plugins."""
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
            name = padded(architecture.name, width)
            print(
                say(
                    "{name}  {parameters:>9,} parameters  {summary}",
                    name=name,
                    parameters=architecture.parameters,
                    summary=author(architecture.summary),
                )
            )
            below = []
            if (names := fitting[architecture.name]) != list(registry.datasets):
                fit = say("fits {datasets}", datasets=listed(names, ","))
                below.append(fit if names else say("fits no data set here"))
            if grey := repeated[architecture.name]:
                below.append(
                    say(
                        "takes colour images; of {datasets} it is given the grey in each channel",
                        datasets=listed(grey, ","),
                    )
                )
            below += [
                say(
                    "--set {name}={value}  {help} ({expected})",
                    name=option.name,
                    value=str(option.default),
                    help=author(option.help),
                    expected=option.expected(),
                )
                for option in architecture.options
            ]
            for line in below:
                print(f"{'':{width}}    {line}")
    for broken in registry.broken:
        print_broken(broken)
    for meddling in registry.meddling:
        _note(meddling.source.origin, meddling.text)


def _fitting(plugins: "Plugins", name: str) -> Mapping[str, bool]:
    try:
        return plugins.fitting(name)
    except ExplorerError as error:
        _note(name, error)
        return {}


def _note(what: str, text: object) -> None:
    print(say("note    {name}: {text}", name=what, text=text), file=sys.stderr)


def list_datasets(as_json: AsJson = False) -> None:
    """Print all data sets."""
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
        line = f"{name:{width}}  {dataset.images}"
        if not here:
            line += "  " + say("downloaded at first use, from {url}", url=dataset.url)
        print(line)


def runs(
    id: Annotated[
        str | None, typer.Argument(metavar="RUN", help=later("Show one run, and why it failed."))
    ] = None,
    examples: Annotated[
        bool, typer.Option("--examples", help=later("Also those that ship with the explorer."))
    ] = False,
    name: Annotated[str | None, typer.Option(help=later("Give the run a name."))] = None,
    note: Annotated[str | None, typer.Option(help=later("Note something about the run."))] = None,
    as_json: AsJson = False,
) -> None:
    """Print all runs; or name one, and print it."""
    from explorer.runs.recorded import open_examples
    from explorer.runs.run import titles
    from explorer.runs.store import find_run

    store = open_store(settings_or_refuse())
    if name is not None or note is not None:
        if id is None:
            refuse(say("Say which run is named: `explorer runs RUN --name …`."))
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
        print(json.dumps(in_english(described), indent=2, ensure_ascii=False))
        return
    if not found and not unreadable:
        print(say("No runs yet; `explorer train residual` makes one."))
    names = titles(found)
    for run in found:
        print(_line(run, names[run.id]))
    for unreadable_run in unreadable:
        status = padded(say("unreadable"), _STATUS)
        print(f"{unreadable_run.id}  {status}  {recognise(unreadable_run.reason)}")


def _show(run: "Run", as_json: bool) -> None:
    if as_json:
        print(json.dumps(in_english(_describe(run)), indent=2, ensure_ascii=False))
        return
    print(_line(run, run.title))
    if run.note:
        print("    " + run.note.replace("\n", "\n    "))
    for epoch in () if run.spec.imported else run.epochs:
        line = say(
            "epoch {epoch:>3}  train {train:.2f} %  test {test:.2f} %",
            epoch=epoch.epoch,
            train=100 * epoch.train_accuracy,
            test=100 * epoch.test_accuracy,
        )
        print(f"    {line}")
    for text in filter(None, (run.reason and recognise(run.reason), run.traceback)):
        print("    " + text.replace("\n", "\n    "))


def _line(run: "Run", title: str) -> str:
    accuracy = "" if run.best_accuracy is None else f"{100 * run.best_accuracy:.2f} %"
    training = say(
        "{done}/{all} epochs  {seconds:6.1f} s",
        done=len(run.epochs),
        all=run.spec.recipe.epochs,
        seconds=run.seconds,
    )
    if run.spec.imported:
        training = padded(say("imported"), columns(training))
    status = padded(say(str(run.status)), _STATUS)
    return f"{run.id}  {status}  {accuracy:>8}  {training}  {title}"


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
