import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import replace

import psutil
import pytest

from explorer.data.loader import default_device
from explorer.engines.children import ChildError, Nursery
from explorer.engines.local import LocalEngine
from explorer.engines.perform import perform
from explorer.engines.plugins import Plugins
from explorer.plugin.registry import discover
from explorer.runs.run import RunSpec, Status
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Moment
from explorer.training.recipe import Recipe

PLUGIN = """
import os
import sys
import time

import torch
from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register({name})


class {name}(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.conv = nn.Conv2d(images.channels, 4, 5, stride=3)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.2)
        self.linear = nn.Linear(256, images.num_classes)

    def forward(self, x):
        if self.training and len(x) > 2:  # a plugin is tried on two images when it is loaded
            {deed}
        return self.linear(self.dropout(self.norm(self.conv(x)).relu().flatten(1)))


class Own(Exception):
    def __init__(self, first, second):
        super().__init__(f"{{first}} and {{second}}")
"""

DEED_LINE = 1 + PLUGIN.splitlines().index("            {deed}")

# By the name of the class, what it does in each step of its training.
DEEDS = {
    "Quick": "pass",
    "Steady": "time.sleep(0.005)",
    "Sleeps": "time.sleep(3600)",
    "Loops": "while True: pass",
    "Raises": "raise ZeroDivisionError('on purpose')",
    "RaisesItsOwn": "raise Own('this', 'that')",
    "CallsExit": "sys.exit(4)",
    "Dies": "os._exit(3)",
    "DiesQuietly": "os._exit(0)",
    "Crashes": "os.kill(os.getpid(), 11)",
    "Explodes": "x = x * float('inf')",
    "Edited": "pass",
    "Meddles": "sys.setrecursionlimit(150), os.chdir('/'), torch.set_num_threads(1)",
}

# The bits are promised on a CPU only.
to_the_bit = default_device().type == "cpu"


def write_plugin(folder, name, deed):
    (folder / f"{name.lower()}.py").write_text(
        PLUGIN.format(name=name, deed=deed), encoding="utf-8"
    )


@pytest.fixture(scope="module")
def settings(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("engine")
    (folder / "plugins").mkdir()
    for name, deed in DEEDS.items():
        write_plugin(folder / "plugins", name, deed)
    with pytest.MonkeyPatch.context() as environment:
        # Workers are niced; where others keep the machine busy, threads that wait for one another
        # would make these small runs slow.
        environment.setenv("OMP_NUM_THREADS", "1")
        yield Settings(
            database_url=f"sqlite:///{folder / 'runs.sqlite'}",
            cache=cache,
            plugins=(folder / "plugins",),
            stop_grace=2,
        )


@pytest.fixture(scope="module")
def registry(settings):
    return discover(settings.plugins)


@pytest.fixture(scope="module")
def store(settings):
    store = RunStore(settings.database_url)
    yield store
    store.close()


@pytest.fixture(scope="module")
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def plugins(nursery, settings):
    plugins = Plugins(nursery, settings)
    assert "quick" in plugins.whole_catalogue.architectures
    yield plugins
    plugins.close()


@pytest.fixture(scope="module")
def begin(store, settings, nursery, plugins):
    """Begin an engine with other settings."""

    def begin(**changed):
        changed = settings.model_copy(update=changed)
        return LocalEngine(store, changed, nursery, plugins.needed)

    return begin


@pytest.fixture(scope="module")
def engine(begin):
    """One engine for all: each test leaves it idle, whatever it did to its children."""
    engine = begin()
    yield engine
    engine.close()


@pytest.fixture
def ask(registry, request):
    """Make a spec that no other test asks for."""
    number = request.session.items.index(request.node)

    def ask(architecture, registry=registry, **recipe):
        recipe = {"epochs": 1, "train_size": 256, "batch_size": 16, "seed": number, **recipe}
        fingerprint = registry[architecture].fingerprint
        return RunSpec(architecture, {}, "mnist", Recipe(**recipe), fingerprint)

    return ask


def wait(condition, seconds=90):
    """Wait until `condition()` holds, and return what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)
    return found


def ended(store, id, seconds=90):
    """The run, once nobody is at it any more."""
    return wait(lambda: not (run := store.run(id)).status.is_live and run, seconds)


def in_second_epoch(store, id):
    run = store.run(id)
    first = run.started.steps_per_epoch if run.started else 0
    return len(run.epochs) == 1 and store.steps(id, after=first)


def process_of(engine, id):
    """The process that trains a run, once it does."""
    return wait(lambda: engine.running().get(id))


def numbers(run):
    return [
        replace(epoch, seconds=0.0, images_per_second=0.0, checkpoint=None) for epoch in run.epochs
    ]


def assert_same_as_uninterrupted(engine, store, run):
    """Train the run again, without a stop, and compare all its numbers and its last weights."""
    last = run.spec.recipe.epochs
    weights = store.weights(run.id, Moment(last))
    store.delete(run.id)
    engine.submit(run.spec)
    whole = ended(store, run.id)
    assert whole.status is Status.FINISHED
    assert [epoch.epoch for epoch in run.epochs] == list(range(1, last + 1))
    if to_the_bit:
        assert numbers(run) == numbers(whole)
        assert store.weights(run.id, Moment(last)) == weights


def test_a_submitted_run_is_trained_and_finished(engine, store, ask):
    run = engine.submit(ask("plain"))
    assert run.status is Status.QUEUED
    run = ended(store, run.id)
    assert (run.status, run.reason) == (Status.FINISHED, "")
    assert run.started.train_size == 256
    assert len(run.epochs) == 1
    assert [step.step for step in store.steps(run.id)][-1] == 16
    assert store.kept_epochs(run.id) == [1]


def test_the_same_spec_is_the_same_run_live_or_finished(engine, store, ask):
    spec = ask("steady")
    first = engine.submit(spec)
    assert engine.submit(spec).id == first.id
    finished = ended(store, first.id)
    assert finished.status is Status.FINISHED
    assert engine.submit(spec) == finished
    assert [run.id for run in store.runs()].count(spec.id) == 1


def test_as_many_runs_as_there_are_workers_are_trained_at_once(store, begin, ask):
    engine = begin(workers=2)
    try:
        runs = [engine.submit(ask("sleeps", epochs=n + 1)) for n in range(3)]
        statuses = lambda: [str(store.run(run.id).status) for run in runs]  # noqa: E731
        wait(lambda: statuses() == ["running", "running", "queued"])
        engine.stop(runs[0].id)
        wait(lambda: statuses() == ["paused", "running", "running"])
    finally:
        engine.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there it is a priority class")
def test_the_process_of_a_run_is_niced_so_that_pages_stay_quick(engine, store, ask):
    id = engine.submit(ask("sleeps")).id
    wait(lambda: store.run(id).status is Status.RUNNING)
    assert psutil.Process(process_of(engine, id)).nice() >= 10
    engine.stop(id)
    ended(store, id)


def test_runs_are_trained_one_after_the_other_each_in_a_process_of_its_own(engine, store, ask):
    first, second = (engine.submit(ask("steady", seed=seed)).id for seed in (1000, 1001))
    wait(lambda: store.run(first).status is Status.RUNNING)
    assert store.run(second).status is Status.QUEUED
    one = process_of(engine, first)
    while store.run(first).status is Status.RUNNING:
        # Asked first, so that the second cannot have begun in between.
        assert (
            store.run(second).status is Status.QUEUED or store.run(first).status is Status.FINISHED
        )
    other = process_of(engine, second)
    assert one != other
    assert ended(store, second).status is Status.FINISHED
    assert store.run(first).status is Status.FINISHED
    wait(lambda: not psutil.pid_exists(one) and not psutil.pid_exists(other))
    wait(lambda: engine.running() == {})


def test_what_a_run_changes_in_its_process_does_not_reach_the_next(engine, store, ask):
    meddled, after = (engine.submit(ask(name)).id for name in ("meddles", "quick"))
    assert ended(store, meddled).status is Status.FINISHED
    run = ended(store, after)
    assert (run.status, run.reason) == (Status.FINISHED, "")
    assert_same_as_uninterrupted(engine, store, run)


def test_a_stopped_run_ends_by_itself_and_continues_to_the_same_numbers(engine, store, ask):
    spec = ask("steady", epochs=3, train_size=1600)
    id = engine.submit(spec).id
    wait(lambda: in_second_epoch(store, id))
    engine.stop(id)
    run = ended(store, id)
    assert run.status is Status.PAUSED
    assert run.status.is_resumable
    assert len(run.epochs) < 3

    assert engine.submit(spec).status is Status.QUEUED
    run = ended(store, id)
    assert run.status is Status.FINISHED
    assert run.started.finished_epochs > 0
    assert_same_as_uninterrupted(engine, store, run)


def test_a_run_that_is_stopped_in_the_queue_never_begins_and_those_behind_it_do(engine, store, ask):
    first, second, third = (
        engine.submit(ask("steady", seed=seed, train_size=800)).id for seed in (2000, 2001, 2002)
    )
    wait(lambda: store.run(first).status is Status.RUNNING)
    engine.stop(second)
    assert store.run(second).status is Status.PAUSED
    assert ended(store, first).status is Status.FINISHED
    assert ended(store, third).status is Status.FINISHED
    assert store.run(second).status is Status.PAUSED
    assert store.run(second).started is None
    # It can be requested again.
    engine.submit(store.run(second).spec)
    assert ended(store, second).status is Status.FINISHED


@pytest.fixture
def slow(store, settings, nursery, plugins, monkeypatch):
    """An engine that is told when the process of its run may be there, and how to tell it."""
    monkeypatch.setattr("explorer.runs.store.LEASE_SECONDS", 0.8)
    monkeypatch.setattr("explorer.engines.ownership.LEASE_SECONDS", 0.8)
    engine = LocalEngine(store, settings, nursery, plugins.needed)
    wait(lambda: engine._spare)
    begin, asked = threading.Event(), threading.Event()

    def take():
        asked.set()
        begin.wait()
        return engine._start()

    monkeypatch.setattr(engine, "_take_spare", take)
    yield engine, asked, begin
    begin.set()
    engine.close()


def test_a_run_stays_owned_while_its_process_is_made(slow, store, ask):
    engine, asked, begin = slow
    id = engine.submit(ask("quick")).id
    asked.wait()
    for _ in range(20):
        assert store.run(id).status is Status.QUEUED
        time.sleep(0.1)
    begin.set()
    assert ended(store, id).status is Status.FINISHED


@pytest.mark.parametrize("name", ["steady", "loops"])
def test_a_run_that_is_stopped_while_its_process_is_made_ends(slow, store, ask, name):
    engine, asked, begin = slow
    id = engine.submit(ask(name, epochs=50)).id
    asked.wait()
    engine.stop(id)
    begin.set()
    assert ended(store, id).status is Status.PAUSED


def test_an_engine_that_is_closed_while_a_process_is_made_interrupts_its_run(slow, store, ask):
    engine, asked, begin = slow
    id = engine.submit(ask("sleeps")).id
    asked.wait()
    closing = threading.Thread(target=engine.close)
    closing.start()
    wait(lambda: engine._is_closed)
    begin.set()
    closing.join(60)
    assert not closing.is_alive()
    assert store.run(id).status is Status.INTERRUPTED


@pytest.mark.parametrize("name", ["sleeps", "loops"])
def test_a_run_that_does_not_stop_by_itself_is_killed_and_the_next_one_is_trained(
    engine, store, ask, name
):
    id = engine.submit(ask(name)).id
    wait(lambda: store.run(id).status is Status.RUNNING)
    process = process_of(engine, id)
    engine.stop(id)
    following = engine.submit(ask("quick")).id
    assert ended(store, id).status is Status.PAUSED
    assert ended(store, following).status is Status.FINISHED
    wait(lambda: not psutil.pid_exists(process))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raises", f"It raised ZeroDivisionError, line {DEED_LINE}: on purpose."),
        ("raises-its-own", f"It raised Own, line {DEED_LINE}: this and that."),
        (
            "calls-exit",
            "It ends the program (sys.exit) where it should only define things; remove that.",
        ),
        (
            "explodes",
            "The loss is nan at the first step, before anything is learned: the network itself "
            "answers so. Look in it for a division by 0, for a logarithm or a root of what may be "
            "0 or less, and for initial weights that are too large.",
        ),
    ],
)
def test_a_run_that_fails_says_why_and_the_next_one_is_trained(engine, store, ask, name, reason):
    failing, following = engine.submit(ask(name)).id, engine.submit(ask("quick")).id
    failed = ended(store, failing)
    assert (failed.status, failed.reason) == (Status.FAILED, reason)
    assert failed.traceback.startswith("Traceback")
    assert ended(store, following).status is Status.FINISHED


def test_a_plugin_that_ends_its_process_fails_its_run_and_the_next_one_is_trained(
    engine, store, ask
):
    failing, following = engine.submit(ask("dies")).id, engine.submit(ask("quick")).id
    assert ended(store, following).status is Status.FINISHED
    failed = ended(store, failing, seconds=15)
    assert failed.status is Status.FAILED
    assert failed.reason.startswith("The worker process died (exit code 3")


def test_a_plugin_that_ends_its_process_without_a_word_fails_its_run(engine, store, ask):
    before = engine.restarts
    quiet, following = engine.submit(ask("dies-quietly")).id, engine.submit(ask("quick")).id
    assert ended(store, following).status is Status.FINISHED
    failed = ended(store, quiet)
    assert failed.status is Status.FAILED
    assert failed.reason.startswith("The worker process died (exit code 0)")
    assert engine.restarts == before + 1


def test_a_plugin_that_crashes_its_process_fails_its_run_and_the_next_one_is_trained(
    engine, store, ask
):
    failing, following = engine.submit(ask("crashes")).id, engine.submit(ask("quick")).id
    assert ended(store, following).status is Status.FINISHED
    failed = ended(store, failing)
    assert failed.status is Status.FAILED
    assert failed.reason.startswith("The worker process died (signal SIGSEGV)")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_process_killed_in_mid_epoch_loses_no_finished_epoch_and_a_new_one_takes_over(
    engine, store, ask
):
    spec = ask("steady", epochs=3, train_size=1600)
    id = engine.submit(spec).id
    wait(lambda: in_second_epoch(store, id))
    killed = process_of(engine, id)
    os.kill(killed, 9)
    run = ended(store, id)
    assert run.status is Status.FAILED
    assert run.reason == (
        "The worker process died (signal SIGKILL), possibly out of memory. Resume it to continue "
        "from where it was last kept."
    )
    assert [epoch.epoch for epoch in run.epochs] == [1]
    assert store.kept_epochs(id) == [1]
    assert run.status.is_resumable

    engine.submit(spec)
    assert process_of(engine, id) != killed
    run = ended(store, id)
    assert run.status is Status.FINISHED
    assert run.started.finished_epochs == 1
    assert_same_as_uninterrupted(engine, store, run)


def test_a_plugin_edited_after_a_run_was_asked_for_fails_it_and_new_runs_use_the_new_code(
    engine, store, ask, settings
):
    asked_before = ask("edited")
    [folder] = settings.plugins
    write_plugin(folder, "Edited", "x = x * 1.5")
    asked_after = ask("edited", registry=discover(settings.plugins))
    assert asked_after.id != asked_before.id
    new, old = engine.submit(asked_after).id, engine.submit(asked_before).id
    assert ended(store, new).status is Status.FINISHED
    failed = ended(store, old)
    assert failed.status is Status.FAILED
    assert failed.reason == (
        f"The code of edited ({folder / 'edited.py'}) has changed since this run began; "
        "start a new run with the current code."
    )


def test_a_plugin_added_after_the_engine_began_is_found(engine, store, ask, settings, plugins):
    [folder] = settings.plugins
    write_plugin(folder, "Latecomer", "pass")
    plugins.reload()
    assert "latecomer" in plugins.whole_catalogue.architectures
    id = engine.submit(ask("latecomer", registry=discover(settings.plugins))).id
    assert ended(store, id).status is Status.FINISHED


SERVER = """
import json
import sys
import time

from explorer.engines.children import Nursery
from explorer.engines.local import LocalEngine
from explorer.engines.plugins import Plugins
from explorer.runs.run import RunSpec
from explorer.runs.store import RunStore
from explorer.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    store = RunStore(settings.database_url)
    nursery = Nursery()
    plugins = Plugins(nursery, settings)
    assert plugins.whole_catalogue
    engine = LocalEngine(store, settings, nursery, plugins.needed)
    run = engine.submit(RunSpec.from_json(json.loads(sys.argv[1])))
    while run.id not in engine.running():
        time.sleep(0.01)
    print(*nursery.pids(), flush=True)
    time.sleep(3600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_server_killed_in_mid_run_takes_all_its_children_with_it_and_the_run_can_be_resumed(
    engine, store, ask, settings, tmp_path
):
    spec = ask("steady", epochs=3, train_size=1600)
    script = tmp_path / "server.py"
    script.write_text(SERVER, encoding="utf-8")
    environment = {
        **os.environ,
        "EXPLORER_DATABASE_URL": settings.database_url,
        "EXPLORER_CACHE": str(settings.cache),
        "EXPLORER_PLUGINS": os.pathsep.join(map(str, settings.plugins)),
    }
    server = subprocess.Popen(
        [sys.executable, str(script), json.dumps(spec.to_json())],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        children = [int(pid) for pid in server.stdout.readline().split()]
        assert len(children) >= 2
        wait(lambda: any(run.id == spec.id for run in store.runs()))
        wait(lambda: in_second_epoch(store, spec.id))
        assert engine.submit(spec).status is Status.RUNNING  # it is another's, and left alone
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    wait(lambda: not any(map(psutil.pid_exists, children)))
    run = ended(store, spec.id)
    assert run.status is Status.INTERRUPTED
    assert [epoch.epoch for epoch in run.epochs] == [1]

    assert engine.submit(spec).status is Status.QUEUED
    run = ended(store, spec.id)
    assert run.status is Status.FINISHED
    assert run.started.finished_epochs == 1
    assert_same_as_uninterrupted(engine, store, run)


def test_a_run_that_takes_too_long_fails_and_says_what_the_limit_is(store, ask, begin):
    hasty = begin(time_limit=3.0)
    try:
        run = ended(store, hasty.submit(ask("sleeps")).id)
        assert run.status is Status.FAILED
        assert run.reason == (
            "It took longer than the limit of 0.05 minutes (EXPLORER_TIME_LIMIT)."
        )
        following = hasty.submit(ask("quick")).id
        wait(lambda: store.run(following).started)
    finally:
        hasty.close()


def test_closing_an_engine_interrupts_its_run_which_may_be_resumed(engine, store, ask, begin):
    closing = begin()
    spec, waiting = ask("steady", epochs=2, train_size=3200), ask("quick")
    closing.submit(spec)
    closing.submit(waiting)
    wait(lambda: in_second_epoch(store, spec.id))
    process = process_of(closing, spec.id)
    closing.close()
    assert not psutil.pid_exists(process)
    run = store.run(spec.id)
    assert (run.status, run.reason) == (Status.INTERRUPTED, "")
    assert [epoch.epoch for epoch in run.epochs] == [1]
    assert store.run(waiting.id).status is Status.INTERRUPTED
    engine.submit(spec)
    assert ended(store, spec.id).status is Status.FINISHED


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_process_killed_while_it_waits_for_a_run_is_replaced(store, ask, begin):
    engine = begin()
    try:
        assert ended(store, engine.submit(ask("quick")).id).status is Status.FINISHED
        spare = wait(lambda: engine._spare).pid
        os.kill(spare, 9)
        wait(lambda: not psutil.pid_exists(spare))
        run = engine.submit(ask("quick", epochs=2))
        assert ended(store, run.id).status is Status.FINISHED
    finally:
        engine.close()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no fork server")
def test_a_killed_fork_server_is_replaced(store, ask, settings):
    nursery = Nursery()
    plugins = Plugins(nursery, settings)
    assert plugins.whole_catalogue.architectures
    engine = LocalEngine(store, settings, nursery, plugins.needed)
    try:
        spec = ask("steady", epochs=3, train_size=1600)
        engine.submit(spec)
        wait(lambda: in_second_epoch(store, spec.id))
        os.kill(nursery.pids()[0], 9)
        assert ended(store, spec.id).status.is_resumable
        engine.submit(spec)
        assert ended(store, spec.id).status is Status.FINISHED
    finally:
        engine.close()
        plugins.close()
        nursery.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
def test_a_run_whose_process_is_terminated_is_interrupted_and_not_failed(engine, store, ask):
    id = engine.submit(ask("sleeps")).id
    wait(lambda: store.run(id).status is Status.RUNNING)
    psutil.Process(process_of(engine, id)).terminate()
    run = ended(store, id)
    assert (run.status, run.reason) == (Status.INTERRUPTED, "")


def test_runs_are_trained_by_spawned_processes_too(store, ask, settings):
    nursery = Nursery("spawn")
    plugins = Plugins(nursery, settings)
    engine = LocalEngine(store, settings, nursery, plugins.needed)
    try:
        assert "quick" in plugins.whole_catalogue.architectures
        run = ended(store, engine.submit(ask("quick")).id)
        assert (run.status, run.reason) == (Status.FINISHED, "")
    finally:
        engine.close()
        plugins.close()
        nursery.close()


# With children that do nothing, what may happen in any order can be put into the wrong one.


class IdleChild:
    """Takes a run and does nothing."""

    def __init__(self):
        self.pid, self.sent, self.ended, self.is_alive = 0, [], Future(), True

    def send(self, message):
        self.sent.append(message)

    def wait(self, seconds=None):
        return self.ended.result(90)

    def kill(self):
        if not self.ended.done():
            self.ended.set_result(-9)

    close = kill


class IdleNursery:
    is_alive = True

    def __init__(self):
        self.children = []

    def start(self, *_, **__):
        self.children.append(IdleChild())
        return self.children[-1]


@pytest.fixture
def idle(store, settings, plugins):
    engine = LocalEngine(store, settings, IdleNursery(), plugins.needed)
    yield engine
    engine.close()


def test_an_engine_that_can_start_no_process_fails_the_run_and_says_why(
    store, settings, plugins, ask
):
    class Barren(IdleNursery):
        def start(self, *_, **__):
            raise ChildError("no more processes")

    engine = LocalEngine(store, settings, Barren(), plugins.needed)
    try:
        run = ended(store, engine.submit(ask("quick")).id)
        assert run.status is Status.FAILED
        assert run.reason == "No process could be started for it: no more processes"
    finally:
        engine.close()


def test_an_engine_is_closed_as_often_as_one_likes_and_leaves_no_thread(store, settings, plugins):
    before = set(threading.enumerate())
    engine = LocalEngine(store, settings, IdleNursery(), plugins.needed)
    assert len(set(threading.enumerate()) - before) == 2  # the lease's, and one for each worker
    engine.close()
    engine.close()
    assert set(threading.enumerate()) <= before


def begin_last(engine, store):
    """Take the run up as its child does; return its id, its owner and the child."""
    child = wait(lambda: next((c for c in engine._nursery.children[::-1] if c.sent), None))
    id, owner, *_ = child.sent[-1]
    store.begin(id, owner)
    return id, owner, child


def test_a_run_resumed_before_its_old_process_is_gone_can_still_be_stopped(idle, store, ask):
    spec = ask("quick")
    idle.submit(spec)
    id, owner, old = begin_last(idle, store)
    store.end(id, owner, Status.PAUSED)  # the child writes this before it ends
    idle.submit(spec)
    assert store.run(id).status is Status.QUEUED
    idle.stop(id)
    assert store.run(id).status is Status.PAUSED
    old.kill()
    wait(lambda: idle.running() == {})
    assert store.run(id).status is Status.PAUSED


def test_the_late_end_of_an_old_process_does_not_end_the_run_that_was_resumed_since(
    idle, store, ask
):
    spec = ask("quick")
    idle.submit(spec)
    id, owner, old = begin_last(idle, store)
    store.end(id, owner, Status.PAUSED)
    idle.submit(spec)
    old.kill()
    wait(lambda: len([child for child in idle._nursery.children if child.sent]) == 2)
    assert store.run(id).status is Status.QUEUED


def test_a_process_that_was_given_up_cannot_stop_the_run_that_was_resumed_since(
    idle, store, ask, settings
):
    spec = ask("quick", train_size=64)
    idle.submit(spec)
    id, owner, old = begin_last(idle, store)
    events = perform(store.run(id), owner, store, discover(settings.plugins), settings)
    next(events)
    idle.stop(id)
    store.end(id, owner, Status.PAUSED)  # the grace period is over, but it is not dead yet
    idle.submit(spec)
    assert list(events) == []
    assert store.run(id).status is Status.QUEUED
    old.kill()


def test_a_run_that_another_process_has_is_only_asked_to_stop(idle, store, ask):
    run = store.claim(store.add(ask("quick")).id, "another process")
    store.begin(run.id, "another process")
    idle.submit(run.spec)
    assert not any(child.sent for child in idle._nursery.children)
    idle.stop(run.id)
    assert store.run(run.id).status is Status.RUNNING
    store.end(run.id, "another process", Status.PAUSED)
