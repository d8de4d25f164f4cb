"""The commands that train a list of runs: `warm` and `record`."""

import json
from collections.abc import Iterable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.cli.common import AsJson, load_registry, open_store, refuse, settings_or_refuse
from explorer.errors import ExplorerError
from explorer.language import later, recognise, say

if TYPE_CHECKING:
    from explorer.plugin.registry import Registry
    from explorer.runs.run import Run, RunSpec
    from explorer.runs.store import RunStore
    from explorer.settings import Settings

ListFile = Annotated[
    Path, typer.Argument(metavar="FILE.toml", help=later("The runs, each a table [[run]]."))
]


def warm(file: ListFile, as_json: AsJson = False) -> None:
    """Train a list of runs and pin them."""
    from explorer.engines.machine import prepare

    prepare()
    from explorer.runs.keeping import pin
    from explorer.runs.lists import read_list
    from explorer.runs.run import Status

    settings = settings_or_refuse()
    store = open_store(settings)
    registry = load_registry()
    try:
        wanted = read_list(file, registry)
    except ExplorerError as error:
        refuse(str(error))
    failed = 0
    for run in _trained([each.spec for each in wanted], store, registry, settings, as_json):
        if run.status is Status.FAILED:
            failed += 1
        else:
            pin(store, run.id)
    if failed:
        raise typer.Exit(1)


def record(
    file: ListFile,
    into: Annotated[
        Path | None,
        typer.Option(metavar="FILE.sqlite", help=later("Where to; by default beside the list.")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a list of runs and put them into one file."""
    from explorer.engines.machine import prepare, processor

    prepare()
    from explorer.labs.measures import measure, require_known
    from explorer.runs.lists import read_list
    from explorer.runs.packing import pack
    from explorer.runs.record_files import Made, note, noted, sign
    from explorer.runs.run import Status
    from explorer.runs.store import RunStore

    settings = settings_or_refuse()
    registry = load_registry()
    into = into or file.with_suffix(".sqlite")
    try:
        wanted = {each.spec.id: each for each in read_list(file, registry)}
        require_known(name for each in wanted.values() for name in each.measure)
        store = RunStore(f"sqlite:///{into.absolute()}")
    except ExplorerError as error:
        refuse(str(error))
    missing, done = 0, noted(into)
    lacking = {
        id: [name for name in each.measure if (id, name) not in done] for id, each in wanted.items()
    }
    try:
        for run in store.runs():
            is_packed = run.status is Status.FINISHED and not store.kept_epochs(run.id)
            if is_packed and lacking.get(run.id):
                store.delete(run.id)  # what is to be measured was not kept
        specs = [each.spec for each in wanted.values()]
        for run in _trained(specs, store, registry, settings, as_json):
            if run.status is not Status.FINISHED:
                missing += 1
                continue
            for name in lacking[run.id]:
                note(into, run.id, name, measure(name, run, store, registry, settings.cache))
    finally:
        store.close()
    if missing:
        raise typer.Exit(1)
    sign(into, Made(processor(), date.today(), version("torch")))
    pack(into, {id: each.weights for id, each in wanted.items()})
    if not as_json:
        print(say("{file}: {size:.2f} MB", file=into, size=into.stat().st_size / 1e6))


def _trained(
    specs: "list[RunSpec]",
    store: "RunStore",
    registry: "Registry",
    settings: "Settings",
    as_json: bool,
) -> "Iterable[Run]":
    """Train what is not finished, and yield each run as it is then."""
    from explorer.cli.output import JsonLines, ProgressBar
    from explorer.engines.ownership import new_owner
    from explorer.engines.perform import perform
    from explorer.runs.run import RunIsBusyError, Status
    from explorer.training import events

    for number, spec in enumerate(specs, 1):
        run = store.add(spec)
        if not as_json:
            line = say("{number} of {all}: {run}", number=number, all=len(specs), run=run.title)
            print(line, flush=True)
        if run.status is not Status.FINISHED:
            output = JsonLines() if as_json else ProgressBar()
            try:
                owner = new_owner()
                run = store.claim(run.id, owner)
                with output.open():
                    for event in perform(run, owner, store, registry, settings):
                        output.event(events.kind(event), events.to_json(event))
            except RunIsBusyError:
                pass  # another process trains it
            except KeyboardInterrupt:
                raise typer.Exit(130) from None
            except BaseException:  # a plugin's forward may even call sys.exit
                pass  # the store has the reason
        run = store.run(run.id)
        if as_json:
            print(json.dumps({"run": run.id, "status": str(run.status), "reason": run.reason}))
        elif run.reason:
            print(recognise(run.reason))
        yield run
