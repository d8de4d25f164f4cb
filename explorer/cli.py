"""The explorer without a browser: list, datasets, train, new-plugin, check, inspect, runs."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from explorer.recipe import PRECISIONS, PRESETS, RecipeError, preset

if TYPE_CHECKING:
    from explorer.registry import BrokenPlugin, Registry
    from explorer.runs import Run, RunSpec
    from explorer.settings import Settings
    from explorer.store import RunStore
    from explorer.telling import JsonLines, ProgressBar

app = typer.Typer(
    help="See why convolutional architectures work.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command("list")
def list_architectures(as_json: AsJson = False) -> None:
    """List the architectures that can be trained, and the plugins that are broken."""
    registry = _registry()
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": architecture.name,
                        "summary": architecture.summary,
                        "weights": architecture.weights,
                        "parameters": [p.describe() for p in architecture.parameters],
                        "origin": architecture.source.origin,
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
                f"{architecture.name:{width}}  {architecture.weights:>9,} weights  "
                f"{architecture.summary}"
            )
            for parameter in architecture.parameters:
                print(
                    f"{'':{width}}    --set {parameter.name}={parameter.default}  "
                    f"{parameter.help} ({parameter.expected()})"
                )
    for broken in registry.broken:
        _print_broken(broken)


@app.command("datasets")
def list_datasets(as_json: AsJson = False) -> None:
    """List the data sets that can be learned from."""
    settings = _settings()
    registry = _registry()
    from explorer.data.decoded import is_cached

    if as_json:
        told = [
            {
                "name": dataset.name,
                "title": dataset.title,
                "channels": dataset.images.channels,
                "size": dataset.images.size,
                "labels": list(dataset.labels),
                "address": dataset.address,
                "here": is_cached(dataset, settings.cache),
                "credit": dataset.credit,
                "origin": dataset.source.origin if dataset.source else "",
            }
            for dataset in registry.datasets.values()
        ]
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    width = max(map(len, registry.datasets), default=0)
    for name, dataset in registry.datasets.items():
        here = is_cached(dataset, settings.cache)
        where = "" if here else f"  downloaded at first use, from {dataset.address}"
        print(f"{name:{width}}  {dataset.images}{where}")


@app.command()
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
        typer.Option("--set", metavar="PARAMETER=VALUE", help="A parameter of the architecture."),
    ] = None,
    fresh: Annotated[bool, typer.Option(help="Forget an earlier run of the same.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train an architecture; the run is kept, and taken up again where it was interrupted."""
    from explorer.engines.machine import prepare

    prepare()
    from explorer.data.dataset import UnknownDataSetError
    from explorer.parameters import ParameterError
    from explorer.registry import UnknownArchitectureError
    from explorer.runs import RunSpec
    from explorer.telling import JsonLines, ProgressBar

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
        registry = _registry()
        version = registry.dataset(dataset).version or ""
        architecture = registry[name]
        spec = RunSpec(
            architecture=name,
            parameters=architecture.complete(_parse(settings or [], architecture.parameters)),
            dataset=dataset,
            recipe=chosen,
            fingerprint=architecture.fingerprint,
            dataset_version=version,
        )
    except (
        ParameterError,
        RecipeError,
        UnknownArchitectureError,
        UnknownDataSetError,
    ) as error:
        _refuse(str(error))
    _train(spec, fresh, JsonLines() if as_json else ProgressBar())


@app.command("new-plugin")
def new_plugin(
    name: Annotated[str, typer.Argument(help="The architecture's name, such as my-net.")],
    kind: Annotated[
        str, typer.Option(help="To begin with: plain, residual or inception; package: to install.")
    ] = "inception",
    as_json: AsJson = False,
) -> None:
    """Write a small plugin that works, here, to be made one's own."""
    from explorer import templates

    try:
        chosen = templates.read_kind(kind)
        made = templates.new_plugin(name, chosen, Path(), _registry().architectures)
    except templates.TemplateError as error:
        _refuse(str(error))
    if as_json:
        print(json.dumps({"path": str(made)}))
        return
    print(f"{made} is written. What it holds, and whether it does:")
    print(f"    explorer check {made}")
    if chosen is templates.Kind.PACKAGE:
        print("To have it in the app's picker:")
        print(f"    pip install --editable {made}")
    else:
        print("To have it in the app's picker, start the app with its folder named:")
        print(f"    EXPLORER_PLUGINS={Path().resolve()}")


@app.command()
def check(
    target: Annotated[str, typer.Argument(help="A plugin's file, folder or module.")],
    only: Annotated[
        str | None, typer.Option(help="Examine one architecture or data set of it alone.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Examine plugins as the app will use them; exits 1 if something will not work."""
    from explorer.parameters import suggest
    from explorer.passport.plugins import examine, load_beside_built_ins
    from explorer.sources import PluginError, find_sources
    from explorer.telling import tell_passport

    try:
        registry = load_beside_built_ins(find_sources(target))
    except PluginError as error:
        _refuse(str(error))
    offered = [*registry.architectures, *registry.datasets]
    if only and only not in offered:
        _refuse(f"It does not offer {only!r}; {suggest(only, offered)}")
    passports = []
    for passport in examine(registry, _settings().cache, only):
        passports.append(passport)
        if not as_json:
            tell_passport(passport.to_json())
    holds = not registry.broken and all(passport.holds for passport in passports)
    if as_json:
        told = {
            "ok": holds,
            "passports": [passport.to_json() for passport in passports],
            "broken": [
                {
                    "plugin": broken.source.name,
                    "origin": broken.source.origin,
                    "reason": broken.reason,
                    "trace": broken.trace,
                }
                for broken in registry.broken
            ],
        }
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for broken in registry.broken:
            _print_broken(broken)
    if not holds:
        raise typer.Exit(1)


@app.command()
def inspect(
    id: Annotated[str, typer.Argument(metavar="RUN", help="The run; `explorer runs` names them.")],
    image: Annotated[int, typer.Option(help="The number of a test image.")] = 0,
    epoch: Annotated[
        int | None, typer.Option(help="As it was after this epoch; by default the last.")
    ] = None,
    off: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Switch a branch off, such as mix1.5x5; or conv1:3."),
    ] = None,
    test_images: Annotated[
        int, typer.Option(min=0, help="Score on only so many test images; 0: on all.")
    ] = 0,
    maps: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Write all activations there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look inside a trained network: prediction, branches, ablation, cost, linearity."""
    from explorer.data.decoded import DataError
    from explorer.data.resident import default_device, resident
    from explorer.examples import open_examples
    from explorer.inspection.ablation import AblationError
    from explorer.inspection.report import activations, report
    from explorer.networks import NetworkError, dataset_of, load_network
    from explorer.runs import UnknownRunError
    from explorer.store import find_run
    from explorer.telling import tell_report

    settings = _settings()
    try:
        run, store = find_run(id, [_store(settings), open_examples()])
        kept = store.kept_epochs(id)
        if not kept:
            _refuse(f"Run {id} has no weights yet; `explorer train` goes on with it.")
        device = default_device()
        registry = _registry()
        dataset = dataset_of(run, registry)
        data = resident(dataset, device, settings.cache)
        if not 0 <= image < len(data.test):
            _refuse(f"There is no test image {image}; they go from 0 to {len(data.test) - 1:,}.")
        model = load_network(run, epoch or kept[-1], store, registry, device)
        found = report(model, data, image, off or [], test_images)
        if maps:
            maps.write_bytes(activations(model, data, image, off or []))
    except (AblationError, DataError, NetworkError, UnknownRunError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"{maps} cannot be written ({error.strerror}); name a file in a folder that is.")
    found = {"run": run.id, "epoch": epoch or kept[-1], **found}
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        tell_report(found, run.title, dataset.labels)


@app.command()
def runs(
    examples: Annotated[
        bool, typer.Option("--examples", help="Also those that ship with the explorer.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List all runs, the newest first."""
    found = _store(_settings()).runs()
    if examples:
        from explorer.examples import open_examples

        found += open_examples().runs()
    if as_json:
        print(json.dumps([_describe(run) for run in found], indent=2, ensure_ascii=False))
        return
    if not found:
        print("No runs yet; `explorer train residual` makes one.")
    for run in found:
        accuracy = "" if run.best_accuracy is None else f"{100 * run.best_accuracy:.2f} %"
        print(
            f"{run.id}  {run.status:<11}  {accuracy:>8}  "
            f"{len(run.epochs)}/{run.spec.recipe.epochs} epochs  {run.seconds:6.1f} s  {run.title}"
        )


def _train(spec: "RunSpec", fresh: bool, teller: "JsonLines | ProgressBar") -> None:
    from explorer import events
    from explorer.engines.perform import new_owner, perform
    from explorer.runs import RunIsBusyError, Status

    settings = _settings()
    store = _store(settings)
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
        _refuse(str(error))
    try:
        with teller.open():
            for event in perform(run, owner, store, _registry(), settings):
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


def _parse(settings: list[str], parameters: Any) -> dict[str, Any]:
    from explorer.parameters import ParameterError, suggest

    known = {parameter.name: parameter for parameter in parameters}
    values = {}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign:
            raise ParameterError(f"write --set PARAMETER=VALUE, not {setting!r}.")
        if name not in known:
            raise ParameterError(f"There is no parameter {name!r}; {suggest(name, known)}")
        values[name] = known[name].parse(text)
    return values


def _describe(run: "Run") -> dict[str, Any]:
    from explorer import events

    return {
        "run": run.id,
        **run.spec.to_json(),
        "status": str(run.status),
        "reason": run.reason,
        "created": run.created.isoformat(timespec="seconds"),
        "best_accuracy": run.best_accuracy,
        "last_accuracy": run.last_accuracy,
        "seconds": run.seconds,
        "epochs": [events.to_json(epoch) for epoch in run.epochs],
    }


def _print_broken(broken: "BrokenPlugin") -> None:
    print(f"broken  {broken.source.origin}: {broken.reason}", file=sys.stderr)
    if broken.trace:
        print("    " + broken.trace.replace("\n", "\n    "), file=sys.stderr)


def _refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(2)


def _settings() -> "Settings":
    from explorer.settings import SettingsError, read_settings

    try:
        return read_settings()
    except SettingsError as error:
        _refuse(str(error))


def _store(settings: "Settings") -> "RunStore":
    from explorer.store import RunStore, StoreError

    try:
        return RunStore(settings.database_url)
    except StoreError as error:
        _refuse(str(error))


def _registry() -> "Registry":
    from explorer.registry import discover

    return discover(_settings().plugins)
