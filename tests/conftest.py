"""What the tests share: small data, a store and settings of their own, and how they are run."""

import functools
import os

# Two processes with two threads each would wait for one another's cores. Before torch is imported,
# and for the processes that tests start as well.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

os.environ["LANGUAGE"] = "en"  # whoever runs them: what commands say follows the environment

import hypothesis
import pytest
import torch

from explorer.data.loader import Data, default_device, load_data
from explorer.data.mnist import MNIST
from explorer.engines import children
from explorer.engines.children import Nursery
from explorer.plugin.registry import Registry
from explorer.runs.recorded import open_examples
from explorer.runs.store import RunStore
from explorer.settings import Settings

# Examples of each property that says no other number: the whole suite is to take ten minutes.
hypothesis.settings.register_profile("suite", max_examples=30, deadline=None)
hypothesis.settings.load_profile("suite")

# Folders and files that take long, first, so that no process is left with one of them at the end.
LONG = ["e2e", "engines", "test_timm_example", "ui", "checks", "cli", "docs"]


def pytest_collection_modifyitems(items):
    """Put what takes long first; the tests of a file keep their order."""

    def place(item) -> int:
        names = (item.path.stem, item.path.parent.name)
        return next((number for number, name in enumerate(LONG) if name in names), len(LONG))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let one process run all tests of a file, and one all that need a browser."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "browser" if "e2e/" in file else file

    return Files(config, log)


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """A cache folder that all tests share, so that MNIST is unpacked once."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cache"


@pytest.fixture(scope="session")
def mnist(cache) -> Data:
    return load_data(MNIST, default_device(), cache)


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The built-in plugins."""
    from built_ins import REGISTRY  # the process that only deals out the tests needs none

    return REGISTRY


@pytest.fixture(scope="session")
def examples():
    """The recorded runs that ship with the explorer."""
    store = open_examples()
    yield store
    store.close()


class CommandsNursery(Nursery):
    """Where the child processes of all commands come from: torch is loaded for them once."""

    def close(self) -> None:
        for child in list(self._children):
            child.close()


@pytest.fixture(scope="session", autouse=True)
def _one_fork_server():
    made = functools.cache(CommandsNursery)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(children, "Nursery", made)  # a command imports it when it is called
        yield
    if made.cache_info().currsize:
        Nursery.close(made())


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
    """Keep tests away from the user's own runs and plugins."""
    monkeypatch.setenv("EXPLORER_DATABASE_URL", f"sqlite:///{tmp_path / 'runs.sqlite'}")
    monkeypatch.setenv("EXPLORER_CACHE", str(cache))
    monkeypatch.delenv("EXPLORER_PLUGINS", raising=False)
    torch.manual_seed(0)
