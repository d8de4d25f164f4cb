"""Follows live runs: what a run reports is read once, however many watch it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from explorer.runs.run import Run
from explorer.runs.store import RunStore
from explorer.training.events import Step

MOST_RUNS = 50  # that are followed at once; of those that are over, the steps are kept elsewhere


@dataclass(slots=True)
class _Followed:
    run: Run | None = None  # while it is live
    run_at: float = 0.0
    steps: tuple[Step, ...] = ()
    steps_at: float = 0.0


class Follower:
    """Keeps what live runs have reported, and reads from a store what is new.

    Args:
        store: Has the runs.
        now: Returns the time in seconds.
    """

    def __init__(self, store: RunStore, now: Callable[[], float] = time.monotonic) -> None:
        self._store, self._now = store, now
        self._followed: OrderedDict[str, _Followed] = OrderedDict()
        self._lock = threading.Lock()  # held while reading, so that who waits finds it read

    def run(self, id: str, age: float = 0.0) -> Run:
        """Return a run as it is, or as it was at most `age` seconds ago if it was live then.

        Raises:
            UnknownRunError: There is none.
            UnreadableRunError: Its record cannot be read.
            StoreError: The store cannot be read.
        """
        if not age:
            return self._store.run(id)
        with self._lock:
            followed = self._follow(id)
            if followed.run is None or self._now() - followed.run_at >= age:
                began = self._now()
                followed.run = None
                run = self._store.run(id)
                if not run.status.is_live:
                    return run
                followed.run, followed.run_at = run, began
            return followed.run

    def steps(self, id: str, age: float = 0.0) -> Sequence[Step]:
        """Return all that a live run has reported so far, or had at most `age` seconds ago.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._lock:
            followed = self._follow(id)
            if followed.steps and self._now() - followed.steps_at < age:
                return followed.steps
            began = self._now()
            followed.steps, followed.steps_at = self._read(id, followed.steps), began
            return followed.steps

    def _read(self, id: str, known: tuple[Step, ...]) -> tuple[Step, ...]:
        # The last known step is read again: if it is not what it was, the run was resumed from an
        # earlier one.
        new = self._store.steps(id, after=known[-1].step - 1 if known else 0)
        if not known:
            return tuple(new)
        if new[:1] != [known[-1]]:
            return tuple(self._store.steps(id))
        return (*known, *new[1:]) if len(new) > 1 else known

    def _follow(self, id: str) -> _Followed:
        followed = self._followed.setdefault(id, _Followed())
        self._followed.move_to_end(id)
        while len(self._followed) > MOST_RUNS:
            self._followed.popitem(last=False)
        return followed
