"""Performs a run: trains what its spec says, and stores each event before passing it on."""

import functools
import logging
from collections.abc import Iterator

import torch

from explorer.data.loader import default_device, load_data
from explorer.engines.ownership import leased
from explorer.errors import ExplorerError, explain, full_trace
from explorer.plugin.architecture import Architecture
from explorer.plugin.registry import Registry
from explorer.runs.faults import PATIENCE, StoreError, patiently
from explorer.runs.run import Run, Status
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Epoch, Event
from explorer.training.loop import train

IMPATIENCE = 5.0  # seconds to record the end of a run that somebody has ended and waits for

_log = logging.getLogger(__name__)


class ChangedPluginError(ExplorerError, RuntimeError):
    """The code or the images are no longer those of the run's spec."""


def perform(
    run: Run, owner: str, store: RunStore, registry: Registry, settings: Settings
) -> Iterator[Event]:
    """Train a run that `owner` has claimed, from its last finished epoch.

    Each event is in the store before it is yielded. However it ends, the store has the run's
    status: finished when the events run out, stopped when a stop was requested or the generator is
    closed, failed when an exception passes through. While the database is away, locked or full,
    training waits for it; where that does not pass, the run ends, and its lease runs out.

    Raises:
        StoreError: The database could not be used for minutes, or for a reason that stays.
        Exception: Whatever training raised; the store has its sentence and its traceback.
    """
    architecture: Architecture | None = None
    try:
        with leased(store, lambda: [owner]):
            architecture = registry[run.spec.architecture]
            if architecture.fingerprint != run.spec.fingerprint:
                raise ChangedPluginError(
                    f"The code of {architecture.name} ({architecture.origin}) has changed "
                    "since this run began; start a new run with the current code."
                )
            dataset = registry.dataset(run.spec.dataset)
            if dataset.version != run.spec.dataset_version:
                raise ChangedPluginError(
                    f"The images of {dataset.title} have changed since this run began; start a new "
                    "run with the current ones."
                )
            _log.info("Run %s begins: %s", run.id, run.title)
            patiently(lambda: store.begin(run.id, owner))
            data = load_data(dataset, default_device(), settings.cache)
            data = data.seen_as(architecture.sees(data.spec, run.spec.options))
            torch.manual_seed(run.spec.recipe.seed)
            model = architecture.build(data.spec, run.spec.options)
            checkpoint = patiently(lambda: store.checkpoint(run.id))
            for event in train(model, data, run.spec.recipe, checkpoint):
                proceed = patiently(functools.partial(store.append, run.id, owner, event))
                if not proceed and not _is_last(event, run):
                    _log.info("Run %s is stopped", run.id)
                    patiently(lambda: store.end(run.id, owner, Status.STOPPED))
                    return
                yield event
            patiently(lambda: store.end(run.id, owner, Status.FINISHED))
        _log.info("Run %s is finished", run.id)
    except (GeneratorExit, KeyboardInterrupt):
        _log.info("Run %s is stopped", run.id)
        _end(store, run, owner, Status.STOPPED, patience=IMPATIENCE)
        raise
    except StoreError as error:  # there was patience before
        _log.error("Run %s ends here: %s", run.id, error)
        _end(store, run, owner, Status.FAILED, str(error), patience=0)
        raise
    except BaseException as error:  # a plugin's forward may even call sys.exit
        _log.error("Run %s failed", run.id, exc_info=True)
        location = architecture.location if architecture else None
        reason, trace = explain(error, location), full_trace(error)
        _end(store, run, owner, Status.FAILED, reason, trace, patience=PATIENCE)
        raise


def _end(
    store: RunStore,
    run: Run,
    owner: str,
    status: Status,
    reason: str = "",
    trace: str = "",
    *,
    patience: float,
) -> None:
    """End the run; where that cannot be recorded, its lease runs out, and it is interrupted."""
    try:
        patiently(lambda: store.end(run.id, owner, status, reason, trace), patience)
    except StoreError as error:
        _log.error(
            "Run %s is %s, but shown as interrupted; it can be resumed. %s", run.id, status, error
        )


def _is_last(event: Event, run: Run) -> bool:
    return isinstance(event, Epoch) and event.epoch == run.spec.recipe.epochs
