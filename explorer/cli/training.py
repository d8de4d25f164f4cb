"""The command `train`."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer.cli.common import AsJson, load_registry, open_store, refuse, settings_or_refuse
from explorer.training.recipe import PRECISIONS, PRESETS, RecipeError, preset

if TYPE_CHECKING:
    from explorer.cli.output import JsonLines, ProgressBar
    from explorer.runs.run import RunSpec


def train(
    name: Annotated[str, typer.Argument(help="The architecture; `explorer list` names them.")],
    dataset: Annotated[str, typer.Option(help="The data set.")] = "mnist",
    recipe: Annotated[str, typer.Option(help=f"A preset: {', '.join(PRESETS)}.")] = "fast",
    epochs: Annotated[int | None, typer.Option(help="Passes over the images.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and dropout.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Its peak, for one-cycle.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    train_size: Annotated[int | None, typer.Option(help="Use only so many images.")] = None,
    precision: Annotated[
        str | None, typer.Option(help=f"Of products: {', '.join(PRECISIONS)}.")
    ] = None,
    gradients: Annotated[
        bool, typer.Option(help="Record the norm of each layer's gradient now and then.")
    ] = True,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="An option of the architecture."),
    ] = None,
    fresh: Annotated[bool, typer.Option(help="Forget an earlier run of the same.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train an architecture; the run is kept, and taken up again where it was interrupted."""
    from explorer.engines.machine import prepare

    prepare()
    from explorer.cli.output import JsonLines, ProgressBar
    from explorer.data.dataset import UnknownDataSetError
    from explorer.plugin.options import OptionError
    from explorer.plugin.registry import UnknownArchitectureError
    from explorer.runs.restore import spec_of

    try:
        chosen = preset(recipe).changed(
            epochs=epochs,
            seed=seed,
            learning_rate=learning_rate,
            batch_size=batch_size,
            train_size=train_size,
            precision=precision,
        )
        if not gradients:
            chosen = replace(chosen, gradients_every=None)
        registry = load_registry()
        images, architecture = registry.dataset(dataset), registry[name]
        values = _parse(settings or [], architecture.options)
        spec = spec_of(architecture, values, images, chosen)
    except (
        OptionError,
        RecipeError,
        UnknownArchitectureError,
        UnknownDataSetError,
    ) as error:
        refuse(str(error))
    _train(spec, fresh, JsonLines() if as_json else ProgressBar())


def _train(spec: "RunSpec", fresh: bool, teller: "JsonLines | ProgressBar") -> None:
    from explorer.engines.perform import new_owner, perform
    from explorer.runs.run import RunIsBusyError, Status
    from explorer.training import events

    settings = settings_or_refuse()
    store = open_store(settings)
    try:
        if fresh:
            store.delete(spec.id)
        run = store.add(spec)
        if run.status is Status.FINISHED:
            if run.started:
                teller.event("started", events.to_json(run.started))
            for epoch in run.epochs:
                teller.event("epoch", events.to_json(epoch))
            teller.event("finished", {"run": run.id})
            return
        owner = new_owner()
        run = store.claim(run.id, owner)
    except RunIsBusyError as error:
        refuse(str(error))
    try:
        with teller.open():
            for event in perform(run, owner, store, load_registry(), settings):
                teller.event(events.kind(event), events.to_json(event))
    except KeyboardInterrupt:
        print(f"Stopped; the same command goes on from here. Run {run.id}.", file=sys.stderr)
        raise typer.Exit(130) from None
    except BaseException:  # a plugin's forward may even call sys.exit
        run = store.run(run.id)
        teller.event("failed", {"run": run.id, "reason": run.reason})
        raise typer.Exit(1) from None
    match (run := store.run(run.id)).status:
        case Status.FINISHED:
            teller.event("finished", {"run": run.id})
        case Status.STOPPED:
            teller.event("stopped", {"run": run.id})
        case _:
            reason = "Another process has taken the run over; `explorer runs` says how it stands."
            teller.event("failed", {"run": run.id, "reason": reason})
            raise typer.Exit(1)


def _parse(settings: list[str], options: Any) -> dict[str, Any]:
    from explorer.plugin.options import OptionError
    from explorer.text import suggest

    known = {option.name: option for option in options}
    values = {}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign:
            raise OptionError(f"write --set OPTION=VALUE, not {setting!r}.")
        if name not in known:
            raise OptionError(f"There is no option {name!r}; {suggest(name, known)}")
        values[name] = known[name].parse(text)
    return values
