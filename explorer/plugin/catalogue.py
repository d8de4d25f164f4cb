"""What plugins offer, described by plain values: all that is known without their code.

The server has the catalogue only; the code is in other processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from explorer.data.dataset import DataSet, UnknownDataSetError
from explorer.errors import ExplorerError
from explorer.language import listed, say
from explorer.plugin.lessons import LessonDescription, UnknownLessonError
from explorer.plugin.options import Option, OptionError, Value, fill
from explorer.plugin.sources import Source
from explorer.spec import ImageSpec
from explorer.text import suggest


class UnknownArchitectureError(ExplorerError, LookupError):
    """No loaded plugin offers an architecture of that name."""


class MisfitError(ExplorerError, ValueError):
    """A network cannot take the images of a data set; the message says which it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """An architecture as it is described; `Architecture` has the code as well.

    Attributes:
        name: What it is called in the picker and on the command line.
        options: What its constructor can be told.
        description: The docstring of the class or function itself, unindented; may be empty.
        file: The file in which the class or function is written; empty if it is unknown.
        source: The plugin that offers it.
        fingerprint: A hash of the plugin's source, by which a run knows whether the code that made
            it is still the code that is here.
        images: The images on which it is described: 1×28×28 if it takes them, else the first kind
            that it was found to take.
        parameters: The number of its trainable parameters, with default options on `images`.
        family: The first paragraph of its plugin's docstring, on one line; may be empty.
    """

    name: str
    options: tuple[Option, ...]
    description: str
    file: str
    source: Source
    fingerprint: str
    images: ImageSpec
    parameters: int
    family: str = ""

    @property
    def origin(self) -> str:
        """The plugin that offers it, as a person reads it."""
        return self.source.origin

    @property
    def location(self) -> Path | None:
        """The file or folder of the plugin that offers it."""
        return self.source.location

    @property
    def summary(self) -> str:
        """The first paragraph of the description, on one line."""
        return " ".join(self.description.split("\n\n")[0].split())

    def complete(self, values: Mapping[str, object]) -> dict[str, Value]:
        """Check `values` and add the defaults of the options that are not in it.

        Raises:
            OptionError: A value does not fit its option.
        """
        try:
            return fill(self.options, values)
        except OptionError as error:
            raise OptionError(say("{name}: {reason}", name=self.name, reason=error)) from error

    def described(self) -> "Description":
        """Return the description alone, without any code."""
        return Description(**{each.name: getattr(self, each.name) for each in fields(Description)})


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
class Meddling:
    """What a plugin changed in the process that loads it, which was put back.

    Attributes:
        source: The plugin.
        changes: What it changed, in English, such as "torch's default dtype".
    """

    source: Source
    changes: tuple[str, ...]

    @property
    def text(self) -> str:
        """The same as a sentence for the plugin's author."""
        return say(
            "Loading it changes {changes} for all plugins; this was undone. Do it within the "
            "network's own methods, and undo it there.",
            changes=listed([say(each) for each in self.changes], ","),
        )


A = TypeVar("A", bound=Description, covariant=True)
Translations: TypeAlias = Mapping[str, Mapping[str, str]]


def both(one: Translations, other: Translations) -> dict[str, dict[str, str]]:
    """Return the translations of both; of a text that both translate, that of the first."""
    return {
        language: {**other.get(language, {}), **one.get(language, {})}
        for language in {**one, **other}
    }


@dataclass(frozen=True, slots=True)
class Catalogue(Generic[A]):
    """All that was found.

    Attributes:
        architectures: The networks that can be built, by name.
        datasets: The data sets to train them on, by name.
        broken: The plugins that cannot be used, and what cannot be used of others.
        meddling: What plugins changed while they were loaded.
        lessons: The lessons, by name.
        translations: Translations of what authors have written, by language and by the text.
    """

    architectures: Mapping[str, A]
    datasets: Mapping[str, DataSet]
    broken: tuple[BrokenPlugin, ...]
    meddling: tuple[Meddling, ...] = ()
    lessons: Mapping[str, LessonDescription] = field(default_factory=dict)
    translations: Translations = field(default_factory=dict)

    def __getitem__(self, name: str) -> A:
        try:
            return self.architectures[name]
        except KeyError:
            raise UnknownArchitectureError(
                say(
                    "There is no architecture {name!r}; {meant}",
                    name=name,
                    meant=suggest(name, self.architectures),
                )
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
                say(
                    "There is no data set {name!r}; {meant}",
                    name=name,
                    meant=suggest(name, self.datasets),
                )
            ) from None

    def lesson(self, name: str) -> LessonDescription:
        """Return the lesson of that name.

        Raises:
            UnknownLessonError: There is none.
        """
        try:
            return self.lessons[name]
        except KeyError:
            raise UnknownLessonError(
                say(
                    "There is no lesson {name!r}; {meant}",
                    name=name,
                    meant=suggest(name, self.lessons),
                )
            ) from None

    def is_current(self, spec: Any) -> bool:
        """Return whether code and images are still those of a run's spec."""
        architecture = self.architectures.get(spec.architecture)
        dataset = self.datasets.get(spec.dataset)
        return (
            architecture is not None
            and architecture.fingerprint == spec.fingerprint
            and dataset is not None
            and dataset.version == spec.dataset_version
        )
