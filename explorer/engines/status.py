"""What an engine says of itself, for whoever watches the server; no torch is needed to ask."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """How an engine is.

    Attributes:
        is_alive: Whether its worker is there.
        restarts: How many workers it had to replace since it was started.
        training: Runs that it trains now.
        waiting: Runs that it has accepted and not begun.
    """

    is_alive: bool
    restarts: int = 0
    training: int = 0
    waiting: int = 0


def report(source: Callable[[], EngineStatus] | None) -> None:
    """Let `current` ask this function, which must be quick; or nobody, once an engine is closed."""
    global _source
    _source = source


def current() -> EngineStatus | None:
    """Return how this process's engine is; `None` while none has been started."""
    return _source() if _source else None


_source: Callable[[], EngineStatus] | None = None
