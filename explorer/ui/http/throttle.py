"""Slows down who guesses: after a few failures, each address has to wait, longer every time."""

import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

MOST_ADDRESSES = 10_000  # that are remembered; the one seen longest ago is forgotten first


@dataclass(slots=True)
class _Record:
    failures: list[float] = field(default_factory=list)
    blocks: int = 0
    until: float = 0.0


class Throttle:
    """Counts failures, by address and in all.

    An attempt counts as a failure from its beginning, so that many at once are no way around it.

    Args:
        limit: Failures of one address within `window` until it has to wait.
        total: Failures of all addresses within `window` until all have to wait.
        window: Seconds. The first wait is as long, and each further one twice as long as the one
            before.
        longest: The longest wait of one address, in seconds.
    """

    def __init__(
        self, limit: int = 5, total: int = 60, window: float = 60.0, longest: float = 3600.0
    ) -> None:
        self._limit, self._total = limit, total
        self._window, self._longest = window, longest
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._all: list[float] = []
        self._lock = threading.Lock()

    def begin(self, address: str, *, is_exempt_from_total: bool = False) -> int:
        """Begin an attempt; return the seconds to wait before the next, or 0 if it may go on.

        Args:
            address: Whose attempt it is.
            is_exempt_from_total: Whether it may go on whatever others do, so that somebody who
                floods the form from everywhere cannot lock the operator out.
        """
        now = time.monotonic()
        with self._lock:
            record = self._records.setdefault(address, _Record())
            self._records.move_to_end(address)
            while len(self._records) > MOST_ADDRESSES:
                self._records.popitem(last=False)
            if now < record.until:
                return math.ceil(record.until - now)
            self._all = self._recent(self._all, now)
            if len(self._all) >= self._total and not is_exempt_from_total:
                return math.ceil(self._all[0] + self._window - now)
            record.failures = [*self._recent(record.failures, now), now]
            self._all.append(now)
            if len(record.failures) >= self._limit:
                # This attempt goes on; the next has to wait.
                wait = min(self._longest, self._window * 2**record.blocks)
                record.until, record.failures = now + wait, []
                record.blocks += 1
            return 0

    def succeed(self, address: str) -> None:
        """Forget the failures of an address, whose attempt was none."""
        with self._lock:
            self._records.pop(address, None)

    def _recent(self, moments: list[float], now: float) -> list[float]:
        return [moment for moment in moments if moment > now - self._window]
