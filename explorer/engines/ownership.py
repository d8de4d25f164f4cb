"""Owning a run: whoever trains it has a name, and renews a lease while the run is theirs."""

import contextlib
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator

from explorer.runs.faults import StoreError
from explorer.runs.store import LEASE_SECONDS, RunStore

_log = logging.getLogger(__name__)


def new_owner() -> str:
    """Return a unique name for one who trains runs, of at most 80 characters."""
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


@contextlib.contextmanager
def leased(store: RunStore, owners: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Renew the owners' leases on their runs, from a thread, until the block is left.

    Args:
        store: Where the runs are kept.
        owners: Returns those whose leases are to be renewed; called for each renewal.
    """
    done = threading.Event()

    def renew() -> None:
        away = False
        while not done.wait(LEASE_SECONDS / 4):
            # A database that is away for a moment must not end the renewal.
            try:
                for owner in owners():
                    store.renew(owner)
                away = False
            except StoreError as error:
                if not away:  # said once, not with every try
                    _log.warning("A lease could not be renewed: %s", error)
                away = True
            except Exception:
                _log.warning("A lease could not be renewed", exc_info=True)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
