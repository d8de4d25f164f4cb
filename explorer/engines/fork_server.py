"""The process from which children are forked: `python -m explorer.engines.fork_server FD`.

It has torch and the explorer loaded, so a child is ready within milliseconds and shares their
memory. It loads no plugin, uses no accelerator and starts no thread: a fork copies one thread only,
and a lock that another one held would stay locked in the child for ever. It ends when the server
closes its end of the socket, and its children with it.
"""

import contextlib
import ctypes
import faulthandler
import gc
import logging
import os
import select
import signal
import socket
import sys
from multiprocessing.connection import Connection

from explorer.engines.children import ENDED, FORKED, REPLY, run_job
from explorer.engines.machine import prepare

PR_SET_PDEATHSIG = 1  # of prctl(2)


def main(control: socket.socket) -> None:
    """Fork a child for each message, and say when one has ended, until the server hangs up."""
    _load()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # The server decides when it ends: whoever stops the server may say so to all its processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    alive: set[int] = set()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while True:
            ready, _, _ = select.select([control.fileno(), woken], [], [])
            if woken in ready:
                os.read(woken, 4096)
                _bury(alive, control)
            if control.fileno() in ready:
                message, ends, _, _ = socket.recv_fds(control, 16, 2)
                if not message:
                    break
                if not (pid := os.fork()):
                    signal.set_wakeup_fd(-1)
                    for unneeded in (control.fileno(), woken, wake):
                        os.close(unneeded)
                    _be_child(*map(Connection, ends))
                for end in ends:
                    os.close(end)
                alive.add(pid)
                control.send(REPLY.pack(FORKED, pid, 0))
    for pid in alive:
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)


def _load() -> None:
    """Import what children need, and put it out of reach of their garbage collection."""
    prepare()
    # Without triton, torch's counter of operations says so.
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)

    # Each child's first optimiser would import this: 85 MB and a second, for each of them.
    import torch._dynamo  # noqa: F401

    import explorer.engines.answering
    import explorer.engines.training  # noqa: F401

    gc.collect()
    gc.freeze()


def _bury(alive: set[int], control: socket.socket) -> None:
    """Say of each child that has ended how it did."""
    while alive:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        alive.discard(pid)
        control.send(REPLY.pack(ENDED, pid, os.waitstatus_to_exitcode(status)))


def _be_child(connection: Connection, output: Connection) -> None:
    """Do one job, and end."""
    code = 1
    try:
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)  # so that all that it starts can be ended with it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        faulthandler.enable(2)
        run_job(connection, output)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
    sys.stderr.flush()
    os._exit(0)  # triton complains about whoever ends in order
