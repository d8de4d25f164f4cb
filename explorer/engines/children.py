"""Starts the child processes in which authors' code runs, and tells how they ended.

No author's code runs in the server: a plugin may hang, exit, crash or change what the whole process
shares. So each run is trained in a child, and children load plugins and look inside networks. On
Linux they are forked, within milliseconds, by a fork server that has torch loaded
(`fork_server.py`); elsewhere they are spawned, which takes seconds.
"""

import contextlib
import importlib
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
import weakref
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeAlias

from explorer.engines.machine import prepare, prepare_children
from explorer.engines.output import Output
from explorer.engines.plain import read_plain
from explorer.errors import ExplorerError
from explorer.language import say

Method: TypeAlias = Literal["fork", "spawn"]

METHOD: Method = "fork" if sys.platform == "linux" else "spawn"
PATIENCE = 60.0  # seconds that the fork server may take to load torch and to fork
REPLY = struct.Struct("!cqi")  # what the fork server says: a letter, a process, its exit status
FORKED, ENDED = b"f", b"e"

_log = logging.getLogger(__name__)


class ChildError(ExplorerError, RuntimeError):
    """A child process could not be started, or ended before it gave an answer.

    Attributes:
        status: Its exit status, negative for the signal that ended it; `None` if there is none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Child:
    """A process that does one job.

    Attributes:
        pid: The number of the process.
        ended: Its exit status, once it has ended: negative for the signal that ended it.
        output: What it printed.
    """

    def __init__(self, pid: int, ours: socket.socket, output: Output) -> None:
        self.pid, self.output = pid, output
        self.ended: Future[int] = Future()
        self._closing = threading.Lock()
        self._socket = ours
        self._connection = Connection(os.dup(ours.fileno()))
        # A process that it has started itself may hold its end of the connection open.
        self.ended.add_done_callback(lambda _: self._hang_up())

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return not self.ended.done()

    def send(self, message: object) -> None:
        """Send it a message, by pickle.

        Raises:
            ChildError: It has ended.
        """
        try:
            self._connection.send_bytes(pickle.dumps(message))
        except OSError as error:
            raise self._gone() from error

    def receive(self, seconds: float | None = None) -> Any:
        """Return the next message from it: plain values.

        Raises:
            TimeoutError: There was none for so many seconds.
            ChildError: It has ended, or the message is something else than plain values.
        """
        try:
            if not self._connection.poll(seconds):
                raise TimeoutError
            content = self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise self._gone() from error
        return read_plain(content)

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for its end; return its exit status, or `None` if it is still there after that."""
        try:
            return self.ended.result(seconds)
        except NotYet:
            return None

    def kill(self) -> None:
        """End it, and all that it has started, at once."""
        for end in (_kill_group, os.kill):
            with contextlib.suppress(OSError):
                if self.is_alive:
                    end(self.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

    def close(self) -> None:
        """End it, and wait until it is gone."""
        self.kill()
        if self.wait(PATIENCE) is None:
            _log.error("Process %s could not be ended", self.pid)
        with self._closing:  # closed twice, it would be somebody else's by then
            self._connection.close()

    def _gone(self) -> ChildError:
        status = self.wait(PATIENCE)
        ended = say("The process ended ({status}).", status=status_text(status))
        return ChildError(ended, status)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Nursery:
    """Where children come from.

    Args:
        method: How they are started.
    """

    def __init__(self, method: Method = METHOD) -> None:
        self._method = method
        self._lock = threading.Lock()
        self._fork_server: _ForkServer | None = None
        self._children: weakref.WeakSet[Child] = weakref.WeakSet()
        self._is_closed = False
        if method == "fork":
            self._fork_server = _ForkServer()

    def start(self, job: str, *args: object, most_output: int = 2**16) -> Child:
        """Start a child that calls `job(connection, *args)`, and ends when that returns.

        Args:
            job: A function, as `module:name`, which only the child imports.
            args: What can be pickled.
            most_output: Bytes of its output that are kept.

        Raises:
            ChildError: It cannot be started.
        """
        ours, theirs = socket.socketpair()
        output = Output(most_output)
        with theirs:
            try:
                with self._lock:
                    if self._is_closed:
                        raise ChildError(say("The explorer is shutting down."))
                    start = self._fork if self._method == "fork" else self._spawn
                    child = start(ours, theirs, output)
                    self._children.add(child)
            finally:
                output.close_ours()
        child.send((job, args))
        return child

    def close(self) -> None:
        """End all children."""
        with self._lock:
            self._is_closed = True
        for child in list(self._children):
            child.close()
        if self._fork_server:
            self._fork_server.close()

    @property
    def is_alive(self) -> bool:
        """Whether it can start children now."""
        return not self._is_closed and (self._fork_server is None or self._fork_server.is_alive)

    def pids(self) -> list[int]:
        """Return the numbers of all processes that are alive, the fork server's first."""
        first = [self._fork_server.pid] if self._fork_server else []
        return first + [child.pid for child in list(self._children) if child.is_alive]

    def _fork(self, ours: socket.socket, theirs: socket.socket, output: Output) -> Child:
        if self._fork_server is None or not self._fork_server.is_alive:
            _log.error("The fork server ended; another is started")
            self._fork_server = _ForkServer()
        return self._fork_server.fork(ours, theirs, output)

    def _spawn(self, ours: socket.socket, theirs: socket.socket, output: Output) -> Child:
        prepare_children()
        context = multiprocessing.get_context("spawn")
        ends = Connection(os.dup(theirs.fileno())), Connection(os.dup(output.theirs))
        process = context.Process(target=run_job, args=ends, daemon=False)
        process.start()
        for end in ends:
            end.close()
        assert process.pid is not None
        child = Child(process.pid, ours, output)

        def wait() -> None:
            process.join()
            child.ended.set_result(process.exitcode or 0)

        threading.Thread(target=wait, name=f"child {process.pid}", daemon=True).start()
        return child


class _ForkServer:
    """The process that forks the children, as the server sees it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        prepare_children()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "explorer.engines.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is for the server
            )
        self._asked: tuple[socket.socket, Output] | None = None
        self._forked: Future[Child] = Future()
        self._children: dict[int, Child] = {}
        threading.Thread(target=self._listen, name="fork server", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def fork(self, ours: socket.socket, theirs: socket.socket, output: Output) -> Child:
        self._forked = Future()
        self._asked = ours, output
        try:
            socket.send_fds(self._control, [b"fork"], [theirs.fileno(), output.theirs])
            return self._forked.result(PATIENCE)
        except (OSError, NotYet) as error:
            self._process.kill()
            raise ChildError(say("The fork server does not answer.")) from error

    def close(self) -> None:
        # Closing alone hangs up only when the listening thread has received something.
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        self._control.close()

    def _listen(self) -> None:
        while True:
            try:
                message = self._control.recv(REPLY.size)
            except OSError:
                message = b""
            if len(message) < REPLY.size:
                break
            what, pid, status = REPLY.unpack(message)
            if what == FORKED:
                # Made here, since the next thing said may be that it has ended.
                assert self._asked is not None
                self._children[pid] = Child(pid, *self._asked)
                self._forked.set_result(self._children[pid])
            elif child := self._children.pop(pid, None):
                child.ended.set_result(status)
        # It is gone, and its children with it.
        if not self._forked.done():
            self._forked.set_exception(OSError("the fork server ended"))
        while self._children:
            _, child = self._children.popitem()
            child.ended.set_result(-signal.SIGKILL)


def run_job(connection: Connection, output: Connection) -> None:
    """Do, in a child, the job that the server sends; print into `output`."""
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    prepare()  # a spawned child is not a copy of one that is prepared
    job, args = pickle.loads(connection.recv_bytes())
    module, _, name = job.partition(":")
    getattr(importlib.import_module(module), name)(connection, *args)


def status_text(status: int | None) -> str:
    """Say how a process ended, such as `exit code 3` or `signal SIGSEGV`."""
    if status is None or status >= 0:
        return say("exit code {number}", number=status)
    try:
        return say("signal {name}", name=signal.Signals(-status).name)
    except ValueError:
        return say("signal {name}", name=-status)


def _kill_group(pid: int, number: int) -> None:
    if hasattr(os, "killpg") and os.getpgid(pid) == pid:
        os.killpg(pid, number)
