"""Loads, in a child, the plugins that are needed there, and no others."""

from collections.abc import Mapping

from explorer.data.dataset import DataSet
from explorer.engines.questions import Needed
from explorer.language import say
from explorer.lessons import Lesson
from explorer.plugin.catalogue import Description
from explorer.plugin.registry import Loading, Registry
from explorer.plugin.sources import PluginError, Source


class Shelf:
    """The plugins that a child has loaded so far."""

    def __init__(self) -> None:
        self._loaded: dict[Source, Registry] = {}

    def registry(self, needed: Needed) -> Registry:
        """Return what is needed, loaded at the first time.

        Without the code that reads them, data sets are as they are described.

        Raises:
            PluginError: The plugin of the network cannot be loaded any more.
        """
        offered = self._load(needed.architecture, needed.known)
        networks = {n: each for n, each in offered.architectures.items() if n in needed.known}
        datasets = dict(needed.datasets)
        if needed.dataset:
            datasets |= self._load(needed.dataset, needed.known).datasets
        if not networks and offered.broken:
            raise PluginError(offered.broken[0].reason)
        return Registry(networks, datasets, offered.broken)

    def dataset(self, source: Source, known: Mapping[str, Description], name: str) -> DataSet:
        """Return a data set with the code that reads it; its plugin is loaded at the first time.

        Args:
            source: The plugin.
            known: The plugin's networks as they were described, which need not be tried again.
            name: The data set's.

        Raises:
            PluginError: The plugin cannot be loaded any more.
            UnknownDataSetError: It does not offer the data set any more.
        """
        offered = self._load(source, known)
        if name not in offered.datasets and offered.broken:
            raise PluginError(offered.broken[0].reason)
        return offered.dataset(name)

    def lesson(self, source: Source, name: str) -> Lesson:
        """Return a lesson, whose plugin is loaded at the first time.

        Raises:
            PluginError: It is not there any more.
        """
        offered = self._load(source, {})
        if name not in offered.taught:
            raise PluginError(
                offered.broken[0].reason
                if offered.broken
                else say("The lesson {name} is gone.", name=name)
            )
        return offered.taught[name]

    def _load(self, source: Source, known: Mapping[str, Description]) -> Registry:
        if source not in self._loaded:
            # Each by itself, since which of two has a name was decided when all were loaded.
            self._loaded[source] = Loading().add(source, known)
        return self._loaded[source]
