"""What the tests share: small data, a store and settings of their own."""

from pathlib import Path

import pytest
import torch

from explorer.data.loader import Data, default_device, load_data
from explorer.data.mnist import MNIST
from explorer.runs.store import RunStore
from explorer.settings import Settings


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """A cache folder that all tests share, so that MNIST is unpacked once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def mnist(cache) -> Data:
    return load_data(MNIST, default_device(), cache)


@pytest.fixture
def settings(tmp_path, cache) -> Settings:
    return Settings(database_url=f"sqlite:///{tmp_path / 'runs.sqlite'}", cache=cache, stop_grace=5)


@pytest.fixture
def store(settings):
    store = RunStore(settings.database_url)
    yield store
    store.close()


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch, tmp_path, cache):
    """Nothing that a test does may touch the user's own runs."""
    monkeypatch.setenv("EXPLORER_DATABASE_URL", f"sqlite:///{tmp_path / 'runs.sqlite'}")
    monkeypatch.setenv("EXPLORER_CACHE", str(cache))
    monkeypatch.delenv("EXPLORER_PLUGINS", raising=False)
    torch.manual_seed(0)
