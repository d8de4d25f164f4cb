"""The command `inspect`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.common import AsJson, load_registry, open_store, refuse, settings_or_refuse


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
    from explorer.cli.output import print_inspection
    from explorer.data.cache import DataError
    from explorer.data.loader import default_device, load_data
    from explorer.inspection.ablation import AblationError
    from explorer.inspection.report import activations, report
    from explorer.runs.recorded import open_examples
    from explorer.runs.restore import NetworkError, dataset_of, load_network
    from explorer.runs.run import UnknownRunError
    from explorer.runs.store import find_run

    settings = settings_or_refuse()
    try:
        run, store = find_run(id, [open_store(settings), open_examples()])
        kept = store.kept_epochs(id)
        if not kept:
            refuse(f"Run {id} has no weights yet; `explorer train` goes on with it.")
        device = default_device()
        registry = load_registry()
        dataset = dataset_of(run, registry)
        data = load_data(dataset, device, settings.cache)
        if not 0 <= image < len(data.test):
            refuse(f"There is no test image {image}; they go from 0 to {len(data.test) - 1:,}.")
        model = load_network(run, epoch or kept[-1], store, registry, device)
        found = report(model, data, image, off or [], test_images)
        if maps:
            maps.write_bytes(activations(model, data, image, off or []))
    except (AblationError, DataError, NetworkError, UnknownRunError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{maps} cannot be written ({error.strerror}); name a file in a folder that is.")
    found = {"run": run.id, "epoch": epoch or kept[-1], **found}
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print_inspection(found, run.title, dataset.classes)
