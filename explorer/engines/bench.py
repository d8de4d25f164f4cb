"""What a part of a lesson computes with: records, networks, images."""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path

from torch import nn

from explorer.data.loader import Data, default_device, load_data
from explorer.inspection.network import look_into
from explorer.inspection.outline import outline
from explorer.inspection.session import Session
from explorer.inspection.tracing import Trace
from explorer.language import say
from explorer.lessons import Part, Shown
from explorer.plugin.lessons import LessonDescription, LessonError
from explorer.plugin.options import Value
from explorer.plugin.registry import Registry
from explorer.runs.record_files import Records
from explorer.runs.recorded import FILE as EXAMPLES
from explorer.runs.restore import open_network
from explorer.runs.run import Run
from explorer.spec import ImageSpec

records = cache(Records)


class Bench:
    """What a part of a lesson computes with, in a process that may load authors' code.

    Args:
        uses: The architectures that the lesson says it uses; others are refused.
        find: Returns a registry that has one of these.
        folder: Of the decoded data sets.
    """

    def __init__(
        self, uses: Collection[str], find: Callable[[str], Registry], folder: Path
    ) -> None:
        self._uses, self._all, self._folder = uses, find, folder

    def records(self, file: Path) -> Records:
        """Return the runs that `explorer record` wrote into a file."""
        return records(file)

    def build(
        self, architecture: str, options: Mapping[str, Value], images: ImageSpec
    ) -> nn.Module:
        """Build a network that is not trained.

        Args:
            architecture: Its name.
            options: Where they are not the default.
            images: What it is built for.

        Raises:
            LessonError: The lesson does not say that it uses this architecture.
        """
        return self._find(architecture)[architecture].build(images, dict(options))

    def outline(
        self, architecture: str, options: Mapping[str, Value], images: ImageSpec
    ) -> Trace[None]:
        """Return what an untrained network is made of, and what that costs."""
        return outline(self.build(architecture, options, images), images)

    def network(self, found: Records, run: Run) -> tuple[nn.Module, Data]:
        """Restore the network of a recorded run as it was in the end, and its images."""
        last = found.store.moment(run.id)
        registry = self._find(run.spec.architecture)
        return open_network(run, last, found.store, registry, self._folder)

    def look_into(self, found: Records, run: Run) -> Session:
        """Return a session about the network of a recorded run."""
        return look_into(*self.network(found, run))

    def images(self, architecture: str, dataset: str) -> Data:
        """Return the images of a data set, as they are read beside an architecture."""
        return load_data(self._find(architecture).dataset(dataset), default_device(), self._folder)

    def _find(self, architecture: str) -> Registry:
        if architecture not in self._uses:
            raise LessonError(
                say(
                    "A part of the lesson asks for {architecture}; name it in the lesson's `uses`.",
                    architecture=architecture,
                )
            )
        return self._all(architecture)


def show(registry: Registry, lesson: LessonDescription, part: Part, folder: Path) -> Shown:
    """Return what a part of a lesson shows with its default controls, on the recorded examples.

    Args:
        registry: Has the architectures that the lesson uses.
        lesson: The lesson.
        part: The part.
        folder: Of the decoded data sets.
    """
    values = {option.name: option.default for option in lesson.parts[part.name].options}
    bench = Bench(lesson.uses, lambda name: registry, folder)
    if not part.needs:
        return part.show(bench, **values)
    examples = records(EXAMPLES)
    (run,) = examples.of(part.network)
    theirs = Bench([part.network], lambda name: registry, folder)
    return part.show(bench, theirs.look_into(examples, run), **values)
