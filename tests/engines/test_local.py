import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest
from pebble import ProcessFuture

from explorer.data.loader import default_device
from explorer.engines.local import LocalEngine
from explorer.engines.perform import perform
from explorer.plugin.registry import discover
from explorer.runs.run import RunSpec, Status
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Started
from explorer.training.recipe import Recipe

PLUGIN = """
import os
import sys
import time

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
    "Explodes": "x = x * float('inf')",
    "Edited": "pass",
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
def engine(store, settings):
    """One engine for all: each test leaves it idle, whatever it did to its worker."""
    engine = LocalEngine(store, settings)
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


def workers():
    return [process.pid for process in multiprocessing.active_children()]


def numbers(run):
    return [
        replace(epoch, seconds=0.0, images_per_second=0.0, checkpoint=None) for epoch in run.epochs
    ]


def assert_same_as_uninterrupted(engine, store, run):
    """Train the run again, without a stop, and compare all its numbers and its last weights."""
    last = run.spec.recipe.epochs
    weights = store.weights(run.id, last)
    store.delete(run.id)
    engine.submit(run.spec)
    whole = ended(store, run.id)
    assert whole.status is Status.FINISHED
    assert [epoch.epoch for epoch in run.epochs] == list(range(1, last + 1))
    if to_the_bit:
        assert numbers(run) == numbers(whole)
        assert store.weights(run.id, last) == weights


def test_a_submitted_run_is_trained_by_the_worker_and_finished(engine, store, ask):
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


def test_as_many_runs_as_there_are_workers_are_trained_at_once(store, settings, ask):
    engine = LocalEngine(store, settings.model_copy(update={"workers": 2}))
    try:
        runs = [engine.submit(ask("sleeps", epochs=n + 1)) for n in range(3)]
        statuses = lambda: [str(store.run(run.id).status) for run in runs]  # noqa: E731
        wait(lambda: statuses() == ["running", "running", "queued"])
        engine.stop(runs[0].id)
        wait(lambda: statuses() == ["stopped", "running", "running"])
    finally:
        engine.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there it is a priority class")
def test_the_worker_is_niced_so_that_pages_stay_quick(engine, store, ask):
    ended(store, engine.submit(ask("quick")).id)
    [worker] = workers()
    assert psutil.Process(worker).nice() >= 10


def test_runs_are_trained_one_after_the_other_by_the_same_warm_worker(engine, store, ask):
    before = workers()
    first, second = (engine.submit(ask("steady", seed=seed)).id for seed in (1000, 1001))
    wait(lambda: store.run(first).status is Status.RUNNING)
    assert store.run(second).status is Status.QUEUED
    while store.run(first).status is Status.RUNNING:
        # Asked first, so that the second cannot have begun in between.
        assert (
            store.run(second).status is Status.QUEUED or store.run(first).status is Status.FINISHED
        )
    assert ended(store, second).status is Status.FINISHED
    assert store.run(first).status is Status.FINISHED
    assert workers() == before


def test_a_stopped_run_ends_by_itself_and_continues_to_the_same_numbers(engine, store, ask):
    before = workers()
    spec = ask("steady", epochs=3, train_size=1600)
    id = engine.submit(spec).id
    wait(lambda: in_second_epoch(store, id))
    engine.stop(id)
    run = ended(store, id)
    assert run.status is Status.STOPPED
    assert run.status.is_resumable
    assert len(run.epochs) < 3
    assert workers() == before  # it was not killed

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
    assert store.run(second).status is Status.STOPPED
    assert ended(store, first).status is Status.FINISHED
    assert ended(store, third).status is Status.FINISHED
    assert store.run(second).status is Status.STOPPED
    assert store.run(second).started is None
    # It can be requested again.
    engine.submit(store.run(second).spec)
    assert ended(store, second).status is Status.FINISHED


@pytest.mark.parametrize("name", ["sleeps", "loops"])
def test_a_run_that_does_not_stop_by_itself_is_killed_and_the_next_one_is_trained(
    engine, store, ask, name
):
    id = engine.submit(ask(name)).id
    wait(lambda: store.run(id).status is Status.RUNNING)
    [worker] = workers()
    engine.stop(id)
    following = engine.submit(ask("quick")).id
    assert ended(store, id).status is Status.STOPPED
    assert ended(store, following).status is Status.FINISHED
    assert worker not in workers()
    assert not psutil.pid_exists(worker)


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
            "The loss became nan by step 1, at a learning rate of 0.01; try a lower learning rate.",
        ),
    ],
)
def test_a_run_that_fails_says_why_and_the_same_worker_goes_on(engine, store, ask, name, reason):
    before = workers()
    failing, following = engine.submit(ask(name)).id, engine.submit(ask("quick")).id
    failed = ended(store, failing)
    assert (failed.status, failed.reason) == (Status.FAILED, reason)
    assert failed.traceback.startswith("Traceback")
    assert ended(store, following).status is Status.FINISHED
    assert workers() == before


def test_a_plugin_that_ends_the_worker_fails_its_run_and_the_next_one_is_trained(
    engine, store, ask
):
    failing, following = engine.submit(ask("dies")).id, engine.submit(ask("quick")).id
    assert ended(store, following).status is Status.FINISHED
    failed = ended(store, failing, seconds=15)
    assert failed.status is Status.FAILED
    assert failed.reason.startswith("The worker process died (exit code 3")


def test_a_plugin_that_ends_the_worker_without_a_word_leaves_its_run_interrupted(
    engine, store, ask
):
    quiet, following = engine.submit(ask("dies-quietly")).id, engine.submit(ask("quick")).id
    assert ended(store, following).status is Status.FINISHED
    assert ended(store, quiet, seconds=30).status is Status.INTERRUPTED
    assert engine.submit(store.run(quiet).spec).status is Status.QUEUED
    engine.stop(quiet)
    ended(store, quiet, seconds=30)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_worker_killed_in_mid_epoch_loses_no_finished_epoch_and_a_new_one_takes_over(
    engine, store, ask
):
    spec = ask("steady", epochs=3, train_size=1600)
    id = engine.submit(spec).id
    wait(lambda: in_second_epoch(store, id))
    [worker] = workers()
    os.kill(worker, 9)
    run = ended(store, id)
    assert run.status is Status.FAILED
    assert run.reason == (
        "The worker process died (exit code -9), possibly out of memory. Finished epochs are kept: "
        "resume the run to continue from there."
    )
    assert [epoch.epoch for epoch in run.epochs] == [1]
    assert store.kept_epochs(id) == [1]
    assert run.status.is_resumable

    engine.submit(spec)
    run = ended(store, id)
    assert run.status is Status.FINISHED
    assert run.started.finished_epochs == 1
    [replacement] = workers()
    assert replacement != worker
    assert_same_as_uninterrupted(engine, store, run)


def test_a_plugin_edited_after_a_run_was_asked_for_fails_it_and_new_runs_use_the_new_code(
    engine, store, ask, settings
):
    ended(store, engine.submit(ask("quick")).id)  # by now the worker has loaded the plugins
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


def test_a_plugin_added_after_the_worker_began_is_found(engine, store, ask, settings):
    ended(store, engine.submit(ask("quick")).id)  # by now the worker has loaded the plugins
    [folder] = settings.plugins
    write_plugin(folder, "Latecomer", "pass")
    id = engine.submit(ask("latecomer", registry=discover(settings.plugins))).id
    assert ended(store, id).status is Status.FINISHED


SERVER = """
import json
import multiprocessing
import sys
import time

from explorer.engines.local import LocalEngine
from explorer.runs.run import RunSpec
from explorer.settings import Settings
from explorer.runs.store import RunStore

if __name__ == "__main__":
    settings = Settings()
    store = RunStore(settings.database_url)
    engine = LocalEngine(store, settings)
    engine.submit(RunSpec.from_json(json.loads(sys.argv[1])))
    [worker] = multiprocessing.active_children()
    print(worker.pid, flush=True)
    time.sleep(3600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_server_killed_in_mid_run_takes_its_worker_with_it_and_the_run_can_be_resumed(
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
        worker = int(server.stdout.readline())
        wait(lambda: any(run.id == spec.id for run in store.runs()))
        wait(lambda: in_second_epoch(store, spec.id))
        assert engine.submit(spec).status is Status.RUNNING  # it is another's, and left alone
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    wait(lambda: not psutil.pid_exists(worker))
    run = ended(store, spec.id)
    assert run.status is Status.INTERRUPTED
    assert [epoch.epoch for epoch in run.epochs] == [1]

    assert engine.submit(spec).status is Status.QUEUED
    run = ended(store, spec.id)
    assert run.status is Status.FINISHED
    assert run.started.finished_epochs == 1
    assert_same_as_uninterrupted(engine, store, run)


def test_a_run_that_takes_too_long_fails_and_says_what_the_limit_is(store, ask, settings):
    hasty = LocalEngine(store, settings.model_copy(update={"time_limit": 3.0}))
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


def test_closing_an_engine_ends_its_worker_and_its_run_may_be_resumed(engine, store, ask, settings):
    others = set(workers())
    closing = LocalEngine(store, settings)
    spec = ask("steady", epochs=2, train_size=3200)
    closing.submit(spec)
    wait(lambda: in_second_epoch(store, spec.id))
    closing.close()
    assert set(workers()) <= others
    run = ended(store, spec.id)
    assert run.status.is_resumable
    assert [epoch.epoch for epoch in run.epochs] == [1]
    engine.submit(spec)
    assert ended(store, spec.id).status is Status.FINISHED


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_worker_killed_while_it_is_idle_is_replaced(store, ask, settings):
    others = set(workers())
    engine = LocalEngine(store, settings)
    try:
        assert ended(store, engine.submit(ask("quick")).id).status is Status.FINISHED
        [worker] = set(workers()) - others
        os.kill(worker, 9)
        wait(lambda: worker not in workers())
        time.sleep(1)  # for the engine to notice
        run = engine.submit(ask("quick", epochs=2))
        assert ended(store, run.id).status is Status.FINISHED
    finally:
        engine.close()


def test_the_worker_s_log_names_the_run_and_has_its_traceback(store, ask, settings, capfd):
    engine = LocalEngine(store, settings)
    try:
        id = engine.submit(ask("raises")).id
        ended(store, id)
    finally:
        engine.close()
    log = capfd.readouterr().err
    assert f"ERROR [run {id}] explorer.engines.perform: Run {id} failed\nTraceback" in log
    assert "ZeroDivisionError: on purpose" in log


# With a pool that does nothing, what may happen in any order can be put into the wrong one.


class IdlePool:
    """Takes tasks and leaves their futures to the test."""

    active = True

    def __init__(self, **_):
        self.tasks = []

    def schedule(self, _, args=(), timeout=None):
        future = ProcessFuture()
        self.tasks.append((args, future))
        return future

    def stop(self):
        pass

    def join(self):
        pass


@pytest.fixture
def idle(monkeypatch, store, settings):
    monkeypatch.setattr("explorer.engines.local.ProcessPool", IdlePool)
    engine = LocalEngine(store, settings)
    yield engine
    engine.close()


def test_an_engine_whose_pool_fails_to_start_leaves_nothing_running(monkeypatch, store, settings):
    ended = []

    class FailingPool(IdlePool):
        def schedule(self, *_, **__):
            assert "lease" in {thread.name for thread in threading.enumerate()}
            raise OSError("no more processes")

        def stop(self):
            ended.append("stopped")

        def join(self):
            ended.append("joined")

    monkeypatch.setattr("explorer.engines.local.ProcessPool", FailingPool)
    before = threading.active_count()
    with pytest.raises(OSError, match="no more processes"):
        LocalEngine(store, settings)
    assert ended == ["stopped", "joined"]
    assert threading.active_count() == before


def test_an_engine_is_closed_as_often_as_one_likes(monkeypatch, store, settings):
    monkeypatch.setattr("explorer.engines.local.ProcessPool", IdlePool)
    before = threading.active_count()
    engine = LocalEngine(store, settings)
    assert threading.active_count() == before + 1
    engine.close()
    engine.close()
    assert threading.active_count() == before


def begin_last(engine, store):
    """Take the last task up as the worker does; return its run, its owner and its future."""
    (id, owner, _), future = engine._pool.tasks[-1]
    future.set_running_or_notify_cancel()
    store.begin(id, owner)
    return id, owner, future


def test_a_run_resumed_before_its_old_task_was_reported_done_can_still_be_stopped(idle, store, ask):
    spec = ask("quick")
    idle.submit(spec)
    id, owner, old = begin_last(idle, store)
    store.end(id, owner, Status.STOPPED)  # the worker writes this before the pool hears of it
    idle.submit(spec)
    _, new = idle._pool.tasks[-1]
    old.set_result(None)
    assert store.run(id).status is Status.QUEUED
    idle.stop(id)
    assert new.cancelled()
    assert store.run(id).status is Status.STOPPED


def test_a_late_kill_of_an_old_task_does_not_stop_the_run_that_was_resumed_since(idle, store, ask):
    spec = ask("quick")
    idle.submit(spec)
    id, owner, old = begin_last(idle, store)
    store.end(id, owner, Status.STOPPED)
    idle.submit(spec)
    old.cancel()
    assert store.run(id).status is Status.QUEUED


def test_a_worker_that_was_given_up_cannot_stop_the_run_that_was_resumed_since(
    idle, store, ask, settings
):
    spec = ask("quick", train_size=64)
    idle.submit(spec)
    id, owner, old = begin_last(idle, store)
    events = perform(store.run(id), owner, store, discover(settings.plugins), settings)
    next(events)
    old.cancel()  # the grace period is over, but the process is not dead yet
    assert store.run(id).status is Status.STOPPED
    idle.submit(spec)
    assert list(events) == []
    assert store.run(id).status is Status.QUEUED


def test_a_run_that_another_process_has_is_only_asked_to_stop(idle, store, ask):
    run = store.claim(store.add(ask("quick")).id, "another process")
    store.begin(run.id, "another process")
    idle.submit(run.spec)
    assert len(idle._pool.tasks) == 1  # the first is what starts the worker
    idle.stop(run.id)
    assert store.run(run.id).status is Status.RUNNING
    started = Started("cpu", 1, 1, 1, 1, 1)
    assert not store.append(run.id, "another process", started)
    store.end(run.id, "another process", Status.STOPPED)


def test_a_pool_that_breaks_fails_the_run_with_a_reason(idle, store, ask):
    run = idle.submit(ask("quick"))
    _, future = idle._pool.tasks[-1]
    future.set_exception(RuntimeError("All workers expired"))
    failed = store.run(run.id)
    assert failed.status is Status.FAILED
    assert failed.reason == "The worker could not be used: All workers expired"
