"""Databases of earlier versions are brought up to date; `version_1/_make.py` made the oldest."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sql
import torch

from explorer.engines.perform import perform
from explorer.plugin.registry import discover
from explorer.runs import migrations
from explorer.runs.keeping import pinned
from explorer.runs.migrations import CURRENT
from explorer.runs.restore import load_network
from explorer.runs.run import Status
from explorer.runs.schema import METADATA
from explorer.runs.store import RunStore, StoreError
from explorer.training.events import Moment

HOME = Path(__file__).parent / "version_1"


@pytest.fixture
def old(tmp_path) -> Path:
    """A database of version 1, to be changed."""
    return Path(shutil.copy(HOME / "runs.sqlite", tmp_path / "old.sqlite"))


@pytest.fixture
def opened(old):
    store = RunStore(f"sqlite:///{old}")
    yield store
    store.close()


@pytest.fixture(scope="module")
def registry():
    return discover([HOME])


def run_of(store, status):
    return next(run for run in store.runs() if run.status is status)


def ask(file, statement):
    with sqlite3.connect(file) as connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def dump(file) -> list[str]:
    """All that a database holds, as SQL."""
    with sqlite3.connect(file) as connection:
        lines = list(connection.iterdump())
    connection.close()
    return lines


# What was recorded.


def test_every_run_is_there_under_the_id_of_its_new_spec(opened):
    runs = opened.runs()
    assert [run.status for run in runs] == [Status.FAILED, Status.PAUSED, Status.FINISHED]
    assert [run.id for run in runs] == [run.spec.id for run in runs]
    assert [run.spec.options for run in runs] == [
        {"width": 2, "fails": True},
        {"width": 3, "fails": False},
        {"width": 2, "fails": False},
    ]
    assert opened.unreadable() == []


def test_the_history_of_a_run_is_there(opened):
    run = run_of(opened, Status.FINISHED)
    assert (run.started.parameters, run.started.train_size, run.started.epochs) == (786, 64, 2)
    assert [epoch.epoch for epoch in run.epochs] == [1, 2]
    assert [step.step for step in opened.steps(run.id)] == [1, 4, 8]
    assert [found.step for found in opened.gradients(run.id)] == [1, 3, 5, 7]
    assert set(opened.gradients(run.id)[0].norms) == {"conv", "norm", "linear"}


def test_a_failed_run_has_its_reason_and_no_traceback(opened):
    run = run_of(opened, Status.FAILED)
    assert (run.reason, run.traceback) == ("It raised ValueError, line 25: on purpose.", "")


def test_the_weights_of_a_run_give_its_network(opened, registry):
    run = run_of(opened, Status.FINISHED)
    assert registry.is_current(run.spec)
    assert opened.kept_epochs(run.id) == [1, 2]
    model = load_network(run, Moment(2), opened, registry, torch.device("cpu"))
    assert model(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
    assert model.norm.num_batches_tracked == 8


def test_the_stopped_run_goes_on_from_its_last_epoch_to_the_end(opened, registry, settings):
    run = run_of(opened, Status.PAUSED)
    first = run.epochs
    run = opened.claim(run.id, "me")
    assert [found.step for found in opened.gradients(run.id)] == [1, 3]
    for _ in perform(run, "me", opened, registry, settings):
        pass
    run = opened.run(run.id)
    assert (run.status, run.reason) == (Status.FINISHED, "")
    assert run.started.finished_epochs == 1
    assert run.epochs[:1] == first
    assert [epoch.epoch for epoch in run.epochs] == [1, 2]


def test_a_run_that_cannot_be_read_is_left_as_it_is_and_takes_no_other_down(old):
    with sqlite3.connect(old) as connection:
        connection.execute("UPDATE runs SET spec = '{\"para' WHERE status = 'stopped'")
        connection.execute("UPDATE events SET content = '[]' WHERE kind = 'started'")
    connection.close()
    store = RunStore(f"sqlite:///{old}")
    assert store.runs() == []
    assert len(store.unreadable()) == 3
    assert ask(old, "SELECT spec FROM runs WHERE status = 'paused'") == [('{"para',)]
    store.close()


# The tables.


def shape(url):
    """The names of all tables, of their columns and of their indices."""
    engine = sql.create_engine(url)
    found = sql.inspect(engine)
    names = {
        table: (
            {column["name"]: column["nullable"] for column in found.get_columns(table)},
            found.get_indexes(table),
            found.get_pk_constraint(table)["constrained_columns"],
        )
        for table in found.get_table_names()
    }
    engine.dispose()
    return names


def test_an_old_database_gets_the_tables_of_a_new_one(opened, old, store, settings):
    assert shape(f"sqlite:///{old}") == shape(settings.database_url)
    assert set(shape(settings.database_url)) == set(METADATA.tables)
    assert ask(old, "SELECT version FROM schema_version") == [(CURRENT,)]


# Columns of version 6.
LATER = (
    ("runs", "name"),
    ("runs", "note"),
    ("weights", "step"),
    ("training_states", "step"),
    ("training_states", "seconds"),
)


def test_pins_of_version_4_are_kept_and_nobody_s(tmp_path):
    url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
    RunStore(url).close()
    new = shape(url)
    with sqlite3.connect(tmp_path / "runs.sqlite") as connection:
        connection.execute(
            "INSERT INTO runs (id, spec, status, created) VALUES ('a', '{}', 'x', 0)"
        )
        connection.execute("DROP TABLE pins")
        connection.execute(
            "CREATE TABLE pins (run VARCHAR(12) NOT NULL PRIMARY KEY "
            "REFERENCES runs (id) ON DELETE CASCADE)"
        )
        connection.execute("INSERT INTO pins VALUES ('a')")
        for table, column in LATER:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("UPDATE schema_version SET version = 4")
    connection.close()
    store = RunStore(url)
    assert pinned(store) == {"a": ""}
    store.close()
    assert shape(url) == new


def test_a_database_that_is_up_to_date_is_left_alone(opened, old, monkeypatch):
    def refuse(_):
        raise AssertionError("it was migrated again")

    monkeypatch.setattr(migrations, "MIGRATIONS", [refuse])
    again = RunStore(f"sqlite:///{old}")
    assert again.runs() == opened.runs()
    again.close()


def test_a_later_version_may_add_a_column_in_one_line(opened, old, monkeypatch):
    def add_column(connection):
        connection.execute(sql.text("ALTER TABLE runs ADD COLUMN colour TEXT NOT NULL DEFAULT ''"))

    before = opened.runs()
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, add_column])
    monkeypatch.setattr(migrations, "CURRENT", CURRENT + 1)
    later = RunStore(f"sqlite:///{old}")
    assert later.runs() == before
    assert ask(old, "SELECT DISTINCT colour FROM runs") == [("",)]
    assert ask(old, "SELECT version FROM schema_version") == [(CURRENT + 1,)]
    later.close()


# What may go wrong.


@pytest.mark.parametrize("error", [KeyError("lost"), sqlite3.OperationalError("disk I/O error")])
def test_a_step_that_fails_leaves_the_database_as_it_was(old, monkeypatch, error):
    def fail(connection):
        assert "training_states" in sql.inspect(connection).get_table_names()
        raise error

    before = dump(old)
    with monkeypatch.context() as later:
        later.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, fail])
        with pytest.raises(type(error)):
            RunStore(f"sqlite:///{old}")
    assert dump(old) == before
    store = RunStore(f"sqlite:///{old}")
    assert len(store.runs()) == 3
    store.close()


def test_a_process_that_dies_in_the_middle_leaves_the_database_as_it_was(old):
    before = dump(old)
    script = (
        "import os, sys\n"
        "from explorer.runs import migrations\n"
        "migrations.MIGRATIONS.append(lambda connection: os._exit(7))\n"
        "from explorer.runs.store import RunStore\n"
        "RunStore(sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, f"sqlite:///{old}"], check=False)
    assert done.returncode == 7
    assert dump(old) == before


OPEN = """
import sys
from explorer.runs.store import RunStore
sys.stdin.readline()
store = RunStore(sys.argv[1])
print(*(run.id for run in store.runs()))
"""


def test_several_processes_may_open_an_old_database_at_once(old, tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, f"sqlite:///{old}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate() for process in processes]
    assert [error for _, error in said] == [""] * 4
    assert len({ids for ids, _ in said}) == 1
    assert len(said[0][0].split()) == 3
    assert ask(old, "SELECT version FROM schema_version") == [(CURRENT,)]


def refusal(url) -> str:
    with pytest.raises(StoreError) as refused:
        RunStore(url)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("query", ["", "?mode=ro&uri=true"], ids=["written", "read-only"])
def test_a_database_of_a_newer_version_is_refused_and_left_alone(opened, old, query):
    opened.close()
    with sqlite3.connect(old) as connection:
        connection.execute(f"UPDATE schema_version SET version = {CURRENT + 1}")
    connection.close()
    before = dump(old)
    url = f"sqlite:///file:{old}{query}" if query else f"sqlite:///{old}"
    assert (
        f"cannot be used: it was made by a newer version of the explorer (its tables have version "
        f"{CURRENT + 1}, this explorer knows {CURRENT}); update the explorer; set "
    ) in refusal(url)
    assert dump(old) == before


def test_an_old_database_that_is_only_read_is_refused_with_what_to_do(old):
    sentence = refusal(f"sqlite:///file:{old}?mode=ro&uri=true")
    assert "it was made by an earlier version of the explorer" in sentence
    assert "open it once without mode=ro" in sentence


def test_an_empty_database_that_is_only_read_is_refused(tmp_path):
    (tmp_path / "empty.sqlite").touch()
    sentence = refusal(f"sqlite:///file:{tmp_path / 'empty.sqlite'}?mode=ro&uri=true")
    assert "it holds no runs, and none can be written, since it is read-only" in sentence


@pytest.mark.parametrize("versions", [[], [1, 2], ["two"], [0]], ids=str)
def test_a_table_of_versions_that_cannot_be_read_is_refused(opened, old, versions):
    opened.close()
    with sqlite3.connect(old) as connection:
        connection.execute("DROP TABLE schema_version")
        connection.execute("CREATE TABLE schema_version (version)")
        connection.executemany("INSERT INTO schema_version VALUES (?)", [(v,) for v in versions])
    connection.close()
    sentence = refusal(f"sqlite:///{old}")
    assert f"its table schema_version should hold one number, not {versions}" in sentence


def test_a_file_that_another_program_locks_is_refused_in_the_end(old, monkeypatch):
    monkeypatch.setattr("explorer.runs.database.PATIENCE", 0.0)
    monkeypatch.setattr("explorer.runs.database.BUSY_MILLISECONDS", 50)
    other = sqlite3.connect(old, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert "database is locked" in refusal(f"sqlite:///{old}")
    other.execute("ROLLBACK")
    other.close()
    store = RunStore(f"sqlite:///{old}")
    assert len(store.runs()) == 3
    store.close()
