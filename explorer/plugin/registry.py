"""All that plugins offer: what can be built, what can be learned from, and what is broken.

Nothing that a plugin does while it loads can harm another: a broken one is recorded with a
sentence and the lines of its own code that led there, and the rest go on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from explorer.data.dataset import DataSet, UnknownDataSetError
from explorer.errors import ExplorerError, own_trace
from explorer.plugin.architecture import Architecture
from explorer.plugin.diagnosis import explain
from explorer.plugin.loading import Offer, load_plugin
from explorer.plugin.sources import Source, all_sources
from explorer.text import suggest


class UnknownArchitectureError(ExplorerError, LookupError):
    """No loaded plugin offers an architecture of that name."""


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that could not be used.

    Attributes:
        source: The plugin.
        reason: One sentence on what is wrong and what would be right.
        trace: The part of the traceback that lies in the plugin's own code; may be empty.
    """

    source: Source
    reason: str
    trace: str


@dataclass(frozen=True, slots=True)
class Registry:
    """All that was found.

    Attributes:
        architectures: What can be built, by name.
        datasets: What can be learned from, by name.
        broken: The plugins that could not be used.
    """

    architectures: Mapping[str, Architecture]
    datasets: Mapping[str, DataSet]
    broken: tuple[BrokenPlugin, ...]

    def __getitem__(self, name: str) -> Architecture:
        try:
            return self.architectures[name]
        except KeyError:
            raise UnknownArchitectureError(
                f"There is no architecture {name!r}; {suggest(name, self.architectures)}"
            ) from None

    def dataset(self, name: str) -> DataSet:
        """The data set of that name.

        Raises:
            UnknownDataSetError: There is none.
        """
        try:
            return self.datasets[name]
        except KeyError:
            raise UnknownDataSetError(
                f"There is no data set {name!r}; {suggest(name, self.datasets)}"
            ) from None


def discover(folders: Iterable[Path] = ()) -> Registry:
    """Load the built-in plugins, those in `folders` and those that installed packages declare."""
    return load(all_sources(folders))


def load(sources: Iterable[Source]) -> Registry:
    """Load and check each plugin alone; where two offer one name, the first has it."""
    found = Offer()
    broken: list[BrokenPlugin] = []
    for source in sources:
        try:
            offer = load_plugin(source, found)
        # A plugin may raise anything, SystemExit included; only Ctrl-C is the user's.
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            broken.append(
                BrokenPlugin(source, explain(error, source), own_trace(error, source.location))
            )
        else:
            found.architectures.update(offer.architectures)
            found.datasets.update(offer.datasets)
    return Registry(found.architectures, found.datasets, tuple(broken))
