"""The command `predict`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer.cli.common import (
    AsJson,
    in_english,
    load_registry,
    open_store,
    refuse,
    settings_or_refuse,
)
from explorer.errors import ExplorerError
from explorer.language import later, say

if TYPE_CHECKING:
    from explorer.data.dataset import DataSet
    from explorer.inspection.session import Session


def predict(
    id: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help=later("The run's id, or its beginning; see `explorer runs`.")
        ),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help=later("Pictures, of any size: PNG, JPEG, …")),
    ],
    epoch: Annotated[
        int | None, typer.Option(help=later("After which epoch; by default the last one."))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict what is on pictures."""
    from explorer.cli.output import print_predictions
    from explorer.inspection.network import look_into
    from explorer.plugin.architecture import printing_to_stderr
    from explorer.runs.recorded import open_examples
    from explorer.runs.restore import dataset_of, open_network
    from explorer.runs.store import find_run

    settings = settings_or_refuse()
    try:
        run, store = find_run(id, [open_store(settings), open_examples()])
        registry = load_registry(run.spec.architecture, run.spec.dataset)
        moment = store.moment(run.id, epoch)
        with printing_to_stderr():
            model, data = open_network(run, moment, store, registry, settings.cache)
    except ExplorerError as error:
        refuse(str(error))
    answers = _answers(files, look_into(model, data), dataset_of(run, registry))
    failed = False
    if as_json:
        for answer in answers:
            print(json.dumps(in_english(answer), ensure_ascii=False), flush=True)
            failed |= "error" in answer
    else:
        found = list(answers)
        print_predictions(found)
        failed = any("error" in answer for answer in found)
    if failed:
        raise typer.Exit(1)


def _answers(
    files: Sequence[Path], session: "Session", dataset: "DataSet"
) -> Iterator[dict[str, Any]]:
    """Yield what the network says of each file, or the sentence that says why it cannot be used."""
    from explorer.data.pictures import PictureError, open_picture, prepare_and_show
    from explorer.plugin.architecture import printing_to_stderr

    for file in files:
        try:
            prepared = prepare_and_show(open_picture(file.read_bytes()), dataset)
        except PictureError as error:
            yield {"file": str(file), "error": str(error)}
            continue
        except OSError as error:
            reason = say(
                "This file cannot be read ({reason}); name a picture.", reason=error.strerror
            )
            yield {"file": str(file), "error": reason}
            continue
        with printing_to_stderr():
            probabilities = session.record(prepared.image).probabilities[0]
        named = dict(zip(dataset.classes, map(float, probabilities), strict=True))
        answer = {
            "file": str(file),
            "predicted": max(named, key=named.__getitem__),
            "probabilities": named,
            "sure": prepared.sure,
        }
        yield answer if prepared.sure else {**answer, "doubt": prepared.doubt}
