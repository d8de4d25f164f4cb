"""What `explorer record` measures of a trained network, once, for lessons that show it.

Each measure takes a `Subject` and returns what can be written as JSON.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from explorer.data.loader import Data
from explorer.errors import ExplorerError
from explorer.inspection.answers import answers
from explorer.inspection.network import look_into
from explorer.inspection.results import INSTEAD
from explorer.inspection.telling import telling_switch
from explorer.labs.depth import removals
from explorer.labs.surface import surface
from explorer.language import say
from explorer.plugin.registry import Registry
from explorer.runs.restore import open_network
from explorer.runs.run import Run
from explorer.runs.store import RunStore
from explorer.text import suggest
from explorer.training.events import Moment


class UnknownMeasureError(ExplorerError, LookupError):
    """There is no measure of that name."""


@dataclass
class Subject:
    """The trained network of a run.

    Attributes:
        run: The run.
        store: Where it is kept.
        registry: Where its code and its images are.
        cache: The folder of the decoded data sets.
    """

    run: Run
    store: RunStore
    registry: Registry
    cache: Path

    def after(self, epoch: int) -> nn.Module:
        """Return the network as it was after an epoch, in evaluation mode."""
        return open_network(self.run, Moment(epoch), self.store, self.registry, self.cache)[0]

    @cached_property
    def _last(self) -> tuple[nn.Module, Data]:
        last = Moment(self.run.epochs[-1].epoch)
        return open_network(self.run, last, self.store, self.registry, self.cache)

    @property
    def model(self) -> nn.Module:
        """The network as it was after its last epoch."""
        return self._last[0]

    @property
    def data(self) -> Data:
        """All its images."""
        return self._last[1]


def training_accuracy(subject: Subject) -> float:
    """Return the share of the run's training images that it classifies correctly in the end."""
    seen = subject.data.train.subset(subject.run.spec.recipe.train_size)
    return answers(subject.model, seen).accuracy


def branches(subject: Subject) -> dict[str, Any]:
    """Return how many test images of each class are classified correctly without each branch.

    Returns:
        `intact`, a share for each class; for each branch by its path and for "zero" and "mean" in
        its place the same; `accuracy`, those of all images.
    """
    session = look_into(subject.model, subject.data)
    intact = session.answers()
    found: dict[str, Any] = {"accuracy": intact.accuracy, "intact": intact.accuracy_by_class}
    found["without"] = {
        branch: {
            instead: {"accuracy": off.accuracy, "classes": off.accuracy_by_class}
            for instead in INSTEAD
            for off in [session.answers((branch,), instead=instead)]
        }
        for branch in session.branches
    }
    return found


def telling(subject: Subject) -> dict[str, Any] | None:
    """Return which switch tells most about the network, and on which test image."""
    found = telling_switch(look_into(subject.model, subject.data))
    return found.to_json() if found else None


MEASURES: Mapping[str, Callable[[Subject], Any]] = {
    "training_accuracy": training_accuracy,
    "branches": branches,
    "removals": lambda subject: removals(subject.model, subject.data.test),
    "surface": surface,
    "telling": telling,
}


def require_known(names: Iterable[str]) -> None:
    """Refuse a name of which there is no measure.

    Raises:
        UnknownMeasureError: There is none.
    """
    for name in names:
        if name not in MEASURES:
            raise UnknownMeasureError(
                say(
                    "There is no measure {name!r}; {meant}",
                    name=name,
                    meant=suggest(name, MEASURES),
                )
            )


def measure(name: str, run: Run, store: RunStore, registry: Registry, cache: Path) -> Any:
    """Measure a run's network."""
    return MEASURES[name](Subject(run, store, registry, cache))
