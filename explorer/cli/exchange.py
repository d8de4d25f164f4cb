"""The commands `import-weights` and `export`."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.common import (
    AsJson,
    in_english,
    load_registry,
    open_store,
    parse_options,
    refuse,
    refuse_target,
    settings_or_refuse,
)
from explorer.language import again, later, listed, say


def import_weights(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ARCHITECTURE", help=later("The architecture; `explorer list` names them.")
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help=later(
                "Its state dict: .safetensors, or .pt as torch.save writes it; no code is run."
            ),
        ),
    ],
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help=later("An option of the architecture.")),
    ] = None,
    dataset: Annotated[str, typer.Option(help=later("The data set it was trained on."))] = "mnist",
    as_json: AsJson = False,
) -> None:
    """Make a run of weights in a file."""
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
        print(again(note), file=sys.stderr)
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
        print(json.dumps(in_english(result), indent=2, ensure_ascii=False))
        return
    if found.was_there:
        print(say("These weights were imported before."))
    share, loss = 100 * epoch.test_accuracy, epoch.test_loss
    if run.started:
        score = say(
            "{run}: {share:.2f} % of {images:,} test images classified correctly, loss {loss:.4f}",
            run=run.title,
            share=share,
            images=run.started.test_size,
            loss=loss,
        )
    else:
        score = say(
            "{run}: {share:.2f} % of the test images classified correctly, loss {loss:.4f}",
            run=run.title,
            share=share,
            loss=loss,
        )
    print(score)
    print(say("run {id}", id=run.id))


def export(
    id: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help=later("The run's id, or its beginning; see `explorer runs`.")
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=later("Write the state dict to this file: .safetensors, or .pt for torch.load."),
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=later("Write one page that needs no server: curves, feature maps, switches."),
        ),
    ] = None,
    images: Annotated[
        str,
        typer.Option(
            metavar=later("8,15,3 or N"),
            help=later(
                "Of the page: these test images, or so many that show something; '8,' is one."
            ),
        ),
    ] = "6",
    off: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help=later(
                "Switched off when the page opens, all together: a branch, as block2.skip, or a "
                "channel, as conv1:3. Each branch alone is computed in any case."
            ),
        ),
    ] = None,
    test_images: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=later(
                "Of the page: score on the first so many test images; 0: on all; by default on as "
                "many as take some seconds."
            ),
        ),
    ] = None,
    url: Annotated[
        str,
        typer.Option(
            metavar="https://…", help=later("Where an explorer runs that the page is to link to.")
        ),
    ] = "",
    epoch: Annotated[
        int | None, typer.Option(help=later("After which epoch; by default the last one."))
    ] = None,
    force: Annotated[bool, typer.Option("--force", help=later("Write over a file."))] = False,
    as_json: AsJson = False,
) -> None:
    """Write a run to files."""
    if weights is None and html is None:
        refuse(say("Say what to write: --weights FILE.safetensors, --html FILE.html, or both."))
    wanted = _images(images)
    if url and not _ADDRESS.fullmatch(url):
        refuse(
            say(
                "--url takes an address such as https://explorer.example.org, not {given!r}.",
                given=url,
            )
        )
    if html is not None:
        refuse_target(html, overwrite=force)
    from explorer.runs.exchange import export_weights
    from explorer.runs.recorded import open_examples
    from explorer.runs.store import find_run

    settings = settings_or_refuse()
    run, store = find_run(id, [open_store(settings), open_examples()])
    written: dict[str, object] = {"run": run.id}
    if weights is not None:
        moment = export_weights(run, epoch, store, weights, overwrite=force)
        written |= {"epoch": moment.epoch, "weights": str(weights)}
        if not as_json:
            print(
                say("{file} has the weights of {run}.", file=weights, run=run.title_after(moment))
            )
    if html is not None:
        from explorer.cli.pages import write_page

        made = write_page(
            html,
            run,
            store,
            epoch=epoch,
            images=wanted,
            off=off or [],
            test_images=test_images,
            url=url,
            cache=settings.cache,
        )
        written |= made
        if not as_json:
            moment = store.moment(run.id, epoch)
            print(
                say(
                    "{file} has {run}: {size:.1f} MB, test images {images}.",
                    file=html,
                    run=run.title_after(moment),
                    size=made["bytes"] / 1e6,
                    images=listed([*map(str, made["images"])], ","),
                )
            )
            for sentence in made["left_out"]:
                print(again(sentence))
    if as_json:
        print(json.dumps(in_english(written), ensure_ascii=False))


_ADDRESS = re.compile(r"https?://[^\s\"'<>?#]+")
_NUMBERS = re.compile(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*,?\s*")


def _images(text: str) -> int | list[int]:
    """Read the indices of test images, as `8,15,3`, or how many to choose, as `6`."""
    if not _NUMBERS.fullmatch(text):
        refuse(
            say(
                "--images takes test images, as 8,15,3, or how many to choose, not {given!r}.",
                given=text,
            )
        )
    if text.strip().isdecimal():
        return int(text)
    return [int(number) for number in text.split(",") if number.strip()]
