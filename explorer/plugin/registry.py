"""All that plugins offer: networks that can be built, data sets, and which plugins are broken.

A plugin that fails while it loads takes down no other, and a network that is refused takes down no
other of its file: each is recorded with a sentence and with the lines of its own code that led
there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from explorer.data.dataset import DataSet, UnknownDataSetError
from explorer.errors import ExplorerError, own_trace
from explorer.plugin.architecture import Architecture
from explorer.plugin.diagnosis import explain
from explorer.plugin.loading import Offer, Refused, load_plugin
from explorer.plugin.sources import Source, all_sources
from explorer.text import dimensions, suggest


class UnknownArchitectureError(ExplorerError, LookupError):
    """No loaded plugin offers an architecture of that name."""


class MisfitError(ExplorerError, ValueError):
    """A network cannot take the images of a data set; the message says which it can."""


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that cannot be used, or one network of it.

    Attributes:
        source: The plugin.
        name: The class or function of the network; empty for the plugin as a whole.
        reason: One sentence on what is wrong and what would be right.
        trace: The part of the traceback that is in the plugin's own code; may be empty.
    """

    source: Source
    name: str
    reason: str
    trace: str


@dataclass(frozen=True, slots=True)
class Registry:
    """All that was found.

    Attributes:
        architectures: The networks that can be built, by name.
        datasets: The data sets to train them on, by name.
        broken: The plugins that cannot be used, and what cannot be used of others.
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
        """Return the data set of that name.

        Raises:
            UnknownDataSetError: There is none.
        """
        try:
            return self.datasets[name]
        except KeyError:
            raise UnknownDataSetError(
                f"There is no data set {name!r}; {suggest(name, self.datasets)}"
            ) from None

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
            reason = (
                f"{name} needs {needs}; those of {dataset.name} are {dimensions(images.shape)}."
            )
        else:
            reason = f"{name} does not fit {dataset.name} ({images}): {reason}"
        fitting = ", ".join(self.fitting(architecture, values)) or "none of the data sets here"
        raise MisfitError(f"{reason} It fits {fitting}.")


def discover(folders: Iterable[Path] = ()) -> Registry:
    """Load the built-in plugins, those in `folders` and those that installed packages declare."""
    return load(all_sources(folders))


def load(sources: Iterable[Source]) -> Registry:
    """Load and check each plugin by itself; if two offer the same name, the first has it."""
    found = Offer()
    broken: list[BrokenPlugin] = []
    for source in sources:
        offer = load_plugin(source, found)
        found.architectures.update(offer.architectures)
        found.datasets.update(offer.datasets)
        broken += [_broken(source, refused) for refused in offer.refused]
    return Registry(found.architectures, found.datasets, tuple(broken))


def _broken(source: Source, refused: Refused) -> BrokenPlugin:
    reason, line = explain(refused.error, source), refused.line
    if refused.name:
        reason = f"{refused.name}{f' ({line})' if line else ''}: {reason}"
    elif line:
        reason = f"{line.capitalize()}: {reason}"
    return BrokenPlugin(source, refused.name, reason, own_trace(refused.error, source.location))
