"""Follows live runs: what a run reports is read once, however many watch it."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from explorer.runs.store import RunStore
from explorer.training.events import Step

MOST_RUNS = 50  # that are followed at once; of those that are over, the steps are kept elsewhere


class Follower:
    """Keeps the steps of live runs, and reads from a store what is new.

    Args:
        store: Has the runs.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, tuple[Step, ...]] = OrderedDict()
        self._lock = threading.Lock()  # held while reading, so that who waits finds it read

    def steps(self, id: str) -> Sequence[Step]:
        """Return all that a run has reported so far.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._lock:
            before = self._kept.pop(id, ())
            # The last known step is read again: if it is not what it was, the run was resumed from
            # an earlier one.
            new = self._store.steps(id, after=before[-1].step - 1 if before else 0)
            if before and new[:1] == [before[-1]]:
                steps = (*before, *new[1:]) if len(new) > 1 else before
            else:
                steps = tuple(self._store.steps(id) if before else new)
            self._kept[id] = steps
            while len(self._kept) > MOST_RUNS:
                self._kept.popitem(last=False)
            return steps
