"""Restores the network that a run had at one of the moments that are kept."""

from pathlib import Path

import torch
from torch import nn

from explorer.data.dataset import DataSet
from explorer.data.loader import Data, default_device, load_data
from explorer.errors import ExplorerError, explain
from explorer.language import say
from explorer.plugin.registry import Registry
from explorer.runs.run import Run
from explorer.runs.store import RunStore
from explorer.training.checkpoint import load_weights
from explorer.training.events import Moment
from explorer.training.layout import settle


class NetworkError(ExplorerError, RuntimeError):
    """The network or the data set of a run cannot be restored; the message says why."""


def load_network(
    run: Run, moment: Moment, store: RunStore, registry: Registry, device: torch.device
) -> nn.Module:
    """Build a run's network on `device`, in evaluation mode, with its weights at a moment.

    Raises:
        NetworkError: Its plugin is gone or no longer fits the weights, or they were not kept.
    """
    try:
        model = _build(run, registry)
        load_weights(model, store.weights(run.id, moment))
    except ExplorerError as error:
        raise NetworkError(
            say("The network of this run cannot be shown: {reason}", reason=error)
        ) from error
    return model.to(device).eval()


def open_network(
    run: Run, moment: Moment, store: RunStore, registry: Registry, cache: Path
) -> tuple[nn.Module, Data]:
    """Restore the network that a run had at a moment, with the images it was trained on.

    Args:
        run: The run.
        moment: One of those at which the weights were kept.
        store: Where the run is kept.
        registry: Where its architecture and its data set are looked up.
        cache: The folder of the decoded data sets.

    Returns:
        Both on the machine's accelerator, if it has one, in the fastest memory layout that the
        network takes.

    Raises:
        NetworkError: The network cannot be brought back.
        DataError: The images cannot be read.
    """
    device = default_device()
    data = load_data(dataset_of(run, registry), device, cache)
    model = load_network(run, moment, store, registry, device)
    seen = registry[run.spec.architecture].sees(data.spec, run.spec.options)
    data, _ = settle(model, data.seen_as(seen))
    return model, data


def dataset_of(run: Run, registry: Registry) -> DataSet:
    """Return the data set that a run's network was trained on.

    Raises:
        NetworkError: Its plugin is gone.
    """
    try:
        return registry.dataset(run.spec.dataset)
    except ExplorerError as error:
        raise NetworkError(
            say("The images of this run cannot be shown: {reason}", reason=error)
        ) from error


def _build(run: Run, registry: Registry) -> nn.Module:
    architecture = registry[run.spec.architecture]
    images = registry.dataset(run.spec.dataset).images
    try:
        seen = architecture.sees(images, run.spec.options)
        return architecture.build(seen, run.spec.options)
    except ExplorerError:
        raise
    except Exception as error:  # its code may have changed in any way since the run was made
        raise ExplorerError(explain(error, architecture.location)) from error
