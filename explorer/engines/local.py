"""Trains runs in worker processes on this machine, one after the other or several at once.

Workers are kept warm: torch is imported, the plugins are loaded and MNIST is in memory before the
first run needs them. They are niced so that pages stay quick, and die with the process that
started them.
"""

import contextlib
import functools
import logging
import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

import psutil
import torch
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from explorer import logs
from explorer.data.loader import default_device, load_data
from explorer.data.mnist import MNIST
from explorer.engines.machine import prepare
from explorer.engines.perform import leased, new_owner, perform
from explorer.engines.status import EngineStatus
from explorer.errors import full_trace
from explorer.plugin.registry import Registry, discover
from explorer.runs.restore import is_current
from explorer.runs.run import Run, RunIsBusyError, RunSpec, Status
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Step
from explorer.training.loop import train
from explorer.training.recipe import PRESETS

_log = logging.getLogger(__name__)


class _Task(NamedTuple):
    owner: str
    future: ProcessFuture[None]


class LocalEngine:
    """A queue of runs, and the warm worker processes that train them.

    Args:
        store: Where runs are kept. The workers open the same database.
        settings: Time limits and folders.
    """

    def __init__(self, store: RunStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._tasks: dict[str, _Task] = {}
        self._restarts = 0
        with contextlib.ExitStack() as opened:
            # A worker renews the lease of the run that it trains; those of waiting runs are renewed
            # from here.
            opened.enter_context(leased(store, self._waiting))
            self._pool = self._start()
            opened.callback(lambda: _end(self._pool))
            self._opened = opened.pop_all()

    def submit(self, spec: RunSpec) -> Run:
        """Queue the run of this spec, to continue from its last finished epoch.

        A run that is finished or live is left alone.
        """
        run = self._store.add(spec)
        # Each attempt has its own name, so that what is left of an earlier one cannot write.
        owner = new_owner()
        try:
            run = self._store.claim(run.id, owner)
        except RunIsBusyError:
            return self._store.run(run.id)
        if not self._pool.active:  # the worker died while it was idle
            _log.warning("The worker process died while it was idle; another is started")
            self._restarts += 1
            self._pool = self._start()
        future = self._pool.schedule(
            _work, args=(run.id, owner, self._settings), timeout=self._settings.time_limit
        )
        self._tasks[run.id] = _Task(owner, future)
        future.add_done_callback(functools.partial(self._ended, run.id, owner))
        return run

    def stop(self, id: str) -> None:
        """Stop a run: at its next event, or by force if that takes longer than the grace period."""
        self._store.request_stop(id)
        task = self._tasks.get(id)
        if task is None:
            return  # another process has it, and will see the request
        if task.future.running():
            timer = threading.Timer(self._settings.stop_grace, task.future.cancel)
            timer.daemon = True
            timer.start()
            task.future.add_done_callback(lambda _: timer.cancel())
        else:
            task.future.cancel()

    def status(self) -> EngineStatus:
        """Return how the workers are."""
        tasks = list(self._tasks.values())
        training = sum(task.future.running() for task in tasks)
        return EngineStatus(self._pool.active, self._restarts, training, len(tasks) - training)

    def close(self) -> None:
        """End the workers; the runs that they train are interrupted, and can be resumed."""
        self._opened.close()

    def _start(self) -> ProcessPool:
        prepare()  # the worker inherits the environment
        pool = ProcessPool(
            max_workers=self._settings.workers,
            initializer=_warm_up,
            initargs=(self._settings,),
            # A forked child of a process that has threads, as a server has, may hang.
            context=multiprocessing.get_context("spawn"),
        )
        try:
            pool.schedule(_nothing)  # starts the worker now, not with the first run
        except BaseException:
            _end(pool)
            raise
        return pool

    def _waiting(self) -> list[str]:
        return [task.owner for task in list(self._tasks.values()) if not task.future.running()]

    def _ended(self, id: str, owner: str, future: ProcessFuture[Any]) -> None:
        if (task := self._tasks.get(id)) and task.owner == owner:
            del self._tasks[id]
        status, reason, trace = Status.FAILED, "", ""
        try:
            future.result()
            return
        except CancelledError:
            status = Status.STOPPED
        except TimeoutError:
            minutes = (self._settings.time_limit or 0) / 60
            reason = f"It took longer than the limit of {minutes:g} minutes (EXPLORER_TIME_LIMIT)."
        except ProcessExpired as error:
            self._restarts += 1  # the pool has replaced it
            reason = (
                f"The worker process died (exit code {error.exitcode}), possibly out of memory. "
                "Finished epochs are kept: resume the run to continue from there."
            )
        except Exception as error:
            reason, trace = f"The worker could not be used: {error}", full_trace(error)
        if reason:
            _log.error("Run %s failed: %s", id, "\n".join(filter(None, [reason, trace])))
        self._store.end(id, owner, status, reason, trace)


def _end(pool: ProcessPool) -> None:
    pool.stop()
    pool.join()


def _warm_up(settings: Settings) -> None:
    prepare()
    logs.start(settings.log_level, settings.log_format)
    if settings.workers > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // settings.workers))
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with contextlib.suppress(psutil.Error, OSError):
        if sys.platform == "win32":
            psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            psutil.Process().nice(10)
    try:
        _rehearse(settings)
    except Exception:  # it fails again, with a sentence, when a run needs it
        _log.warning("The worker could not be warmed up", exc_info=True)


def _rehearse(settings: Settings) -> None:
    """Train a few images: the first step of a process loads much that only training needs."""
    _store(settings)
    data = load_data(MNIST, default_device(), settings.cache)
    for name, recipe in zip(_registry(settings).architectures, PRESETS.values(), strict=False):
        model = _registry(settings)[name].build(data.spec)
        next(event for event in train(model, data, recipe) if isinstance(event, Step))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _nothing() -> None: ...


@functools.cache
def _registry(settings: Settings) -> Registry:
    return discover(settings.plugins)


@functools.cache
def _store(settings: Settings) -> RunStore:
    return RunStore(settings.database_url)


def _work(id: str, owner: str, settings: Settings) -> None:
    multiprocessing.current_process().name = f"run {id}"  # in each line of the log
    store = _store(settings)
    run = store.run(id)
    if not is_current(run, _registry(settings)):
        _registry.cache_clear()  # a plugin was added or edited since this worker loaded them
    # The store and the log have the reason. The exception itself may be of a class that only this
    # process knows, and sending it to the other would break the pool.
    with contextlib.suppress(BaseException):
        for _ in perform(run, owner, store, _registry(settings), settings):
            pass
