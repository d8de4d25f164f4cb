"""Each fault of an SQLite file is a sentence that names what to do, and nothing else."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explorer.engines.perform import perform
from explorer.errors import ExplorerError
from explorer.plugin.registry import discover
from explorer.runs.run import RunSpec, Status, spec_of
from explorer.runs.store import LEASE_SECONDS, RunStore, StoreError
from explorer.training.events import Checkpoint, Epoch, Moment, Started, Step
from explorer.training.recipe import Recipe

HOME = Path(__file__).parent / "version_1"
SPEC = RunSpec("plain", {}, "mnist", Recipe(epochs=3), "0123456789abcdef")
STARTED = Started("cpu", 8490, 60_000, 10_000, steps_per_epoch=40, epochs=3)
STEP = Step(1, 1, 1.5, 0.5, 0.01, 1000.0, 64)


def epoch(number, size=1000):
    taken = Checkpoint(Moment(number), b"w" * size, b"s" * size)
    return Epoch(number, 0.5, 0.9, 0.4, 0.9, 2.0, 1000.0, lambda: taken)


def begun(store, spec=SPEC):
    id = store.claim(store.add(spec).id, "me").id
    store.begin(id, "me")
    for event in (STARTED, STEP, epoch(1)):
        assert store.append(id, "me", event)
    return id


def refusal(ask, *, may_pass=False):
    with pytest.raises(StoreError) as refused:
        ask()
    sentence = str(refused.value)
    assert sentence.startswith("The database of the runs, sqlite:///")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert refused.value.may_pass == may_pass
    return sentence


@pytest.fixture
def file(tmp_path):
    return tmp_path / "runs.sqlite"


@pytest.fixture
def id(store):
    """A run that is being trained."""
    return begun(store)


@pytest.fixture
def nobody():
    """Let the process write only where everybody may; the superuser may write anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(folder, 65534, -1)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            if is_root:
                os.seteuid(0)
            for path in [Path(folder), *Path(folder).iterdir()]:
                path.chmod(0o777)


posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")

# What cannot be written.


@posix
def test_a_file_that_may_only_be_read_shows_its_runs_and_says_what_to_do(nobody):
    file = nobody / "runs.sqlite"
    store = RunStore(f"sqlite:///{file}")
    run = store.run(begun(store))
    store.close()
    file.chmod(0o444)
    store = RunStore(f"sqlite:///{file}")
    assert store.runs() == [run]
    assert "readonly database; let the explorer's user write the file and its folder, or set" in (
        refusal(lambda: store.append(run.id, "me", STEP))
    )
    store.close()


@posix
def test_a_folder_that_may_only_be_read_says_what_to_do(nobody):
    RunStore(f"sqlite:///{nobody / 'runs.sqlite'}").close()
    nobody.chmod(0o555)
    for name in ("runs.sqlite", "new.sqlite"):
        assert "let the explorer's user write the file and its folder" in refusal(
            lambda name=name: RunStore(f"sqlite:///{nobody / name}").add(SPEC)
        )
    assert [path.name for path in nobody.iterdir()] == ["runs.sqlite"]


@posix
def test_a_folder_that_cannot_be_made_says_what_to_do(nobody):
    nobody.chmod(0o555)
    assert "Permission denied; let the explorer's user write the file and its folder" in refusal(
        lambda: RunStore(f"sqlite:///{nobody / 'new' / 'runs.sqlite'}")
    )


@pytest.mark.parametrize("name", ["", "/text.txt/runs.sqlite"], ids=["folder", "in a file"])
def test_a_path_that_cannot_be_a_database_says_what_to_do(tmp_path, name):
    (tmp_path / "text.txt").write_text("in the way")
    sentence = refusal(lambda: RunStore(f"sqlite:///{tmp_path}{name}"))
    assert sentence.endswith(
        "; set EXPLORER_DATABASE_URL to another, such as sqlite:////home/me/runs.sqlite."
    )


def limit(store, pages):
    """Let the file have no more pages, as a disk that is full."""

    def set_limit(connection, *_):
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sql.event.listen(store._engine, "checkout", set_limit)


def test_a_full_disk_says_what_to_do_and_keeps_what_was_there(store, id):
    before = store.run(id)
    limit(store, 1)
    sentence = refusal(lambda: store.append(id, "me", epoch(2, 10**6)), may_pass=True)
    assert "cannot be used: database or disk is full; make room on its disk." in sentence
    assert store.run(id) == before
    assert store.kept_epochs(id) == [1]
    limit(store, 10**6)
    assert store.append(id, "me", epoch(2, 10**6))
    assert store.kept_epochs(id) == [1, 2]


FULL = """
import resource, signal, sys
from explorer.runs.store import RunStore, StoreError
from tests.runs.test_faults import begun, epoch
store = RunStore(sys.argv[1])
id = begun(store)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
try:
    store.append(id, "me", epoch(2, 10**6))
except StoreError as error:
    print(error.may_pass, error)
assert store.kept_epochs(id) == [1]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.append(id, "me", epoch(2, 10**6))
assert store.kept_epochs(id) == [1, 2]
"""


@posix
def test_a_disk_that_refuses_to_write_says_what_to_do_and_keeps_what_was_there(file):
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", FULL, f"sqlite:///{file}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.startswith("True The database of the runs, sqlite:///")
    assert "; see that its disk has room and is in order." in done.stdout


# What another program does.


@contextlib.contextmanager
def locked(file, monkeypatch):
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def hurried(monkeypatch):
    """SQLite waits for a moment only."""
    monkeypatch.setattr("explorer.runs.database.BUSY_MILLISECONDS", 20)


def test_a_file_that_another_locks_is_opened_and_read_and_says_what_to_do(
    hurried, store, id, file, monkeypatch
):
    before = store.run(id)
    with locked(file, monkeypatch):
        other = RunStore(f"sqlite:///{file}")
        assert other.runs() == [before]
        sentence = refusal(lambda: other.append(id, "me", STEP), may_pass=True)
        assert "database is locked; end the program that keeps it locked, or try again" in sentence
    assert other.append(id, "me", STEP)
    other.close()


def moved_away(file):
    file.rename(file.with_name("away"))


def replaced_by_a_copy(file):
    shutil.copy(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


def replaced_by_text(file):
    file.with_name("text").write_text("my notes")
    file.with_name("text").replace(file)


def replaced_by_a_folder(file):
    file.unlink()
    file.mkdir()


@posix
@pytest.mark.parametrize(
    "deed", [Path.unlink, moved_away, replaced_by_a_copy, replaced_by_text, replaced_by_a_folder]
)
def test_a_file_that_is_no_longer_there_while_it_is_used_says_what_to_do(store, id, file, deed):
    deed(file)
    there = file.exists()
    for ask in (store.runs, lambda: store.append(id, "me", STEP), lambda: store.add(SPEC)):
        sentence = refusal(ask, may_pass=True)
        assert f"{file} was deleted, moved or replaced while it was in use; put that file" in (
            sentence
        )
    assert file.exists() == there, "nothing is made in its place"


@posix
def test_a_file_that_is_put_back_is_used_again(store, id, file):
    run = store.run(id)
    moved_away(file)
    refusal(store.runs, may_pass=True)
    file.with_name("away").rename(file)
    assert store.runs() == [run]
    assert store.append(id, "me", epoch(2))


# What is damaged.

READS = [
    RunStore.runs,
    RunStore.unreadable,
    lambda store: store.ids(""),
    lambda store: store.run(SPEC.id),
    lambda store: store.steps(SPEC.id),
    lambda store: store.gradients(SPEC.id),
    lambda store: store.moment(SPEC.id),
    lambda store: store.weights(SPEC.id, Moment(1)),
    lambda store: store.checkpoint(SPEC.id),
]
WRITES = [
    lambda store: store.append(SPEC.id, "me", STEP),
    lambda store: store.append(SPEC.id, "me", epoch(2, 9000)),
    lambda store: store.request_stop(SPEC.id),
    lambda store: store.end(SPEC.id, "me", Status.PAUSED),
    lambda store: store.claim(SPEC.id, "you"),
    lambda store: store.add(replace(SPEC, dataset="other")),
    lambda store: store.delete(SPEC.id),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The bytes of a database with a run, in one file."""
    file = tmp_path_factory.mktemp("sound") / "runs.sqlite"
    store = RunStore(f"sqlite:///{file}")
    begun(store)
    begun(store, replace(SPEC, dataset="another"))
    store.close()
    return file.read_bytes()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_flipped_bytes_are_a_sentence_at_most(sound, tmp_path, data):
    content = bytearray(sound)
    places = st.integers(0, len(content) - 1)
    for place, value in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=20)
    ):
        content[place] = value
    damaged_file_is_met(tmp_path, bytes(content))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_file_that_was_cut_or_overwritten_is_a_sentence_at_most(sound, tmp_path, data):
    start = data.draw(st.integers(0, len(sound)))
    rest = data.draw(st.sampled_from([b"", b"\0" * 5000, b"\xff" * 5000]))
    damaged_file_is_met(tmp_path, sound[:start] + rest)


def damaged_file_is_met(folder, content):
    for path in folder.iterdir():
        path.unlink()
    file = folder / "damaged.sqlite"
    file.write_bytes(content)
    sentences = []

    def meet(ask, *arguments):
        try:
            return ask(*arguments)
        except ExplorerError as error:
            sentences.append(str(error))

    if store := meet(RunStore, f"sqlite:///{file}"):
        for ask in [*READS, *WRITES, *READS]:
            meet(ask, store)
        store.close()
    assert store or sentences
    assert all("\n" not in sentence for sentence in sentences)


def test_a_damaged_page_says_what_to_do(sound, file):
    content = bytearray(sound)
    content[4096:] = b"\x55" * (len(content) - 4096)
    file.write_bytes(content)
    assert "; stop the explorer and restore a backup, or set EXPLORER_DATABASE_URL" in refusal(
        lambda: RunStore(f"sqlite:///{file}").runs()
    )


def test_a_file_of_text_says_what_to_do(file):
    file.write_text("These are my notes. " * 100)
    assert "file is not a database; stop the explorer and restore a backup, or set" in refusal(
        lambda: RunStore(f"sqlite:///{file}")
    )


# Training.


@pytest.fixture(scope="module")
def registry():
    return discover([HOME])


@pytest.fixture
def training(store, registry, settings, mnist):
    """A run and its events; each batch is small."""
    recipe = Recipe(batch_size=64, epochs=3, train_size=320)
    spec = spec_of(registry["tiny"], {}, registry.dataset("mnist"), recipe)
    run = store.claim(store.add(spec).id, "me")
    return run, perform(run, "me", store, registry, settings)


@pytest.fixture
def tried(monkeypatch):
    """Have a deed done when training has waited for the database a few times."""
    waits = []

    def try_then(deed, times=3):
        def sleep(seconds):
            waits.append(seconds)
            if len(waits) == times:
                deed()

        monkeypatch.setattr("explorer.runs.faults.time.sleep", sleep)

    try_then.waits = waits
    return try_then


def until_first_epoch(events):
    return next(event for event in events if isinstance(event, Epoch))


def test_training_goes_on_when_a_full_disk_has_room_again(store, training, tried, caplog):
    run, events = training
    first = until_first_epoch(events)
    limit(store, 1)
    tried(lambda: limit(store, 10**6))
    rest = list(events)
    assert len(tried.waits) >= 3
    found = store.run(run.id)
    assert found.status is Status.FINISHED
    assert found.epochs == (first, *(event for event in rest if isinstance(event, Epoch)))
    assert store.kept_epochs(run.id) == [1, 2, 3]
    assert "make room on its disk. Trying again for 300 seconds" in caplog.text
    assert "Traceback" not in caplog.text


@posix
def test_training_goes_on_when_a_file_is_put_back(store, training, tried, file):
    run, events = training
    until_first_epoch(events)
    moved_away(file)
    tried(lambda: file.with_name("away").rename(file))
    assert list(events)
    assert len(tried.waits) >= 3
    assert store.run(run.id).status is Status.FINISHED
    assert store.kept_epochs(run.id) == [1, 2, 3]


def test_training_goes_on_when_a_lock_is_gone(hurried, store, training, tried, file, monkeypatch):
    run, events = training
    until_first_epoch(events)
    store.close()  # its connections, which would wait for longer
    with contextlib.ExitStack() as lock:
        lock.enter_context(locked(file, monkeypatch))
        tried(lock.close)
        assert list(events)
    assert len(tried.waits) >= 3
    assert store.run(run.id).status is Status.FINISHED


def test_training_ends_with_the_reason_where_there_is_no_room_for_long(
    store, training, tried, caplog, monkeypatch
):
    monkeypatch.setattr("explorer.runs.faults.patiently.__defaults__", (0.0,))
    run, events = training
    until_first_epoch(events)
    limit(store, 1)
    with pytest.raises(StoreError, match="disk is full; make room"):
        list(events)
    found = store.run(run.id)
    assert found.status.is_resumable or found.status is Status.RUNNING
    assert store.kept_epochs(run.id) == [1]
    assert f"Run {run.id} ends here: The database of the runs" in caplog.text
    assert "Traceback" not in caplog.text


@posix
def test_training_whose_end_cannot_be_recorded_is_interrupted_and_says_so(
    store, training, tried, file, caplog, monkeypatch
):
    monkeypatch.setattr("explorer.runs.faults.patiently.__defaults__", (0.0,))
    run, events = training
    until_first_epoch(events)
    moved_away(file)
    with pytest.raises(StoreError, match="was deleted, moved or replaced"):
        list(events)
    assert f"Run {run.id} is failed, but shown as interrupted; it can be resumed." in caplog.text
    assert "Traceback" not in caplog.text
    file.with_name("away").rename(file)
    later = store.run(run.id).created.timestamp() + 1000 + LEASE_SECONDS
    monkeypatch.setattr("explorer.runs.store.time.time", lambda: later)
    assert store.run(run.id).status is Status.INTERRUPTED
    assert len(store.run(run.id).epochs) == 1


def test_a_stop_whose_end_cannot_be_recorded_is_quiet(store, training, caplog, tried):
    _, events = training
    until_first_epoch(events)
    limit(store, 1)
    tried(lambda: None)
    events.close()
    assert "Traceback" not in caplog.text
