"""The command `warm`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.common import AsJson, load_registry, open_store, refuse, settings_or_refuse
from explorer.errors import ExplorerError


def warm(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.toml", help="The runs, each a table [[run]].")
    ],
    as_json: AsJson = False,
) -> None:
    """Train a list of runs and pin them, so that those who ask for them later have them at once.

    What is finished is left alone, and what was stopped goes on, so the command can be repeated.
    """
    from explorer.engines.machine import prepare

    prepare()
    from explorer.cli.output import JsonLines, ProgressBar
    from explorer.engines.ownership import new_owner
    from explorer.engines.perform import perform
    from explorer.runs.keeping import pin
    from explorer.runs.lists import read_list
    from explorer.runs.run import RunIsBusyError, Status
    from explorer.training import events

    settings = settings_or_refuse()
    store = open_store(settings)
    registry = load_registry()
    try:
        specs = read_list(file, registry)
    except ExplorerError as error:
        refuse(str(error))
    failed = 0
    for number, spec in enumerate(specs, 1):
        run = store.add(spec)
        if not as_json:
            print(f"{number} of {len(specs)}: {run.title}", flush=True)
        if run.status is not Status.FINISHED:
            output = JsonLines() if as_json else ProgressBar()
            try:
                owner = new_owner()
                run = store.claim(run.id, owner)
                with output.open():
                    for event in perform(run, owner, store, registry, settings):
                        output.event(events.kind(event), events.to_json(event))
            except RunIsBusyError:
                pass  # the app trains it
            except KeyboardInterrupt:
                raise typer.Exit(130) from None
            except BaseException:  # a plugin's forward may even call sys.exit
                failed += 1
        run = store.run(run.id)
        if run.status is not Status.FAILED:
            pin(store, run.id)
        if as_json:
            print(json.dumps({"run": run.id, "status": str(run.status), "reason": run.reason}))
        elif run.reason:
            print(run.reason)
    if failed:
        raise typer.Exit(1)
