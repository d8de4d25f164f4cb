"""Small drawings of all networks that are offered, made beside all else."""

import threading
from collections.abc import Callable, Iterable

from explorer.plugin.catalogue import Description


class Miniatures:
    """Drawings by network, one after the other in a thread; of what cannot be drawn, none.

    Args:
        draw: Draws a network.
    """

    def __init__(self, draw: Callable[[str], str]) -> None:
        self._draw = draw
        self._made: dict[tuple[str, str], str] = {}  # by name and code
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def of(self, architectures: Iterable[Description]) -> dict[str, str | None]:
        """Return the drawings by name: empty where there is none, `None` where it is on its way."""
        keys = {each.name: (each.name, each.fingerprint) for each in architectures}
        with self._lock:
            found = {name: self._made.get(key) for name, key in keys.items()}
            missing = [keys[name] for name, svg in found.items() if svg is None]
            if missing and not (self._thread and self._thread.is_alive()):
                self._thread = threading.Thread(
                    target=self._make, args=(missing,), name="drawing miniatures", daemon=True
                )
                self._thread.start()
        return found

    def _make(self, missing: Iterable[tuple[str, str]]) -> None:
        for key in missing:
            try:
                svg = self._draw(key[0])
            except Exception:  # its page says why, when somebody chooses it
                svg = ""
            with self._lock:
                self._made[key] = svg
