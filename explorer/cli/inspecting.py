"""The command `inspect`."""

import json
from pathlib import Path
from typing import Annotated, Literal

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
from explorer.language import author, later, say


def inspect(
    id: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help=later("The run's id, or its beginning; see `explorer runs`.")
        ),
    ],
    image: Annotated[int, typer.Option(help=later("The index of a test image."))] = 0,
    epoch: Annotated[
        int | None, typer.Option(help=later("After which epoch; by default the last one."))
    ] = None,
    off: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help=later("Switch off a branch, as block2.skip, or a channel, as conv1:3."),
        ),
    ] = None,
    test_images: Annotated[
        int,
        typer.Option(min=0, help=later("Score on the first so many test images; 0: on all.")),
    ] = 0,
    maps: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help=later("Write all activations to this file.")),
    ] = None,
    instead: Annotated[
        Literal["zero", "mean"],
        typer.Option(
            help=later("What a branch that is off gives in the ablation: zeros, or its mean.")
        ),
    ] = "zero",
    patch: Annotated[
        str | None,
        typer.Option(
            metavar="PART=IMAGE", help=later("Give a part what it gives for another test image.")
        ),
    ] = None,
    excites: Annotated[
        str | None,
        typer.Option(
            metavar="PART:CHANNEL",
            help=later("Which test images excite a channel, such as conv1:3."),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look inside a trained network with one test image."""
    from explorer.cli.output import print_inspection
    from explorer.inspection.network import look_into
    from explorer.inspection.recording import to_npz
    from explorer.inspection.report import report
    from explorer.plugin.architecture import printing_to_stderr
    from explorer.runs.recorded import open_examples
    from explorer.runs.restore import dataset_of, open_network
    from explorer.runs.store import find_run

    settings = settings_or_refuse()
    try:
        run, store = find_run(id, [open_store(settings), open_examples()])
        moment = store.moment(run.id, epoch)
        registry = load_registry(run.spec.architecture, run.spec.dataset)
        with printing_to_stderr():
            model, data = open_network(run, moment, store, registry, settings.cache)
        if not 0 <= image < len(data.test):
            refuse(
                say(
                    "There is no test image {number}; they go from 0 to {last:,}.",
                    number=image,
                    last=len(data.test) - 1,
                )
            )
        session = look_into(model, data, location=registry[run.spec.architecture].location)
        given = _patch(patch, len(data.test)) if patch else None
        with printing_to_stderr():
            found = report(session, image, off or [], test_images, instead, given, excites)
        if maps:
            pixels = session.test_image(image)
            maps.write_bytes(to_npz(pixels, session.record(pixels, off or [])))
    except ExplorerError as error:
        refuse(str(error))
    except OSError as error:
        refuse(
            say(
                "{file} cannot be written ({reason}); name a file in an existing folder.",
                file=maps,
                reason=error.strerror,
            )
        )
    found = {"run": run.id, "epoch": moment.epoch, **found}
    if as_json:
        print(json.dumps(in_english(found), indent=2))
    else:
        classes = [author(each) for each in dataset_of(run, registry).classes]
        print_inspection(found, run.title_after(moment), classes)


def _patch(text: str, images: int) -> tuple[str, int]:
    """Read a part and the index of a test image, as `block2.skip=17`."""
    part, _, number = text.rpartition("=")
    if not part or not number.isdecimal() or int(number) >= images:
        refuse(
            say(
                "--patch takes a part and a test image from 0 to {last:,}, such as "
                "block2.skip=17, not {given!r}.",
                last=images - 1,
                given=text,
            )
        )
    return part, int(number)
