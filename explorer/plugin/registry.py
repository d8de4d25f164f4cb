"""All that plugins offer: networks that can be built, data sets, and which plugins are broken.

A plugin that fails while it loads takes down no other, and a network that is refused takes down no
other of its file: each is recorded with a sentence and with the lines of its own code that led
there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from explorer.data.dataset import DataSet
from explorer.errors import own_trace
from explorer.language import listed, say
from explorer.lessons.lesson import Lesson
from explorer.plugin.architecture import Architecture
from explorer.plugin.catalogue import (
    BrokenPlugin,
    Catalogue,
    Description,
    Meddling,
    MisfitError,
    both,
)
from explorer.plugin.diagnosis import explain
from explorer.plugin.loading import Offer, Refused, load_plugin
from explorer.plugin.sources import Source, all_sources
from explorer.text import dimensions


@dataclass(frozen=True, slots=True)
class Registry(Catalogue[Architecture]):
    """All that was found, with the code.

    Attributes:
        taught: The lessons with their code, by name.
    """

    taught: Mapping[str, Lesson] = field(default_factory=dict)

    def fitting(
        self, architecture: Architecture, values: Mapping[str, object] | None = None
    ) -> dict[str, DataSet]:
        """Return the data sets whose images a network takes, by name.

        Args:
            architecture: The network.
            values: Its options; their defaults where there is none.

        Raises:
            OptionError: A value does not fit its option.
        """
        return {
            name: dataset
            for name, dataset in self.datasets.items()
            if not architecture.misfit(dataset.images, values)
        }

    def require_fit(
        self, architecture: Architecture, values: Mapping[str, object], dataset: DataSet
    ) -> None:
        """Refuse a data set whose images a network cannot take.

        Raises:
            MisfitError: It cannot, with these options.
            OptionError: A value does not fit its option.
        """
        reason = architecture.misfit(dataset.images, values)
        if not reason:
            return
        name, images = architecture.name, dataset.images
        if needs := architecture.needs(images):
            reason = say(
                "{name} needs {needs}; those of {dataset} are {shape}.",
                name=name,
                needs=needs,
                dataset=dataset.name,
                shape=dimensions(images.shape),
            )
        else:
            reason = say(
                "{name} does not fit {dataset} ({images}): {reason}",
                name=name,
                dataset=dataset.name,
                images=images,
                reason=reason,
            )
        fitting = listed([*self.fitting(architecture, values)], ",")
        raise MisfitError(
            say(
                "{reason} It fits {fitting}.",
                reason=reason,
                fitting=fitting or say("none of the data sets here"),
            )
        )


def discover(folders: Iterable[Path] = ()) -> Registry:
    """Load the built-in plugins, those in `folders` and those that installed packages declare."""
    return load(all_sources(folders))


def load(sources: Iterable[Source]) -> Registry:
    """Load and check each plugin by itself; if two offer the same name, the first has it."""
    loading = Loading()
    for source in sources:
        loading.add(source)
    return loading.registry


class Loading:
    """Loads plugins one after the other, into one registry."""

    def __init__(self) -> None:
        self._found = Offer()
        self._broken: list[BrokenPlugin] = []
        self._meddling: list[Meddling] = []

    @property
    def registry(self) -> Registry:
        """All that was found so far."""
        return _registry(self._found, self._broken, self._meddling)

    def add(
        self, source: Source, known: Mapping[str, Description] = MappingProxyType({})
    ) -> Registry:
        """Load one more plugin; return what is found of it alone.

        Args:
            source: The plugin.
            known: Networks of the same code that were tried before, which need not be tried again.
        """
        offer = load_plugin(source, self._found, known)
        broken = [_broken(source, refused) for refused in offer.refused]
        meddling = [Meddling(source, tuple(offer.changed))] if offer.changed else []
        self._found.architectures.update(offer.architectures)
        self._found.datasets.update(offer.datasets)
        self._found.lessons.update(offer.lessons)
        self._found.translations.update(both(self._found.translations, offer.translations))
        self._broken += broken
        self._meddling += meddling
        return _registry(offer, broken, meddling)


def _registry(
    offer: Offer, broken: Iterable[BrokenPlugin], meddling: Iterable[Meddling]
) -> Registry:
    return Registry(
        dict(offer.architectures),
        dict(offer.datasets),
        tuple(broken),
        tuple(meddling),
        {name: taught.description for name, taught in offer.lessons.items()},
        both(offer.translations, {}),
        {name: taught.lesson for name, taught in offer.lessons.items()},
    )


def _broken(source: Source, refused: Refused) -> BrokenPlugin:
    reason = refused.explained(explain(refused.error, source))
    return BrokenPlugin(source, refused.name, reason, own_trace(refused.error, source.location))
