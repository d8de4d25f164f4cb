"""Writes a run as one HTML page, for the command `export`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from explorer.charts.curves import Trace
from explorer.charts.page import page
from explorer.cli.common import load_registry, refuse
from explorer.files import why_not_written, write_whole
from explorer.inspection.network import look_into
from explorer.inspection.precompute import precomputed
from explorer.plugin.architecture import printing_to_stderr
from explorer.runs.restore import dataset_of, open_network
from explorer.runs.run import Run
from explorer.runs.store import RunStore


def write_page(
    file: Path,
    run: Run,
    store: RunStore,
    *,
    epoch: int | None,
    images: int | Sequence[int],
    off: Sequence[str],
    test_images: int | None,
    url: str,
    cache: Path,
) -> dict[str, Any]:
    """Compute what the page of a run shows, and write it in one piece.

    Args:
        file: The page, which is replaced if it is there.
        run: The run.
        store: Where the run is kept.
        epoch: After which the network is shown; by default the last one.
        images: Test images, or how many to choose.
        off: What is switched off at first.
        test_images: Score on the first so many; 0: on all; by default on as many as are scored in
            some seconds.
        url: Where an explorer runs that the page links to; may be empty.
        cache: The folder of the decoded data sets.

    Returns:
        `epoch`, `html` (the file), `bytes`, `images` and `left_out` (sentences).

    Raises:
        ExplorerError: The run has no network, or what is asked for does not exist.
    """
    moment = store.moment(run.id, epoch)
    registry = load_registry(run.spec.architecture, run.spec.dataset)
    with printing_to_stderr():
        model, data = open_network(run, moment, store, registry, cache)
        session = look_into(model, data, location=registry[run.spec.architecture].location)
        found = precomputed(session, images, off, test_images)
    trace = Trace(run, store.steps(run.id), run.spec.architecture, store.scores(run.id))
    made = page(trace, moment, dataset_of(run, registry), found, off=off, url=url)
    content = made.html.encode()
    try:
        write_whole(file, content)
    except OSError as error:
        refuse(why_not_written(file, error))
    return {
        "epoch": moment.epoch,
        "html": str(file),
        "bytes": len(content),
        "images": [shown.chosen.number for shown in found.images],
        "left_out": list(made.left_out),
    }
