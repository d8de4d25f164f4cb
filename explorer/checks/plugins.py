"""The checks of all that plugins offer."""

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import torch

from explorer.checks import images, lessons, networks
from explorer.checks.findings import Report
from explorer.checks.translations import (
    texts_of,
    texts_of_images,
    texts_of_lesson,
    with_translations,
)
from explorer.data.loader import load_data
from explorer.data.mnist import MNIST
from explorer.lessons import Part, Shown
from explorer.plugin.catalogue import Translations, both
from explorer.plugin.lessons import LessonDescription
from explorer.plugin.registry import Loading, Registry, load
from explorer.plugin.sources import Source, built_in

Show: TypeAlias = Callable[[Registry, LessonDescription, Part], Shown]


def load_beside_built_ins(sources: Iterable[Source]) -> Registry:
    """Load plugins as the app does, after the built-in ones, whose names are taken.

    Returns:
        What these plugins offer, and which of them are broken.
    """
    own = list(sources)
    places = {source.location for source in own}
    loading = Loading()
    translations: Translations = {}
    for source in (each for each in built_in() if each.location not in places):
        loading.add(source)
    for source in own:
        translations = both(translations, loading.add(source).translations)
    registry = loading.registry
    return Registry(
        {name: a for name, a in registry.architectures.items() if a.source in own},
        {name: d for name, d in registry.datasets.items() if d.location in places},
        tuple(broken for broken in registry.broken if broken.source in own),
        (),
        {name: each for name, each in registry.lessons.items() if each.plugin in own},
        translations,
        {n: registry.taught[n] for n, each in registry.lessons.items() if each.plugin in own},
    )


def examine(
    registry: Registry, cache: Path, only: str | None = None, show: Show | None = None
) -> Iterator[Report]:
    """Run every check on all that a registry offers, one after the other.

    Args:
        registry: What plugins offer.
        cache: The folder of the decoded data sets.
        only: The name of the one architecture, data set or lesson to check; by default, all.
        show: Returns what a part of a lesson shows, computed with the architectures of a registry;
            without it, lessons are not checked.
    """
    known = registry.translations
    for name, architecture in registry.architectures.items():
        if only in (None, name):
            report = networks.examine(architecture, load_data(MNIST, torch.device("cpu"), cache))
            yield with_translations(report, texts_of(architecture), known)
    for name, dataset in registry.datasets.items():
        if only in (None, name):
            report = images.examine(dataset, cache)
            yield with_translations(report, texts_of_images(dataset), known)
    if not show or not registry.taught:
        return
    # A lesson may use networks and images of others.
    own = [each.source for each in registry.architectures.values()]
    every = load(dict.fromkeys([*built_in(), *own]))
    for name, lesson in registry.taught.items():
        if only in (None, name):
            described = registry.lessons[name]
            report = lessons.examine(lesson, described, functools.partial(show, every, described))
            yield with_translations(report, texts_of_lesson(described), known)
