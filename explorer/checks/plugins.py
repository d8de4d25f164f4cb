"""The checks of all that plugins offer."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from explorer.checks import images, networks
from explorer.checks.findings import Report
from explorer.data.loader import load_data
from explorer.data.mnist import MNIST
from explorer.plugin.registry import Registry, load
from explorer.plugin.sources import Source, built_in


def load_beside_built_ins(sources: Iterable[Source]) -> Registry:
    """Load plugins as the app does, after the built-in ones, whose names are taken.

    Returns:
        What these plugins offer, and which of them are broken.
    """
    own = list(sources)
    places = {source.location for source in own}
    registry = load([*(each for each in built_in() if each.location not in places), *own])
    return Registry(
        {name: a for name, a in registry.architectures.items() if a.source in own},
        {name: d for name, d in registry.datasets.items() if d.location in places},
        tuple(broken for broken in registry.broken if broken.source in own),
    )


def examine(registry: Registry, cache: Path, only: str | None = None) -> Iterator[Report]:
    """Run every check on all that a registry offers, one after the other.

    Args:
        registry: What plugins offer.
        cache: The folder of the decoded data sets.
        only: The name of the one architecture or data set to check; by default, all.
    """
    for name, architecture in registry.architectures.items():
        if only in (None, name):
            yield networks.examine(architecture, load_data(MNIST, torch.device("cpu"), cache))
    for name, dataset in registry.datasets.items():
        if only in (None, name):
            yield images.examine(dataset, cache)
