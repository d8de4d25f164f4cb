"""Performs a run: trains what its spec says, and stores each event before passing it on."""

import contextlib
import functools
import logging
from collections.abc import Iterator
from time import perf_counter

import torch

from explorer.data.loader import default_device, load_data
from explorer.engines.ownership import leased
from explorer.errors import ExplorerError, explain, full_trace
from explorer.language import author, say
from explorer.plugin.architecture import Architecture
from explorer.plugin.registry import Registry
from explorer.runs.faults import PATIENCE, StoreError, patiently
from explorer.runs.run import Run, Status
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Epoch, Event, Step
from explorer.training.loop import train

KEEP_SECONDS = 2.0  # between two moments at which a training is kept within an epoch
KEEP_SHARE = 0.02  # of the time, at most, that this takes
IMPATIENCE = 5.0  # seconds to record the end of a run that somebody has ended and waits for

_log = logging.getLogger(__name__)


class ChangedPluginError(ExplorerError, RuntimeError):
    """The code or the images are no longer those of the run's spec."""


def perform(
    run: Run,
    owner: str,
    store: RunStore,
    registry: Registry,
    settings: Settings,
    steps: int | None = None,
) -> Iterator[Event]:
    """Train a run that `owner` has claimed, from where it was last kept.

    Each event is in the store before it is yielded. However it ends, the store has the run's
    status: finished when the events run out, paused when a stop was requested or the generator is
    closed, failed when an exception passes through. What is needed to go on is kept where it is
    paused, and every few seconds. While the database is away, locked or full, training waits for
    it; where that does not pass, the run ends, and its lease runs out.

    Args:
        run: The run.
        owner: Who trains it.
        store: Where it is kept.
        registry: Where its architecture and its data set are looked up.
        settings: Folders.
        steps: Pause after so many steps, each of which is looked at closely; `None` trains to the
            end.

    Raises:
        StoreError: The database could not be used for minutes, or for a reason that stays.
        Exception: Whatever training raised; the store has its sentence and its traceback.
    """
    architecture: Architecture | None = None
    event: Event | None = None
    try:
        with leased(store, lambda: [owner]):
            architecture = registry[run.spec.architecture]
            if architecture.fingerprint != run.spec.fingerprint:
                raise ChangedPluginError(
                    say(
                        "The code of {name} ({origin}) has changed since this run began; start a "
                        "new run with the current code.",
                        name=architecture.name,
                        origin=architecture.origin,
                    )
                )
            dataset = registry.dataset(run.spec.dataset)
            if dataset.version != run.spec.dataset_version:
                raise ChangedPluginError(
                    say(
                        "The images of {title} have changed since this run began; start a new run "
                        "with the current ones.",
                        title=author(dataset.title),
                    )
                )
            _log.info("Run %s begins: %s", run.id, run.title)
            patiently(lambda: store.begin(run.id, owner))
            data = load_data(dataset, default_device(), settings.cache)
            data = data.seen_as(architecture.sees(data.spec, run.spec.options))
            torch.manual_seed(run.spec.recipe.seed)
            model = architecture.build(data.spec, run.spec.options)
            checkpoint = patiently(lambda: store.checkpoint(run.id))
            left, next_kept = steps, perf_counter() + KEEP_SECONDS
            for event in train(model, data, run.spec.recipe, checkpoint, closely=bool(steps)):
                proceed = patiently(functools.partial(store.append, run.id, owner, event))
                if proceed is None:
                    _log.info("Run %s is somebody else's", run.id)
                    return
                yield event
                if left is not None and isinstance(event, Step):
                    left -= 1
                if _can_pause(event, run) and (left == 0 or not proceed):
                    _log.info("Run %s is paused", run.id)
                    _keep(store, run, owner, event)
                    patiently(lambda: store.end(run.id, owner, Status.PAUSED))
                    return
                if isinstance(event, Step) and (began := perf_counter()) > next_kept:
                    _keep(store, run, owner, event)
                    taken = perf_counter() - began
                    next_kept = began + taken + max(KEEP_SECONDS, taken / KEEP_SHARE)
            patiently(lambda: store.end(run.id, owner, Status.FINISHED))
        _log.info("Run %s is finished", run.id)
    except (GeneratorExit, KeyboardInterrupt) as error:
        _log.info("Run %s is paused", run.id)
        if isinstance(error, GeneratorExit) and event:  # else it is within a step
            with contextlib.suppress(StoreError):  # it goes on from earlier then
                _keep(store, run, owner, event, patience=0)
        _end(store, run, owner, Status.PAUSED, patience=IMPATIENCE)
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


def _keep(
    store: RunStore, run: Run, owner: str, event: Event, *, patience: float = PATIENCE
) -> None:
    """Keep the training as it is after a step; with an epoch, that is done already."""
    if isinstance(event, Step) and event.checkpoint:
        checkpoint = event.checkpoint()
        patiently(lambda: store.keep(run.id, owner, checkpoint), patience)


def _can_pause(event: Event, run: Run) -> bool:
    """Return whether a training can go on after this event, and does not end with it."""
    is_last = isinstance(event, Epoch) and event.epoch == run.spec.recipe.epochs
    return isinstance(event, Step | Epoch) and not is_last
