"""Children do one job each; whatever they do, the server knows how they ended, and goes on."""

import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from explorer.engines import children, fork_server
from explorer.engines.children import METHOD, ChildError, Nursery, status_text

JOBS = '''
import os
import sys
import threading
import time


def echo(connection, *args):
    import pickle
    connection.send_bytes(pickle.dumps(args))
    while True:
        connection.send_bytes(connection.recv_bytes())


def say(connection, text, times):
    for _ in range(times):
        print(text)
    sys.stdout.flush()
    os.write(2, b"and the end")


def raises(connection):
    raise ValueError("on purpose")


def leaves(connection, code):
    os._exit(code)


def calls_exit(connection):
    sys.exit(5)


def crashes(connection):
    import ctypes
    ctypes.string_at(0)


def hangs(connection):
    while True:
        pass


def starts_another(connection):
    """Leave a process behind that has the same end of the connection."""
    if not (pid := os.fork()):
        time.sleep(3600)
    connection.send_bytes(str(pid).encode())


def facts(connection):
    import json
    import signal
    facts = {
        "torch": {"torch", "torch._dynamo"} <= sys.modules.keys(),
        "threads": threading.active_count(),
        "stdin": sys.stdin.read(),
        "interrupt": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
    }
    connection.send_bytes(json.dumps(facts).encode())
'''


@pytest.fixture(scope="module", params=["fork", "spawn"] if METHOD == "fork" else ["spawn"])
def nursery(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "jobs.py").write_text(JOBS)
    with pytest.MonkeyPatch.context() as environment:
        path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
        environment.setenv("PYTHONPATH", path)
        environment.syspath_prepend(folder)  # what is spawned takes over the path of its parent
        nursery = Nursery(request.param)
        yield nursery
        nursery.close()


def end_of(child):
    status = child.wait(60)
    assert status is not None
    return status


def test_a_child_gets_its_arguments_and_what_is_sent_comes_and_goes(nursery):
    child = nursery.start("jobs:echo", 1, "two", (3.0, None))
    assert child.receive(60) == (1, "two", (3.0, None))
    array = np.arange(100_000, dtype=np.float32).reshape(100, 1000)
    child.send({"a": array})
    assert np.array_equal(child.receive(60)["a"], array)
    assert child.is_alive
    child.close()
    assert not psutil.pid_exists(child.pid)


def test_what_does_not_come_in_time_is_a_time_out_and_the_child_goes_on(nursery):
    child = nursery.start("jobs:echo")
    assert child.receive(60) == ()
    with pytest.raises(TimeoutError):
        child.receive(0.05)
    child.send("still there")
    assert child.receive(60) == "still there"
    child.close()


@pytest.mark.parametrize(
    ("job", "args", "status"),
    [
        ("say", ("hello", 1), 0),
        ("raises", (), 1),
        ("leaves", (0,), 0),
        ("leaves", (7,), 7),
        ("calls_exit", (), 5),
        ("crashes", (), -11),
    ],
)
def test_how_a_child_ends_is_known(nursery, job, args, status):
    child = nursery.start(f"jobs:{job}", *args)
    with pytest.raises(ChildError, match="The process ended") as caught:
        child.receive(60)
    assert caught.value.status == status == end_of(child)
    assert not child.is_alive
    with pytest.raises(ChildError):
        child.receive(60)


def test_a_hanging_child_is_ended_at_once(nursery):
    child = nursery.start("jobs:hangs")
    child.close()
    assert end_of(child) == -9
    assert not psutil.pid_exists(child.pid)


def test_what_a_child_prints_is_kept_at_both_ends_and_no_more(nursery):
    child = nursery.start("jobs:say", "hello", 100_000, most_output=1000)
    assert end_of(child) == 0
    text = child.output.text(whole=True)
    assert text.startswith("hello\nhello\n")
    assert text.endswith("hello\nand the end")
    assert "bytes are left out" in text
    assert len(text) < 1100
    assert child.output.length == 100_000 * len("hello\n") + len("and the end")


def test_an_error_and_a_crash_say_where_in_what_was_printed(nursery):
    failed, crashed = nursery.start("jobs:raises"), nursery.start("jobs:crashes")
    end_of(failed), end_of(crashed)
    assert "ValueError: on purpose" in failed.output.text(whole=True)
    if METHOD == "fork" and nursery._method == "fork":
        assert "Segmentation fault" in crashed.output.text(whole=True)
        assert "in crashes" in crashed.output.text(whole=True)


@pytest.mark.skipif(METHOD != "fork", reason="processes are forked on Linux only")
def test_what_a_child_started_does_not_keep_its_end_a_secret(nursery):
    child = nursery.start("jobs:starts_another")
    other = int(child._connection.recv_bytes())
    with pytest.raises(ChildError):
        child.receive(60)
    assert end_of(child) == 0
    psutil.Process(other).kill()


def test_many_at_once_do_not_get_in_each_other_s_way(nursery):
    found = {}

    def talk(number):
        child = nursery.start("jobs:echo", number)
        found[number] = child.receive(90)
        child.close()

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: (number,) for number in range(12)}


def test_a_closed_nursery_has_no_children_and_starts_none(tmp_path):
    nursery = Nursery()
    child = nursery.start("time:sleep")
    pids = nursery.pids()
    first = nursery._fork_server
    nursery.close()
    assert end_of(child) is not None
    assert first is None or first._process.returncode == 0, "it was killed: it was not told to end"
    assert not any(map(psutil.pid_exists, pids))
    with pytest.raises(ChildError, match="shutting down"):
        nursery.start("time:sleep")


@pytest.mark.skipif(METHOD != "fork", reason="processes are forked on Linux only")
def test_a_forked_child_has_torch_one_thread_no_input_and_ignores_ctrl_c(nursery):
    import json

    if nursery._method != "fork":
        pytest.skip("of forked children")
    child = nursery.start("jobs:facts")
    facts = json.loads(child._connection.recv_bytes())
    assert facts == {"torch": True, "threads": 1, "stdin": "", "interrupt": True}


@pytest.mark.skipif(METHOD != "fork", reason="processes are forked on Linux only")
def test_the_fork_server_ends_with_the_server_and_its_children_with_it(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(
        "from explorer.engines.children import Nursery\n"
        "import time\n"
        "nursery = Nursery()\n"
        "child = nursery.start('explorer.engines.answering:answer_questions', None, None)\n"
        "print(*nursery.pids(), flush=True)\n"
        "time.sleep(3600)\n"
    )
    server = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in server.stdout.readline().split()]
    assert len(pids) == 2
    server.kill()
    server.wait()
    server.stdout.close()
    end = time.monotonic() + 30
    while any(map(psutil.pid_exists, pids)):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(METHOD != "fork", reason="processes are forked on Linux only")
def test_the_fork_server_has_nothing_to_say_at_its_end():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [sys.executable, "-m", "explorer.engines.fork_server", str(theirs.fileno())]
    ours.close()
    with theirs:
        ended = subprocess.run(
            words, pass_fds=[theirs.fileno()], capture_output=True, text=True, check=False
        )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_an_exit_status_is_said_in_words():
    assert status_text(3) == "exit code 3"
    assert status_text(-11) == "signal SIGSEGV"
    assert status_text(-200) == "signal 200"


def test_the_server_s_side_needs_no_torch_and_the_fork_server_loads_nothing_before_it_is_asked():
    for module in (children, fork_server):
        assert not hasattr(module, "torch")
