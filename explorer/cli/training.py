"""The command `train`."""

import contextlib
import inspect
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from explorer.cli.common import (
    AsJson,
    load_registry,
    open_store,
    parse_options,
    refuse,
    settings_or_refuse,
)
from explorer.cli.help import late
from explorer.errors import ExplorerError
from explorer.language import later, listed, say
from explorer.plugin.options import Option
from explorer.training.recipe import OPTIONS, PRESETS, preset

if TYPE_CHECKING:
    from explorer.cli.output import JsonLines, ProgressBar
    from explorer.plugin.registry import Registry
    from explorer.runs.run import RunSpec

_F = TypeVar("_F", bound=Callable[..., None])


def with_recipe_options(command: _F) -> _F:
    """Give a command one option for each field of the recipe.

    The command takes them as `recipe_options`, a mapping from names to what was typed.
    """

    def typed(option: Option) -> Any:
        help = late(lambda: _help_of(option))
        return Annotated[str | None, typer.Option(metavar="VALUE", help=help)]

    def run(**given: Any) -> None:
        values = {o.name: text for o in OPTIONS if (text := given.pop(o.name)) is not None}
        command(**given, recipe_options=values)

    kind = inspect.Parameter.KEYWORD_ONLY
    own = inspect.signature(command).parameters
    added = [inspect.Parameter(o.name, kind, default=None, annotation=typed(o)) for o in OPTIONS]
    before = [p.replace(kind=kind) for name, p in own.items() if name != "recipe_options"]
    run.__signature__ = inspect.Signature([*before, *added])  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run  # type: ignore[return-value]


def _help_of(option: Option) -> str:
    expected = option.expected()
    return say(
        "{help} {expected}; by default the preset's.",
        help=say(option.help),
        expected=expected[:1].upper() + expected[1:],
    )


@with_recipe_options
def train(
    name: Annotated[
        str, typer.Argument(help=later("The architecture; `explorer list` names them."))
    ],
    recipe_options: Mapping[str, str],
    dataset: Annotated[str, typer.Option(help=later("The data set."))] = "mnist",
    recipe: Annotated[
        str,
        typer.Option(
            help=late(lambda: say("A preset: {presets}.", presets=listed([*PRESETS], ",")))
        ),
    ] = "fast",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help=later("An option of the architecture.")),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option(help=later("Delete the earlier run with the same settings, and start again.")),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train an architecture, or go on with its run."""
    from explorer.engines.machine import prepare

    prepare()
    from explorer.cli.output import JsonLines, ProgressBar
    from explorer.runs.run import spec_of

    try:
        fields = {option.name: option for option in OPTIONS}
        chosen = preset(recipe).changed(
            **{each: fields[each].parse(text) for each, text in recipe_options.items()}
        )
        registry = load_registry(name, dataset)
        images, architecture = registry.dataset(dataset), registry[name]
        values = parse_options(settings or [], architecture.options)
        registry.require_fit(architecture, values, images)
        spec = spec_of(architecture, values, images, chosen)
    except ExplorerError as error:
        refuse(str(error))
    _train(spec, registry, fresh, JsonLines() if as_json else ProgressBar())


@contextlib.contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C only be noted within the block, and the second interrupt it."""
    interrupted = False

    def note(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _train(
    spec: "RunSpec", registry: "Registry", fresh: bool, output: "JsonLines | ProgressBar"
) -> None:
    from explorer.engines.ownership import new_owner
    from explorer.engines.perform import perform
    from explorer.runs.run import Status
    from explorer.training import events

    settings = settings_or_refuse()
    store = open_store(settings)
    try:
        if fresh:
            store.delete(spec.id)
        run = store.add(spec)
        if run.status is Status.FINISHED:
            if run.started:
                output.event("started", events.to_json(run.started))
            for epoch in run.epochs:
                output.event("epoch", events.to_json(epoch))
            output.event("finished", {"run": run.id})
            return
        owner = new_owner()
        run = store.claim(run.id, owner)
    except ExplorerError as error:
        refuse(str(error))
    try:
        with output.open(), _interruptible() as is_interrupted:
            for event in perform(run, owner, store, registry, settings):
                output.event(events.kind(event), events.to_json(event))
                if is_interrupted() and isinstance(event, events.Step):
                    raise KeyboardInterrupt  # where it can be resumed without a loss
    except KeyboardInterrupt:
        paused = say("Paused; the same command continues it. Run {id}.", id=run.id)
        print(paused, file=sys.stderr)
        raise typer.Exit(130) from None
    except BaseException:  # a plugin's forward may even call sys.exit
        run = store.run(run.id)
        output.event("failed", {"run": run.id, "reason": run.reason})
        raise typer.Exit(1) from None
    match (run := store.run(run.id)).status:
        case Status.FINISHED:
            output.event("finished", {"run": run.id})
        case Status.PAUSED:
            output.event("paused", {"run": run.id})
        case _:
            reason = say("Another process has claimed the run; `explorer runs` shows its status.")
            output.event("failed", {"run": run.id, "reason": reason})
            raise typer.Exit(1)
