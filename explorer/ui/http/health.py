"""`/healthz`: whether the app works, for whoever restarts it where it does not."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from explorer import __version__
from explorer.engines import status
from explorer.errors import ExplorerError
from explorer.settings import data_folder
from explorer.ui import state

PATIENCE = 3.0  # seconds that the database may take to answer
LASTING = 1.0  # seconds for which an answer is given again
STARTING = 180.0  # seconds after which there has to be a worker
LEAST_DISK = 100_000_000  # bytes; runs and decoded data sets need more

_T = TypeVar("_T")

_begun = time.monotonic()

# Threads of its own, so that the question is not behind those of busy pages.
_threads = ThreadPoolExecutor(2, "health")


async def ask(question: Callable[[], _T], patience: float = PATIENCE) -> _T:
    """Return the answer to a question that may block.

    Raises:
        TimeoutError: It took longer than `patience` seconds.
    """
    running = asyncio.get_running_loop().run_in_executor(_threads, question)
    return await asyncio.wait_for(asyncio.shield(running), patience)


async def examine() -> tuple[bool, dict[str, Any]]:
    """Return whether the app works, and what was found; neither has a path or a name in it."""
    is_database_there = await _is_database_there()
    worker = _worker()
    free = await ask(_free_bytes)
    found = {
        "database": "ok" if is_database_there else "no answer",
        "worker": worker,
        "disk": "ok" if free >= LEAST_DISK else "full",
        "disk_free_mb": free // 1_000_000,
        "version": __version__,
    }
    is_well = is_database_there and worker != "dead" and free >= LEAST_DISK
    return is_well, {"status": "ok" if is_well else "failing", **found}


def _worker() -> str:
    if engine := status.current():
        return "ok" if engine.is_alive else "dead"
    # While the server starts, there is no worker yet, and nothing is wrong.
    return "starting" if time.monotonic() < _begun + STARTING else "dead"


async def _is_database_there() -> bool:
    try:
        await ask(lambda: state.store().ids("-"))
    except (ExplorerError, TimeoutError):
        return False
    return True


def kept_in() -> list[Path]:
    """Return the folders in which runs and data sets are kept on this machine."""
    folders = [data_folder()]
    with contextlib.suppress(ExplorerError):
        folders.append(state.settings().cache)
        if file := database_file():
            folders.append(file.parent)
    return folders


def database_file() -> Path | None:
    """Return the file in which runs are kept; `None` where a server keeps them."""
    kind, _, file = state.settings().database_url.partition(":///")
    return Path(file.partition("?")[0]) if kind.startswith("sqlite") else None


def _free_bytes() -> int:
    """Return the free space where runs and data sets are kept, of the folder with least."""
    return min(shutil.disk_usage(existing(folder)).free for folder in kept_in())


def existing(folder: Path) -> Path:
    """Return the folder, or the first above it that is there."""
    return next(each for each in (folder, *folder.absolute().parents) if each.is_dir())


class Health:
    """Answers the route, and asks the same no more often than once a second."""

    def __init__(self) -> None:
        self._last: tuple[float, int, dict[str, Any]] | None = None
        self._asking = asyncio.Lock()

    async def __call__(self, request: Request) -> JSONResponse:
        """Answer with 200 where the app works, else with 503."""
        async with self._asking:
            if self._last is None or time.monotonic() > self._last[0] + LASTING:
                is_well, found = await examine()
                self._last = (time.monotonic(), 200 if is_well else 503, found)
        _, code, found = self._last
        return JSONResponse(found, code, headers={"Cache-Control": "no-store"})


_health = Health()


async def _answer(request: Request) -> JSONResponse:
    return await _health(request)


ROUTES = [Route("/healthz", _answer, methods=["GET"])]
