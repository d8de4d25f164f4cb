"""How often a live run is looked at: less often, the more watch.

Each look of each watcher costs the server some milliseconds of the processor, which the training
needs as well. Watchers together may use a share of one core, and wait longer where they would use
more.
"""

import threading
import time
from collections.abc import Callable

SHARE = 0.1  # of one core, for all watchers together; training waits for about as much
LEAST, MOST = 0.5, 8.0  # seconds between two looks
STEP = 0.5  # seconds; an interval is a multiple of it
STEADY = 0.6  # of an interval; it stays as it is until so much of it would do
AROUND = 1.0  # times as much as is measured of a look, that it costs around it, by a profile
TOGETHER = 0.75  # seconds between two moments at which looks are answered, where many watch
PATIENCE = 3 * MOST  # seconds without a look, after which a watcher is gone


class Pace:
    """Counts watchers, measures what their looks cost, and says how often each may look.

    Args:
        now: Returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: dict[str, float] = {}  # when each watcher looked last
        self._cost = 0.0  # seconds of the processor, a running mean
        self._lock = threading.Lock()

    @property
    def watchers(self) -> int:
        """How many watch now."""
        with self._lock:
            gone = self._now() - PATIENCE
            self._seen = {who: at for who, at in self._seen.items() if at > gone}
            return len(self._seen)

    def enter(self, who: str, before: float = LEAST) -> float:
        """Count a watcher who begins to watch, and return how often they may look, in seconds.

        Args:
            who: Identifies the watcher.
            before: How often they did so far.
        """
        with self._lock:
            self._seen[who] = self._now()
        return self.seconds(before)

    def looked(self, who: str, cost: float) -> None:
        """Note that a watcher looked.

        Args:
            who: Identifies the watcher.
            cost: Seconds of the processor that it took.
        """
        with self._lock:
            self._seen[who] = self._now()
            self._cost += (cost - self._cost) * (0.05 if self._cost else 1)

    def until_together(self) -> float:
        """Return how many seconds are left until those who look next do so one after the other.

        Each look by itself interrupts the training, whose threads then wait for one another, and
        that costs it more than the look takes.
        """
        return -self._now() % TOGETHER

    def seconds(self, before: float = LEAST) -> float:
        """Return how many seconds are to be between two looks of each watcher.

        Args:
            before: How many there were so far, which it stays near: who comes or goes is not to
                disturb all who are there.
        """
        wanted = self.watchers * self._cost * (1 + AROUND) / SHARE
        if STEADY * before < wanted <= before:
            return before
        steps = -int(-wanted // STEP)
        return min(MOST, max(LEAST, steps * STEP))
