"""What each visitor may do with runs: ask for them, stop them, delete them, see them.

The operator may do everything, and at home everyone is the operator.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from explorer.data.cache import train_size
from explorer.engines.limits import (
    LimitError,
    demand_memory,
    demand_pin,
    demand_room,
    of_spec,
)
from explorer.engines.local import LocalEngine
from explorer.engines.plugins import Plugins
from explorer.engines.questions import Drawn
from explorer.errors import ExplorerError
from explorer.language import say
from explorer.plugin.catalogue import Catalogue, Description
from explorer.runs import keeping
from explorer.runs.run import Run, RunSpec, Status
from explorer.runs.store import RunStore
from explorer.runs.wishes import wish, wished_by, wishers, withdraw
from explorer.settings import Settings


class NotYoursError(ExplorerError):
    """A visitor may not do that with a run that others asked for."""


class Person(Protocol):
    """Who asks."""

    @property
    def id(self) -> str:
        """What tells them from others."""
        ...

    @property
    def is_operator(self) -> bool:
        """Whether they may do everything."""
        ...


def may_stop(who: Person, wishers: Collection[str]) -> bool:
    """Return whether somebody may stop a run that these visitors asked for."""
    return who.is_operator or who.id in wishers


@dataclass(frozen=True, slots=True)
class _Anybody:
    """A visitor of whom nothing is known."""

    id: str = ""
    is_operator: bool = False


class Hosting:
    """Runs, as far as somebody may have to do with them.

    Args:
        store: Where runs are kept.
        settings: The limits for visitors.
        plugins: Says how large a network is.
        engine: Trains; asked for when it is first needed.
    """

    def __init__(
        self,
        store: RunStore,
        settings: Settings,
        plugins: Plugins,
        engine: Callable[[], LocalEngine],
    ) -> None:
        self._store, self._settings = store, settings
        self._plugins, self._engine = plugins, engine

    def submit(self, spec: RunSpec, who: Person, steps: int | None = None) -> Run:
        """Queue the run of this spec in somebody's name; a finished one is only shown.

        Args:
            spec: What is asked for.
            who: Who asks.
            steps: Pause it after so many steps; `None` trains to the end.

        Raises:
            LimitError: It is more than they may ask for.
            AnswerError: The network cannot be built or trained.
        """
        if not who.is_operator:
            self._demand(spec, who.id)
        run = self._engine().submit(spec, who.id, steps)
        if not who.is_operator and run.status is not Status.FINISHED:
            wish(self._store, run.id, who.id)
        return run

    def stop(self, id: str, who: Person) -> bool:
        """Pause a run; one that others want as well goes on without this visitor.

        Returns:
            Whether it is paused; it stays this visitor's then.

        Raises:
            NotYoursError: They did not ask for it.
        """
        if not may_stop(who, wishers(self._store, id)):
            raise NotYoursError(
                say("Run {id} is somebody else's; who asked for it can stop it.", id=id)
            )
        if not who.is_operator and not withdraw(self._store, id, who.id):
            self._engine().leave(id, who.id)
            return False
        if not who.is_operator:
            wish(self._store, id, who.id)
        self._engine().stop(id)
        return True

    def delete(self, id: str, who: Person) -> None:
        """Delete a run.

        Raises:
            NotYoursError: They are not the only one who asked for it.
            RunIsBusyError: It is being trained.
        """
        refusal = say(
            "Run {id} can be deleted by the operator only, since you did not ask for it, or others "
            "asked for it too.",
            id=id,
        )
        self._demand_alone(id, who, refusal)
        self._store.delete(id)

    def rename(self, id: str, who: Person, name: str, note: str) -> None:
        """Give a run a name and a note, which all see who see the run.

        Raises:
            NotYoursError: They are not the only one who asked for it.
            LongNameError: One of them is too long.
        """
        refusal = say(
            "Run {id} can be renamed by the operator only, since you did not ask for it, or others "
            "asked for it too.",
            id=id,
        )
        self._demand_alone(id, who, refusal)
        self._store.rename(id, name, note)

    def _demand_alone(self, id: str, who: Person, refusal: str) -> None:
        """Refuse somebody who is not the only one who asked for a run."""
        if not who.is_operator and not wished_by(self._store, who.id).get(id):
            raise NotYoursError(refusal)

    def pin(self, id: str, who: Person) -> None:
        """Keep a finished run when room is made, since somebody has a link to it.

        Raises:
            LimitError: It is not finished, or as much is kept as is possible.
            UnknownRunError: There is no such run.
            UnreadableRunError: Its record cannot be read.
        """
        if self._store.run(id).status is not Status.FINISHED:
            raise LimitError(
                say(
                    "Run {id} is not finished, so it is not kept for the link; copy the link again "
                    "when it is.",
                    id=id,
                )
            )
        pins = keeping.pinned(self._store)
        if id in pins:
            return
        if not who.is_operator:
            sizes = keeping.sizes(self._store)
            linked = (run for run, visitor in pins.items() if visitor)
            total = sum(sizes.get(run, 0) for run in (*linked, id))
            own = sum(visitor == who.id for visitor in pins.values())
            demand_pin(self._settings, own, total / 1e6)
        keeping.pin(self._store, id, who.id)

    def mine(self, who: Person) -> dict[str, bool] | None:
        """Return the runs that somebody may stop, by id, and whether they may delete them.

        `None` means all.
        """
        return None if who.is_operator else wished_by(self._store, who.id)

    def shown(self, runs: Sequence[Run], who: Person) -> list[Run]:
        """Return those of the runs that somebody sees in lists: all finished ones, and their own.

        A link shows every run.
        """
        mine = self.mine(who)
        if mine is None:
            return list(runs)
        return [run for run in runs if run.status is Status.FINISHED or run.id in mine]

    def offered(self, who: Person) -> Catalogue[Description]:
        """Return the architectures and data sets that somebody may train."""
        found, settings = self._plugins.catalogue, self._settings
        if who.is_operator or not (settings.offered_plugins or settings.offered_datasets):
            return found
        architectures = {
            name: each
            for name, each in found.architectures.items()
            if each.source.name in (settings.offered_plugins or (each.source.name,))
        }
        datasets = {
            name: each
            for name, each in found.datasets.items()
            if name in (settings.offered_datasets or (name,))
        }
        return replace(found, architectures=architectures, datasets=datasets)

    def refusal(self, spec: RunSpec, drawn: Drawn, who: Person) -> str:
        """Say in a sentence why somebody may not ask for a run, before they do; empty if they may.

        What it takes of memory, and whether the queue has room, is found out when they ask.
        """
        if who.is_operator:
            return ""
        try:
            of_spec(self._settings, spec, drawn, self._images(spec))
        except LimitError as error:
            return str(error)
        return ""

    def _images(self, spec: RunSpec) -> int | None:
        dataset = self._plugins.catalogue.dataset(spec.dataset)
        return train_size(dataset, self._settings.cache)

    def _demand(self, spec: RunSpec, visitor: str) -> None:
        """Refuse what is more than a visitor may ask for.

        Raises:
            LimitError: It is.
            UnknownArchitectureError: The architecture is not offered here.
            UnknownDataSetError: The data set is not.
        """
        settings, engine, offered = self._settings, self._engine(), self.offered(_Anybody())
        offered[spec.architecture], offered.dataset(spec.dataset)
        drawn = self._plugins.draw(spec.architecture, spec.options, spec.dataset)
        of_spec(settings, spec, drawn, self._images(spec))
        demand_room(settings, engine.queue(), engine.trained(), visitor, spec.id)
        if settings.run_memory:
            megabytes = self._plugins.step_memory(spec)
            demand_memory(settings, megabytes, spec.recipe.batch_size)
