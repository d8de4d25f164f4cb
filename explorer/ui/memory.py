"""Collects garbage now and then, where Streamlit would after every run of a page or a fragment.

What is free then is returned to the system. Each run of a page has a thread of its own, and glibc
would keep what they leave, in pieces: a server that many visit would grow for hours.
"""

import gc
import threading

from explorer.engines.machine import give_back

SECONDS = 10.0  # between two looks
ENOUGH = 10  # collections of new objects, which Python makes by itself, that call for one of all


class Collector:
    """A thread that collects garbage when enough has run since the last time.

    Args:
        seconds: Between two looks at whether it has.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._seen = _young()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="collector", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()

    def collect(self) -> bool:
        """Collect garbage unless too little has run to make any; return whether it was done."""
        if _young() - self._seen < ENOUGH:
            return False
        gc.collect()
        give_back()
        self._seen = _young()
        return True

    def _work(self) -> None:
        while not self._closed.wait(self._seconds):
            self.collect()


def _young() -> int:
    """Return how often the newest objects were looked through since the process began."""
    return int(gc.get_stats()[0]["collections"])
