"""Trains runs in child processes on this machine, one after the other or several at once.

Each run has a process of its own, which takes with it what a plugin does to it. One more is always
ready: torch is imported, MNIST is in memory and a first step was taken, so that the next run begins
at once. They are niced so that pages stay quick, and die with the process that started them.
"""

import contextlib
import itertools
import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from explorer.data.cache import train_size
from explorer.engines.children import Child, ChildError, Nursery, status_text
from explorer.engines.machine import processors
from explorer.engines.ownership import leased, new_owner
from explorer.engines.questions import Needed
from explorer.engines.queue import Task, in_turn, place_of, seconds_until
from explorer.engines.status import EngineStatus
from explorer.language import say
from explorer.runs.faults import StoreError, patiently
from explorer.runs.following import Follower
from explorer.runs.keeping import make_room, write_log
from explorer.runs.progress import duration, progress, usual_seconds
from explorer.runs.run import Run, RunIsBusyError, RunSpec, Status
from explorer.runs.store import RunStore
from explorer.settings import Settings

MOST_OUTPUT = 2**24  # bytes that are kept of what a run prints, where nobody sets a limit
PATIENCE = 5.0  # seconds that a database may be away when a run has ended
REMEMBERED_SECONDS = 10.0  # that the runs are not read again to estimate how long others take
MOMENT = 0.5  # seconds for which a reading of a live run is good enough for an estimate
SPARE_SECONDS = 5.0  # after a run began, until the next process is made ready
JOB = "explorer.engines.training:train_run"
AT_HOME = ""  # the visitor, where there is only one

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Running:
    """A run that is being trained.

    Attributes:
        task: The run.
        child: Its process; `None` until there is one, which may take seconds.
        is_asked_to_stop: Somebody asked for its end.
        is_killed: It did not end by itself for that.
    """

    task: Task
    child: Child | None = None
    is_asked_to_stop: bool = False
    is_killed: bool = False


class LocalEngine:
    """A queue of runs, and the processes that train them.

    Args:
        store: Where runs are kept. The children open the same database.
        settings: Time limits and folders.
        nursery: Where the children come from.
        needed: Says which plugins a run needs.
    """

    def __init__(
        self,
        store: RunStore,
        settings: Settings,
        nursery: Nursery,
        needed: Callable[[RunSpec], Needed],
    ) -> None:
        self._store, self._settings = store, settings
        self._nursery, self._needed = nursery, needed
        self._waiting: list[Task] = []
        self._running: list[_Running] = []
        self._changed = threading.Condition()  # guards all of these
        self._numbers = itertools.count()
        self._spare: Child | None = None
        self._is_closed = False
        self._following = Follower(store)  # one reading for all who wait
        self._finished: tuple[float, list[Run]] = (-REMEMBERED_SECONDS, [])  # when read, which
        self.restarts = 0  # processes that died while they trained
        with contextlib.ExitStack() as opened:
            opened.enter_context(leased(store, self._owners))
            self._make_spare()
            slots = [
                threading.Thread(target=self._serve, name=f"runs {number}", daemon=True)
                for number in range(settings.workers)
            ]
            for slot in slots:
                slot.start()
            self._slots = slots
            self._opened = opened.pop_all()

    def submit(self, spec: RunSpec, visitor: str = AT_HOME, steps: int | None = None) -> Run:
        """Queue the run of this spec, to continue from where it was last kept.

        A run that is finished or live is left alone.

        Args:
            spec: What is asked for.
            visitor: Who asks.
            steps: Pause it after so many steps, each looked at closely; `None` trains to the end.

        Raises:
            UnknownArchitectureError: The plugin of its network is gone.
            UnknownDataSetError: That of its data set is.
        """
        needed = self._needed(spec)
        run = self._store.add(spec)
        # Each attempt has its own name, so that what is left of an earlier one cannot write.
        owner = new_owner()
        try:
            run = self._store.claim(run.id, owner)
        except RunIsBusyError:
            with self._changed:
                for task in self._tasks():
                    if task.id == run.id:
                        task.visitors.add(visitor)
            return self._store.run(run.id)
        with self._changed:
            task = Task(spec, owner, needed, {visitor}, next(self._numbers), steps)
            self._waiting.append(task)
            self._changed.notify()
        return run

    def stop(self, id: str) -> None:
        """Pause a run: at its next report, or as it was last kept if that takes too long."""
        self._store.request_stop(id)
        with self._changed:
            for task in self._waiting:
                if task.id == id:
                    self._waiting.remove(task)
                    self._store.end(id, task.owner, Status.PAUSED)
                    return
            for running in self._running:
                if running.task.id == id:
                    running.is_asked_to_stop = True
                    if running.child:
                        self._kill_later(running, running.child)

    def leave(self, id: str, visitor: str) -> None:
        """Take a visitor off a run that others want as well."""
        with self._changed:
            for task in self._tasks():
                if task.id == id:
                    task.visitors.discard(visitor)

    def trained(self) -> list[Task]:
        """Return the runs that are being trained."""
        with self._changed:
            return [each.task for each in self._running]

    def queue(self) -> list[Task]:
        """Return the runs that wait, in the order in which they are trained."""
        with self._changed:
            return in_turn(self._waiting, [running.task for running in self._running])

    def waiting(self, id: str) -> str:
        """Say in a few words where in the queue a run is, and when it probably begins."""
        order = self.queue()
        place = place_of(id, order)
        if place is None:
            return say("waiting for its turn")
        seconds = self._seconds_until(place, order)
        if seconds is None:
            if place == 1:
                return say("next in the queue")
            return say("number {place} in the queue", place=place)
        time = duration(seconds)
        if place == 1:
            return say("next in the queue, begins in about {time}", time=time)
        return say("number {place} in the queue, begins in about {time}", place=place, time=time)

    def _seconds_until(self, place: int, order: Sequence[Task]) -> float | None:
        """Estimate when the run at a place begins; `None` if nothing is known to go by."""
        if time.monotonic() > self._finished[0] + REMEMBERED_SECONDS:
            self._finished = time.monotonic(), self._store.runs()
        _, runs = self._finished
        left = [self._left(task.id) for task in self.trained()]
        ahead = [usual_seconds(task.spec, runs, self._images(task)) for task in order[: place - 1]]
        if None in left or None in ahead:
            return None
        known, rest = ([s for s in each if s is not None] for each in (ahead, left))
        return seconds_until(place, known, rest, self._settings.workers)

    def _left(self, id: str) -> float | None:
        """Estimate how long a run that is being trained still takes."""
        run = self._following.run(id, MOMENT)
        return progress(run, self._following.steps(id, MOMENT)).seconds_left

    def _images(self, task: Task) -> int | None:
        dataset = task.needed.datasets.get(task.spec.dataset)
        return train_size(dataset, self._settings.cache) if dataset else None

    def running(self) -> dict[str, int]:
        """Return the numbers of the processes that train, by the ids of their runs."""
        with self._changed:
            return {each.task.id: each.child.pid for each in self._running if each.child}

    def status(self) -> EngineStatus:
        """Return how the engine is."""
        is_alive = not self._is_closed and self._nursery.is_alive
        with self._changed:
            training, waiting = len(self._running), len(self._waiting)
        return EngineStatus(is_alive, self.restarts, training, waiting)

    def close(self) -> None:
        """End the children; the runs that they train are interrupted, and can be resumed."""
        with self._changed:
            self._is_closed = True
            waiting, self._waiting = self._waiting, []
            running, spare = list(self._running), self._spare
            self._changed.notify_all()
        for task in waiting:
            self._end(task, "", Status.INTERRUPTED)
        for child in (*(each.child for each in running), spare):
            if child:
                child.close()
        for slot in self._slots:
            slot.join()
        self._opened.close()

    def _tasks(self) -> list[Task]:
        return [*self._waiting, *(running.task for running in self._running)]

    def _owners(self) -> list[str]:
        with self._changed:
            return [task.owner for task in self._tasks()]

    def _serve(self) -> None:
        """Train one run after the other."""
        while (running := self._next()) is not None:
            try:
                self._train(running)
            except Exception:
                _log.exception("Run %s could not be supervised", running.task.id)

    def _next(self) -> _Running | None:
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            task = in_turn(self._waiting, [running.task for running in self._running])[0]
            self._waiting.remove(task)
            self._running.append(_Running(task))
            return self._running[-1]

    def _train(self, running: _Running) -> None:
        task, status = running.task, None
        try:
            if child := self._begin(running):
                status = child.wait(self._settings.time_limit)
                if status is None:
                    child.close()
        finally:
            with self._changed:
                self._running.remove(running)
        if child:
            self._account(running, status)
            child.close()
            self._keep(task, child)

    def _begin(self, running: _Running) -> Child | None:
        """Give a run to a process, and return that; `None` if none can be started."""
        task = running.task
        try:
            child = self._take_spare()
            memory = self._settings.run_memory
            child.send((task.id, task.owner, task.needed, memory, task.steps))
        except ChildError as error:
            reason = say("No process could be started for it: {reason}", reason=error)
            self._end(task, reason, Status.FAILED)
            return None
        with self._changed:  # what happened meanwhile could not reach the process yet
            running.child = child
            if self._is_closed:
                child.kill()
            elif running.is_asked_to_stop:
                self._kill_later(running, child)
        _log.info("Run %s begins", task.id)
        self._later(self._make_spare)
        return child

    def _account(self, running: _Running, status: int | None) -> None:
        """Say how a run ended whose process is gone, if the process did not say so itself."""
        task = running.task
        if self._is_closed or status == -signal.SIGTERM:
            self._end(task, "", Status.INTERRUPTED)
        elif running.is_killed:
            self._end(task, "", Status.PAUSED)
        elif status is None:
            minutes = (self._settings.time_limit or 0) / 60
            self._end(
                task,
                say(
                    "It took longer than the limit of {minutes:g} minutes (EXPLORER_TIME_LIMIT).",
                    minutes=minutes,
                ),
                Status.FAILED,
            )
        else:
            is_lost = self._end(
                task,
                say(
                    "The worker process died ({status}), possibly out of memory. Resume it to "
                    "continue from where it was last kept.",
                    status=status_text(status),
                ),
                Status.FAILED,
            )
            self.restarts += is_lost

    def _keep(self, task: Task, child: Child) -> None:
        """Keep what a run printed, and make room for the next."""
        try:
            if text := child.output.text(whole=True):
                write_log(self._store, task.id, text)
            if most := self._settings.runs_disk:
                for id in make_room(self._store, most * 2**20):
                    _log.info("Run %s is forgotten, to make room (EXPLORER_RUNS_DISK)", id)
        except StoreError as error:
            _log.error("The log of run %s could not be kept: %s", task.id, error)

    def _end(self, task: Task, reason: str, status: Status) -> bool:
        """End a run that is not over; return whether it was not."""
        try:
            is_ended = patiently(
                lambda: self._store.end(task.id, task.owner, status, reason), PATIENCE
            )
        except StoreError as error:  # its lease runs out, and it is interrupted
            _log.error("The end of run %s could not be recorded: %s", task.id, error)
            return False
        if is_ended and reason:
            _log.error("Run %s failed: %s", task.id, reason)
        elif is_ended:
            _log.info("Run %s is %s", task.id, status)
        return is_ended

    def _kill_later(self, running: _Running, child: Child) -> None:
        def kill() -> None:
            running.is_killed = True
            child.kill()

        timer = threading.Timer(self._settings.stop_grace, kill)
        timer.daemon = True
        timer.start()
        child.ended.add_done_callback(lambda _: timer.cancel())

    def _take_spare(self) -> Child:
        with self._changed:
            spare, self._spare = self._spare, None
        return spare if spare and spare.is_alive else self._start()

    def _make_spare(self) -> None:
        """Make a process ready for the next run, unless one is."""
        if not self._needs_spare():
            return
        try:
            made = self._start()  # which may take seconds, so nobody else waits for it
        except ChildError:  # the next run tries again, and says why
            return
        with self._changed:
            if self._needs_spare():
                self._spare = made
                return
        made.close()

    def _needs_spare(self) -> bool:
        with self._changed:
            return not self._is_closed and not (self._spare and self._spare.is_alive)

    def _start(self) -> Child:
        threads = None
        if self._settings.workers > 1:
            threads = max(1, processors() // self._settings.workers)
        output = self._settings.log_bytes or MOST_OUTPUT
        return self._nursery.start(JOB, self._settings, threads, most_output=output)

    def _later(self, do: Callable[[], None]) -> None:
        # Not at once, since the run that begins now wants the cores.
        timer = threading.Timer(SPARE_SECONDS, do)
        timer.daemon = True
        timer.start()
