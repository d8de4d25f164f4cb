"""Follows live runs: what a run reports is read once, however many watch it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from explorer.runs.run import Run
from explorer.runs.store import RunStore
from explorer.runs.wishes import wishers
from explorer.training.events import Score, Step

Value = TypeVar("Value")

MOST_RUNS = 50  # that are followed at once; of those that are over, the steps are kept elsewhere


@dataclass(frozen=True, slots=True)
class _Kept:
    """Something that was read of a run, and when."""

    value: Any
    at: float


class Follower:
    """Keeps what live runs have reported, and reads from a store what is new.

    Everything may be asked for as it is, or as it was at most `age` seconds ago.

    Args:
        store: Has the runs.
        now: Returns the time in seconds.
    """

    def __init__(self, store: RunStore, now: Callable[[], float] = time.monotonic) -> None:
        self._store, self._now = store, now
        self._followed: OrderedDict[str, dict[str, _Kept]] = OrderedDict()
        self._lock = threading.Lock()  # held while reading, so that who waits finds it read

    def run(self, id: str, age: float = 0.0) -> Run:
        """Return a run; one that is over is read each time.

        Raises:
            UnknownRunError: There is none.
            UnreadableRunError: Its record cannot be read.
            StoreError: The store cannot be read.
        """
        if not age:
            return self._store.run(id)
        run = self._at_most(id, "run", age, lambda _: self._store.run(id))
        if not run.status.is_live:
            self._forget(id, "run")
        return run

    def steps(self, id: str, age: float = 0.0) -> Sequence[Step]:
        """Return all that a live run has reported so far.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._at_most(id, "steps", age, lambda kept: self._read_steps(id, kept or ()))

    def scores(self, id: str, age: float = 0.0) -> Sequence[Score]:
        """Return the scores within the epochs of a live run so far.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._at_most(id, "scores", age, lambda _: tuple(self._store.scores(id)))

    def wishers(self, id: str, age: float = 0.0) -> Collection[str]:
        """Return the visitors who asked for a run.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._at_most(id, "wishers", age, lambda _: wishers(self._store, id))

    def _at_most(
        self, id: str, what: str, age: float, read: Callable[[Value | None], Value]
    ) -> Value:
        """Return what was read of a run, read again from what is kept if that is older."""
        with self._lock:
            followed = self._follow(id)
            kept = followed.get(what)
            if kept is None or self._now() - kept.at >= age:
                began = self._now()
                kept = followed[what] = _Kept(read(kept.value if kept else None), began)
            value: Value = kept.value
            return value

    def _forget(self, id: str, what: str) -> None:
        with self._lock:
            self._follow(id).pop(what, None)

    def _read_steps(self, id: str, known: tuple[Step, ...]) -> tuple[Step, ...]:
        # The last known step is read again: if it is not what it was, the run was resumed from an
        # earlier one.
        new = self._store.steps(id, after=known[-1].step - 1 if known else 0)
        if not known:
            return tuple(new)
        if new[:1] != [known[-1]]:
            return tuple(self._store.steps(id))
        return (*known, *new[1:]) if len(new) > 1 else known

    def _follow(self, id: str) -> dict[str, _Kept]:
        followed = self._followed.setdefault(id, {})
        self._followed.move_to_end(id)
        while len(self._followed) > MOST_RUNS:
            self._followed.popitem(last=False)
        return followed
