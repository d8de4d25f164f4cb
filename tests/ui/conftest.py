"""A fresh app for each test: nothing that an earlier one loaded or asked for."""

import contextlib
import functools

import pytest
from streamlit.components.v2 import manifest_scanner

from explorer.engines import plugins
from explorer.errors import ExplorerError
from explorer.inspection.session import Cache
from explorer.ui import query_params, state

CACHED = (
    *(state.settings, state.store, state.plugins, state.engine, state.hosting),
    *(state.changed_plugins, state.changed_datasets, state.following, state.pace),
    *(state._places, state.miniatures),
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


_kept = Cache(plugins.MOST_BYTES)


class AnswersAreKept(Cache):
    """Keeps what networks were asked from test to test, as it is kept for all visitors.

    Each answer is kept with a hash of the code, the weights and the question that it belongs to.
    What is drawn of the answers is drawn again.
    """

    def once(self, key, find):
        is_drawing = "made" in key
        return super().once(key, find) if is_drawing else _kept.once(key, find)


@pytest.fixture(scope="session", autouse=True)
def _once_for_all_tests():
    """Do once what an app does once, and what each run of a page would do again in a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "Cache", AnswersAreKept)
        # All installed packages are looked through for components.
        scan = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture(autouse=True)
def _addresses_are_news(monkeypatch):
    """Let an address that a test changes be news, as it is when a browser goes back to it."""
    monkeypatch.setattr(query_params, "went_back", lambda: True)
