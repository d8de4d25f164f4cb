"""The child that trains one run: it makes ready, waits to be told which, and trains it."""

import contextlib
import logging
import multiprocessing
import os
import pickle
from multiprocessing.connection import Connection

import torch
from torch import nn

from explorer import logs
from explorer.data.loader import Data, default_device, load_data
from explorer.data.mnist import MNIST
from explorer.engines.loading import Shelf
from explorer.engines.machine import end_copy, give_way, limit_memory
from explorer.engines.perform import perform
from explorer.errors import ExplorerError
from explorer.runs.run import Status
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Step
from explorer.training.loop import train
from explorer.training.recipe import PRESETS

_log = logging.getLogger(__name__)


def train_run(connection: Connection, settings: Settings, threads: int | None) -> None:
    """Make ready, wait for a run, and train it; the store has what becomes of it.

    Args:
        connection: Brings the run's id, its owner, the plugins that it needs, how many MB it may
            use, and how many steps it is to take; hangs up if no run is to be trained.
        settings: Folders, and the database.
        threads: How many threads compute; `None` for torch's own choice.
    """
    give_way()
    logs.start(settings.log_level, settings.log_format)
    if threads:
        torch.set_num_threads(threads)
    try:
        _rehearse(settings)
    except Exception:  # it fails again, with a sentence, when the run needs it
        _log.warning("The process could not be made ready", exc_info=True)
    with contextlib.suppress(EOFError):
        id, owner, needed, memory, steps = pickle.loads(connection.recv_bytes())
        multiprocessing.current_process().name = f"run {id}"  # in each line of the log
        limit_memory(memory)
        store, own = RunStore(settings.database_url), os.getpid()
        try:
            registry = Shelf().registry(needed)
        except ExplorerError as error:
            store.end(id, owner, Status.FAILED, str(error))
            return
        finally:
            end_copy(own)
        # The store and the log have what it raises.
        with contextlib.suppress(BaseException):
            for _ in perform(store.run(id), owner, store, registry, settings, steps):
                pass


def _rehearse(settings: Settings) -> None:
    """Train a few images: the first step of a process loads much that only training needs."""
    data = load_data(MNIST, default_device(), settings.cache)
    for recipe in PRESETS.values():
        next(
            event for event in train(_small_network(data), data, recipe) if isinstance(event, Step)
        )


def _small_network(data: Data) -> nn.Module:
    """Return a network with the layers that most have."""
    images = data.spec
    network = nn.Sequential(
        nn.Conv2d(images.channels, 8, 5, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.LazyLinear(images.num_classes),
    )
    network(torch.zeros(2, *images.shape))  # the last layer has its shape from now on
    return network.to(data.device)
