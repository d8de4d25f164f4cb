"""Runs in PostgreSQL: trained, brought up to date, and through a restart of the server."""

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sql

from explorer.engines.ownership import new_owner
from explorer.engines.perform import perform
from explorer.plugin.registry import discover
from explorer.runs import migrations
from explorer.runs.faults import patiently
from explorer.runs.migrations import CURRENT
from explorer.runs.run import RunIsBusyError, Status, spec_of
from explorer.runs.store import RunStore, StoreError
from explorer.training.events import Epoch, Started, Step
from explorer.training.recipe import Recipe

HOME = Path(__file__).parent / "version_1"
RECIPE = Recipe(
    batch_size=64, epochs=3, train_size=640, gradients_every=3, score_every=4, learning_rate=0.05
)


@pytest.fixture
def url(postgres):
    return postgres.new_database()


@pytest.fixture
def store(url):
    store = RunStore(url)
    yield store
    store.close()


@pytest.fixture(scope="module")
def registry():
    return discover([HOME])


@pytest.fixture
def asked(store, registry, mnist):
    """A run that waits, and what trains it."""
    dataset = registry.dataset("mnist")
    return store.add(spec_of(registry["tiny"], {}, dataset, RECIPE))


# Training.


def test_a_training_records_all_that_its_recipe_asks_for(store, registry, settings, asked):
    run = store.claim(asked.id, "me")
    happened = list(perform(run, "me", store, registry, settings))
    found = store.run(run.id)
    assert (found.status, found.reason) == (Status.FINISHED, "")
    assert found.started == next(event for event in happened if isinstance(event, Started))
    assert found.epochs == tuple(event for event in happened if isinstance(event, Epoch))
    assert store.steps(run.id) == [event for event in happened if isinstance(event, Step)]
    assert [each.step for each in store.gradients(run.id)] == list(range(1, 31, 3))
    assert [each.step for each in store.scores(run.id)] == [4, 8, 12, 16, 24, 28]
    assert store.kept_epochs(run.id) == [1, 2, 3]


def test_a_restart_of_the_server_in_mid_run_loses_nothing(
    store, registry, settings, asked, postgres, caplog, monkeypatch
):
    run = store.claim(asked.id, "me")
    happened, stopped = [], False
    for event in perform(run, "me", store, registry, settings):
        happened.append(event)
        if isinstance(event, Epoch) and not stopped:
            stopped = True
            postgres.stop()
            with pytest.raises(StoreError, match="; start its server, or mend") as refusal:
                store.runs()
            assert refusal.value.may_pass
            again = threading.Timer(1.0, postgres.start)
            again.start()
    again.join()
    found = store.run(run.id)
    assert (found.status, found.reason) == (Status.FINISHED, "")
    assert found.epochs == tuple(event for event in happened if isinstance(event, Epoch))
    assert store.steps(run.id) == [event for event in happened if isinstance(event, Step)]
    assert store.kept_epochs(run.id) == [1, 2, 3]
    said = [
        record.getMessage() for record in caplog.records if record.name == "explorer.runs.faults"
    ]
    assert "Trying again" in said[0]
    assert said[-1] == "The database of the runs can be used again"
    assert all(record.exc_info is None for record in caplog.records)


def test_a_connection_that_the_server_has_closed_is_replaced_unseen(store, asked, url):
    assert store.runs() == [asked]
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        others = sql.text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert connection.execute(others).all() == [(True,)]
    engine.dispose()
    assert store.runs() == [asked]


def test_of_two_apps_on_one_database_one_trains_a_run(store, url, asked):
    other = RunStore(url)
    owners = [new_owner(), new_owner()]
    assert store.claim(asked.id, owners[0]).id == asked.id
    with pytest.raises(RunIsBusyError):
        other.claim(asked.id, owners[1])
    store.begin(asked.id, owners[0])
    assert other.run(asked.id).status is Status.RUNNING
    other.request_stop(asked.id)
    assert not store.append(asked.id, owners[0], Step(1, 1, 0.5, 0.5, 0.1, 9.0, 64))
    other.close()


# How it is named, and refused.


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_url_as_hosts_give_it_works(postgres, url, scheme):
    store = RunStore(url.replace("postgresql+psycopg", scheme))
    assert store.runs() == []
    store.close()


@pytest.mark.parametrize(
    ("change", "cause", "advice"),
    [
        (("kept%20from", "known%20to"), "password authentication failed", "correct the user and"),
        (("/runs", "/nowhere"), 'database "nowhere\\d+" does not exist', "create the database"),
        (("127.0.0.1:", "127.0.0.1:1"), ".+", "start its server|set EXPLORER_DATABASE_URL"),
    ],
    ids=["password", "database", "port"],
)
def test_a_server_that_refuses_is_named_with_what_to_do(url, change, cause, advice):
    with pytest.raises(StoreError, match=f"cannot be used: .*{cause}.*; ({advice})") as refusal:
        RunStore(url.replace(*change))
    assert "everyone" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_user_who_may_not_write_is_told_so(postgres, store, url):
    engine = sql.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = engine.url.database
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    engine.dispose()
    reader = RunStore(url)
    assert reader.runs() == []
    with pytest.raises(StoreError, match="read-only transaction; give the user that it names"):
        reader.renew("me")
    reader.close()


def test_what_passes_is_tried_again_and_what_does_not_is_not(monkeypatch):
    monkeypatch.setattr("explorer.runs.faults.FIRST_PAUSE", 0.001)
    asked = []

    def ask(may_pass, times):
        asked.append(times)
        if len(asked) < times:
            error = StoreError("The database is away.")
            error.may_pass = may_pass
            raise error
        return "answer"

    assert patiently(lambda: ask(True, 4)) == "answer"
    assert len(asked) == 4
    asked.clear()
    with pytest.raises(StoreError):
        patiently(lambda: ask(False, 4))
    assert len(asked) == 1
    asked.clear()
    with pytest.raises(StoreError):
        patiently(lambda: ask(True, 10**6), seconds=0.02)
    assert 1 < len(asked) < 10**6


# Tables of version 1, in which no gradients could be recorded.


@pytest.fixture
def old(url):
    """The runs of `version_1/runs.sqlite` in PostgreSQL, with the columns of that version."""
    source = sqlite3.connect(f"file:{HOME / 'runs.sqlite'}?mode=ro", uri=True)
    tables = source.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        for _, made in sorted(tables, key=lambda row: (" INDEX " in row[1], row[0] != "runs")):
            made = made.replace("BLOB", "BYTEA")
            connection.exec_driver_sql(made)
        for name in ("runs", "events", "weights", "progress"):
            found = source.execute(f"SELECT * FROM {name}")
            columns = [column for column, *_ in found.description]
            for row in found:
                values = dict(zip(columns, row, strict=True))
                if values.get("kind") == "gradients":
                    continue
                if "stop" in values:
                    values["stop"] = bool(values["stop"])
                marks = [
                    f"CAST(:{c} AS JSON)"
                    if c in ("spec", "content") and isinstance(values[c], str)
                    else f":{c}"
                    for c in columns
                ]
                connection.execute(
                    sql.text(f"INSERT INTO {name} VALUES ({', '.join(marks)})"), values
                )
    engine.dispose()
    source.close()
    return url


def shape(url):
    """The columns of all tables with their types, and their indices."""
    engine = sql.create_engine(url)
    found = sql.inspect(engine)
    names = {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)),
            [index["column_names"] for index in found.get_indexes(table)],
            found.get_pk_constraint(table)["constrained_columns"],
        )
        for table in found.get_table_names()
    }
    engine.dispose()
    return names


def test_the_tables_of_version_1_become_those_of_a_new_database(old, postgres):
    RunStore(old).close()
    new = postgres.new_database()
    RunStore(new).close()
    assert shape(old) == shape(new)
    tables = {"runs", "events", "weights", "training_states", "schema_version"}
    assert set(shape(new)) == {
        *(*tables, "wishes", "pins", "logs", "answers", "shown_answers"),
    }


def test_the_runs_of_version_1_are_there_and_the_stopped_one_goes_on(old, registry, settings):
    store = RunStore(old)
    runs = store.runs()
    assert [run.status for run in runs] == [Status.FAILED, Status.PAUSED, Status.FINISHED]
    assert [run.id for run in runs] == [run.spec.id for run in runs]
    assert store.kept_epochs(runs[-1].id) == [1, 2]
    run = store.claim(runs[1].id, "me")
    assert [epoch.epoch for epoch in run.epochs] == [1]
    assert len(list(perform(run, "me", store, registry, settings))) > 1
    run = store.run(run.id)
    assert (run.status, run.started.finished_epochs) == (Status.FINISHED, 1)
    assert [epoch.epoch for epoch in run.epochs] == [1, 2]
    assert store.gradients(run.id)
    store.close()


def test_a_step_that_fails_leaves_the_tables_as_they_were(old, monkeypatch):
    def fail(connection):
        assert "training_states" in sql.inspect(connection).get_table_names()
        raise KeyError("lost")

    before = shape(old)
    with monkeypatch.context() as later:
        later.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, fail])
        with pytest.raises(KeyError):
            RunStore(old)
    assert shape(old) == before
    assert CURRENT > 1
