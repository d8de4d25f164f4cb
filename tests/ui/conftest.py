"""A fresh app for each test: nothing that an earlier one loaded or asked for."""

import contextlib

import pytest

from explorer.errors import ExplorerError
from explorer.ui import query_params, state

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


@pytest.fixture(autouse=True)
def _addresses_are_news(monkeypatch):
    """Let an address that a test changes be news, as it is when a browser goes back to it."""
    monkeypatch.setattr(query_params, "went_back", lambda: True)
