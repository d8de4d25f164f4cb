"""A fresh app for each test: nothing that an earlier one loaded or asked for."""

import contextlib

import pytest

from explorer.errors import ExplorerError
from explorer.ui import state

CACHED = (
    *(state.settings, state.store, state.plugins, state.engine, state.hosting),
    *(state.changed_plugins, state.changed_datasets, state.following, state.pace),
)


def forget():
    """Forget settings, runs and plugins; the fork server stays, as it holds none of them."""
    with contextlib.suppress(ExplorerError):
        state.plugins().close()
    for cached in CACHED:
        cached.clear()


@pytest.fixture
def fresh():
    """Let the app begin, and begin again: `fresh()` forgets what it knows."""
    forget()
    yield forget
    forget()
