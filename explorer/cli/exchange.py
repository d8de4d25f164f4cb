"""The commands `import-weights` and `export`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.common import (
    AsJson,
    load_registry,
    open_store,
    parse_options,
    refuse,
    settings_or_refuse,
)


def import_weights(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ARCHITECTURE", help="The architecture; `explorer list` names them."
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Its state dict: .safetensors, or .pt as torch.save writes it; no code is run.",
        ),
    ],
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="An option of the architecture."),
    ] = None,
    dataset: Annotated[str, typer.Option(help="The data set it was trained on.")] = "mnist",
    as_json: AsJson = False,
) -> None:
    """Make a run of a network that was trained elsewhere, to look into, score and compare."""
    from explorer.engines.machine import prepare

    prepare()
    from explorer.runs.exchange import import_weights

    settings = settings_or_refuse()
    store = open_store(settings)
    registry = load_registry()
    architecture = registry[name]
    found = import_weights(
        file,
        architecture,
        parse_options(options or [], architecture.options),
        registry.dataset(dataset),
        store,
        registry,
        settings.cache,
    )
    for note in found.notes:
        print(note, file=sys.stderr)
    run, (epoch,) = found.run, found.run.epochs
    if as_json:
        result = {
            "run": run.id,
            **run.spec.to_json(),
            "was_there": found.was_there,
            "test_accuracy": epoch.test_accuracy,
            "test_loss": epoch.test_loss,
            "notes": list(found.notes),
        }
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return
    if found.was_there:
        print("These weights were imported before.")
    images = f"{run.started.test_size:,} test images" if run.started else "the test images"
    print(
        f"{run.title}: {100 * epoch.test_accuracy:.2f} % of {images} classified correctly, loss "
        f"{epoch.test_loss:.4f}"
    )
    print(f"run {run.id}")


def export(
    id: Annotated[
        str,
        typer.Argument(metavar="RUN", help="The run's id, or its beginning; see `explorer runs`."),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the state dict to this file: .safetensors, or .pt for torch.load.",
        ),
    ] = None,
    epoch: Annotated[
        int | None, typer.Option(help="After which epoch; by default the last one.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the network of a run to a file that other programs read."""
    if weights is None:
        refuse("Say what to write: --weights FILE.safetensors.")
    from explorer.runs.exchange import export_weights
    from explorer.runs.recorded import open_examples
    from explorer.runs.store import find_run

    run, store = find_run(id, [open_store(settings_or_refuse()), open_examples()])
    epoch = export_weights(run, epoch, store, weights, overwrite=force)
    if as_json:
        print(json.dumps({"run": run.id, "epoch": epoch, "weights": str(weights)}))
    else:
        print(f"{weights} has the weights of {run.title_after(epoch)}.")
