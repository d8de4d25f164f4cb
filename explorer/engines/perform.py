"""Performs a run: trains what its spec says, and stores each event before passing it on."""

import logging
from collections.abc import Iterator

import torch

from explorer.data.loader import default_device, load_data
from explorer.engines.ownership import leased
from explorer.errors import ExplorerError, explain, full_trace
from explorer.plugin.architecture import Architecture
from explorer.plugin.registry import Registry
from explorer.runs.run import Run, Status
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Epoch, Event
from explorer.training.loop import train

_log = logging.getLogger(__name__)


class ChangedPluginError(ExplorerError, RuntimeError):
    """The code or the images are no longer those of the run's spec."""


def perform(
    run: Run, owner: str, store: RunStore, registry: Registry, settings: Settings
) -> Iterator[Event]:
    """Train a run that `owner` has claimed, from its last finished epoch.

    Each event is in the store before it is yielded. However it ends, the store has the run's
    status: finished when the events run out, stopped when a stop was requested or the generator is
    closed, failed when an exception passes through.

    Raises:
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
            store.begin(run.id, owner)
            data = load_data(dataset, default_device(), settings.cache)
            data = data.seen_as(architecture.sees(data.spec, run.spec.options))
            torch.manual_seed(run.spec.recipe.seed)
            model = architecture.build(data.spec, run.spec.options)
            for event in train(model, data, run.spec.recipe, store.checkpoint(run.id)):
                proceed = store.append(run.id, owner, event)
                if not proceed and not _is_last(event, run):
                    _log.info("Run %s is stopped", run.id)
                    store.end(run.id, owner, Status.STOPPED)
                    return
                yield event
        store.end(run.id, owner, Status.FINISHED)
        _log.info("Run %s is finished", run.id)
    except (GeneratorExit, KeyboardInterrupt):
        _log.info("Run %s is stopped", run.id)
        store.end(run.id, owner, Status.STOPPED)
        raise
    except BaseException as error:  # a plugin's forward may even call sys.exit
        _log.error("Run %s failed", run.id, exc_info=True)
        location = architecture.location if architecture else None
        store.end(run.id, owner, Status.FAILED, explain(error, location), full_trace(error))
        raise


def _is_last(event: Event, run: Run) -> bool:
    return isinstance(event, Epoch) and event.epoch == run.spec.recipe.epochs
