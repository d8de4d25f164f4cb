"""Performs a run: trains what its spec says, and writes down each event before passing it on."""

import contextlib
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator

import torch

from explorer.data.loader import default_device, load_data
from explorer.errors import ExplorerError, explain
from explorer.plugin.architecture import Architecture
from explorer.plugin.registry import Registry
from explorer.runs.run import Run, Status
from explorer.runs.store import LEASE_SECONDS, RunStore
from explorer.settings import Settings
from explorer.training.events import Epoch, Event
from explorer.training.loop import train


class ChangedPluginError(ExplorerError, RuntimeError):
    """The code or the images are no longer those that the run was asked for with."""


def perform(
    run: Run, owner: str, store: RunStore, registry: Registry, settings: Settings
) -> Iterator[Event]:
    """Train a run that `owner` has claimed, from where its record ends.

    Each event is in the store before it is yielded. However it ends, the store says so: finished
    when the events run out, stopped when a stop was asked for or the generator is closed, failed
    when an exception passes through.

    Raises:
        Exception: Whatever training raised; the store has its sentence.
    """
    architecture: Architecture | None = None
    try:
        with leased(store, lambda: [owner]):
            architecture = registry[run.spec.architecture]
            if architecture.fingerprint != run.spec.fingerprint:
                raise ChangedPluginError(
                    f"The code of {architecture.name} ({architecture.origin}) has changed "
                    "since this run was begun; start a new run with the code as it is now."
                )
            dataset = registry.dataset(run.spec.dataset)
            if dataset.version != run.spec.dataset_version:
                raise ChangedPluginError(
                    f"The images of {dataset.title} have changed since this run was begun; start a "
                    "new run with those that are there now."
                )
            store.begin(run.id, owner)
            data = load_data(dataset, default_device(), settings.cache)
            torch.manual_seed(run.spec.recipe.seed)
            model = architecture.build(data.spec, run.spec.options)
            for event in train(model, data, run.spec.recipe, store.checkpoint(run.id)):
                go_on = store.append(run.id, owner, event)
                if not go_on and not _is_last(event, run):
                    store.end(run.id, owner, Status.STOPPED)
                    return
                yield event
        store.end(run.id, owner, Status.FINISHED)
    except (GeneratorExit, KeyboardInterrupt):
        store.end(run.id, owner, Status.STOPPED)
        raise
    except BaseException as error:  # a plugin's forward may even call sys.exit
        location = architecture.location if architecture else None
        store.end(run.id, owner, Status.FAILED, explain(error, location))
        raise


def _is_last(event: Event, run: Run) -> bool:
    return isinstance(event, Epoch) and event.epoch == run.spec.recipe.epochs


def new_owner() -> str:
    """A name for one who trains runs, unlike any other's."""
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


@contextlib.contextmanager
def leased(store: RunStore, owners: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Keep the owners' leases on their runs alive, from a thread, until the block is left.

    Args:
        store: Where the runs are kept.
        owners: Asked anew each time for those whose leases are to be renewed.
    """
    done = threading.Event()

    def renew() -> None:
        while not done.wait(LEASE_SECONDS / 4):
            # A database that is away for a moment must not end the renewal.
            with contextlib.suppress(Exception):
                for owner in owners():
                    store.renew(owner)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
