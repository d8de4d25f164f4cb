import json
import re
import subprocess
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
import sqlalchemy as sql

from explorer.runs.run import (
    UNTRAINED,
    LongNameError,
    MissingWeightsError,
    RunIsBusyError,
    RunSpec,
    Status,
    UnknownRunError,
    UnreadableRunError,
    epochs_to_keep,
)
from explorer.runs.store import LEASE_SECONDS, RunStore, StoreError, find_run
from explorer.training import events
from explorer.training.events import Checkpoint, Epoch, Moment, Started, Step
from explorer.training.recipe import Recipe

SPEC = RunSpec("plain", {}, "mnist", Recipe(epochs=3), "0123456789abcdef")
STARTED = Started("cpu", 8490, 60_000, 10_000, steps_per_epoch=40, epochs=3)


only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def spec(seed):
    return replace(SPEC, recipe=SPEC.recipe.changed(seed=seed))


def step(number):
    return Step(number, 1 + (number - 1) // 40, 1.5, 0.5, 0.01, 1000.0, 64)


def epoch(number):
    taken = Checkpoint(Moment(number), b"weights %d" % number, b"progress %d" % number)
    return Epoch(number, 0.5, 0.9, 0.4, 0.9 + number / 100, 2.0, 1000.0, lambda: taken)


def begun(store, owner="me", spec=SPEC):
    """A run that `owner` has begun."""
    id = store.claim(store.add(spec).id, owner).id
    store.begin(id, owner)
    return id


def record(store, id, *events, owner="me"):
    for event in events:
        assert store.append(id, owner, event)


@pytest.fixture
def settings(settings, database):
    """Those of the tests, with each kind of database in turn."""
    return settings.model_copy(update={"database_url": database.url})


@pytest.fixture
def clock(monkeypatch):
    """The store's own clock, to be set forward."""
    clock = SimpleNamespace(now=1_700_000_000.0)
    clock.time = lambda: clock.now
    monkeypatch.setattr("explorer.runs.store.time", clock)
    return clock


# What anyone may do.


def test_equal_specs_add_one_run(store):
    first, second = store.add(SPEC), store.add(replace(SPEC))
    assert first == second
    assert first.id == SPEC.id
    assert first.spec == SPEC
    assert store.runs() == [first]


def test_adding_a_run_again_changes_nothing(store):
    id = begun(store)
    record(store, id, STARTED, epoch(1))
    store.end(id, "me", Status.FAILED, "out of luck")
    again = store.add(SPEC)
    assert (again.status, again.reason, len(again.epochs)) == (Status.FAILED, "out of luck", 1)


IMPORTED = replace(SPEC, recipe=UNTRAINED, imported="0123456789ab")
SCORED = (Started("cpu", 8490, 10_000, 10_000, 1, 1), Epoch(1, 0.2, 0.9, 0.1, 0.95, 0.0, 0.0))


def test_imported_weights_are_a_finished_run_that_nobody_can_claim(store):
    run = store.add_imported(IMPORTED, *SCORED, b"weights")
    assert store.runs() == [run]
    assert (run.status, run.started, run.epochs) == (Status.FINISHED, SCORED[0], (SCORED[1],))
    assert run.spec == IMPORTED
    assert store.kept_epochs(run.id) == [1]
    assert store.weights(run.id, Moment(1)) == b"weights"
    assert store.checkpoint(run.id) is None
    with pytest.raises(RunIsBusyError, match=f"^Run {run.id} is finished\\.$"):
        store.claim(run.id, "me")
    assert store.add(IMPORTED) == run, "it is not queued"


def test_importing_equal_weights_again_changes_nothing(store, clock):
    first = store.add_imported(IMPORTED, *SCORED, b"weights")
    clock.now += 1
    other = replace(SCORED[1], test_accuracy=0.5)
    assert store.add_imported(IMPORTED, SCORED[0], other, b"other weights") == first
    assert store.weights(first.id, Moment(1)) == b"weights"


def test_weights_that_were_imported_and_are_gone_are_not_queued_for_training(store):
    store.delete(store.add_imported(IMPORTED, *SCORED, b"weights").id)
    with pytest.raises(UnknownRunError):
        store.add(IMPORTED)
    assert store.runs() == []


def test_an_import_that_fails_leaves_nothing_of_its_run(store):
    with pytest.raises((StoreError, TypeError)):
        store.add_imported(IMPORTED, *SCORED, object())  # what no column of the table takes
    assert store.runs() == []
    assert store.kept_epochs(IMPORTED.id) == []
    assert store.add_imported(IMPORTED, *SCORED, b"weights").status is Status.FINISHED


def test_an_unknown_run_is_refused_with_a_sentence(store):
    with pytest.raises(UnknownRunError) as refusal:
        store.run("0123456789ab")
    assert str(refusal.value) == (
        "There is no run '0123456789ab'; `explorer runs` lists all there are."
    )


def test_runs_are_listed_the_newest_first(store, clock):
    ids = []
    for seed in (2, 0, 1):
        ids.append(store.add(spec(seed)).id)
        clock.now += 1
    assert [run.id for run in store.runs()] == ids[::-1]


def test_an_empty_store_has_no_runs(store):
    assert store.runs() == []


def test_events_are_read_back_as_they_were_recorded(store):
    id = begun(store)
    record(store, id, STARTED, *map(step, (1, 20, 40)), epoch(1), epoch(2))
    run = store.run(id)
    assert run.started == STARTED
    assert list(run.epochs) == [epoch(1), epoch(2)]  # a checkpoint does not count
    assert run.epochs[0].checkpoint is None
    assert store.steps(id) == [step(1), step(20), step(40)]


def test_epochs_and_steps_are_in_the_order_of_their_numbers(store):
    id = begun(store, spec=replace(SPEC, recipe=Recipe(epochs=12)))
    record(store, id, *(step(n) for n in (9, 100, 20)), *(epoch(n) for n in (2, 10, 1)))
    assert [s.step for s in store.steps(id)] == [9, 20, 100]
    assert [e.epoch for e in store.run(id).epochs] == [1, 2, 10]


def test_steps_after_a_given_one_can_be_read(store):
    id, other = begun(store), begun(store, spec=spec(1))
    record(store, id, *map(step, (1, 20, 40, 60)))
    record(store, other, step(30))
    assert store.steps(id, after=20) == [step(40), step(60)]
    assert store.steps(id, after=60) == []
    assert store.steps("unknown") == []


def test_two_stores_on_one_database_see_the_same_runs(store, settings):
    id = begun(store)
    record(store, id, STARTED, epoch(1))
    other = RunStore(settings.database_url)
    assert other.run(id) == store.run(id)
    assert other.runs() == store.runs()
    other.close()


def test_the_database_s_folder_is_made(tmp_path):
    store = RunStore(f"sqlite:///{tmp_path / 'a' / 'b' / 'runs.sqlite'}")
    assert store.runs() == []
    store.close()
    assert (tmp_path / "a" / "b" / "runs.sqlite").is_file()


@only_sqlite
def test_the_database_keeps_a_write_ahead_log(store, database):
    assert database.rows("PRAGMA journal_mode") == [(b"wal",)]


# One life of a run.


def test_a_run_is_queued_when_claimed_running_when_begun_and_ended_as_its_owner_says(store):
    id = store.add(SPEC).id
    assert store.claim(id, "me").status is Status.QUEUED
    store.begin(id, "me")
    assert store.run(id).status is Status.RUNNING
    assert store.end(id, "me", Status.FAILED, "a reason")
    assert (store.run(id).status, store.run(id).reason) == (Status.FAILED, "a reason")


def test_a_run_without_an_owner_can_be_claimed(store):
    run = store.add(SPEC)
    assert run.status in (Status.QUEUED, Status.INTERRUPTED)
    assert store.claim(run.id, "me").status is Status.QUEUED


def test_a_run_that_failed_keeps_its_traceback_until_it_is_claimed_again(store):
    id = begun(store)
    assert store.run(id).traceback == ""
    store.end(id, "me", Status.FAILED, "a reason", "Traceback: …")
    assert (store.run(id).reason, store.run(id).traceback) == ("a reason", "Traceback: …")
    assert store.claim(id, "me").traceback == ""


def test_a_run_ends_only_once(store):
    id = begun(store)
    assert store.end(id, "me", Status.PAUSED)
    assert not store.end(id, "me", Status.FAILED, "too late")
    assert (store.run(id).status, store.run(id).reason) == (Status.PAUSED, "")


@pytest.mark.parametrize("status", [Status.PAUSED, Status.FAILED])
def test_what_ended_early_can_be_claimed_again_and_forgets_its_reason(store, status):
    id = begun(store)
    store.end(id, "me", status, "a reason")
    run = store.claim(id, "another")
    assert (run.status, run.reason) == (Status.QUEUED, "")


def test_a_finished_run_cannot_be_claimed(store):
    id = begun(store)
    store.end(id, "me", Status.FINISHED)
    with pytest.raises(RunIsBusyError) as refusal:
        store.claim(id, "me")
    assert str(refusal.value) == f"Run {id} is finished."
    assert store.run(id).status is Status.FINISHED


def test_a_live_run_cannot_be_claimed_by_another_nor_twice(store):
    id = begun(store)
    for owner in ("another", "me"):
        with pytest.raises(RunIsBusyError) as refusal:
            store.claim(id, owner)
        assert str(refusal.value) == f"Run {id} is being trained already."


def test_an_unknown_run_cannot_be_claimed(store):
    with pytest.raises(UnknownRunError):
        store.claim("unknown", "me")


def test_nothing_is_written_before_a_run_was_begun_or_after_it_ended(store):
    id = store.claim(store.add(SPEC).id, "me").id
    assert not store.append(id, "me", STARTED)
    store.begin(id, "me")
    record(store, id, STARTED)
    store.end(id, "me", Status.PAUSED)
    assert not store.append(id, "me", epoch(1))
    store.begin(id, "me")
    assert store.run(id).status is Status.PAUSED
    assert store.run(id).epochs == ()
    assert store.kept_epochs(id) == []


def test_an_event_recorded_twice_is_kept_once(store):
    id = begun(store)
    record(store, id, STARTED, step(1), epoch(1), STARTED, step(1), epoch(1))
    assert store.steps(id) == [step(1)]
    assert len(store.run(id).epochs) == 1


# Ownership and leases.


def test_only_its_owner_can_write_begin_or_end_a_run(store):
    id = store.claim(store.add(SPEC).id, "me").id
    store.begin(id, "another")
    assert store.run(id).status is Status.QUEUED
    store.begin(id, "me")
    assert not store.append(id, "another", epoch(1))
    assert not store.end(id, "another", Status.FINISHED)
    run = store.run(id)
    assert (run.status, run.epochs) == (Status.RUNNING, ())
    assert store.kept_epochs(id) == []


def test_a_run_whose_lease_ran_out_is_interrupted_and_a_renewed_one_is_not(store, clock):
    id = begun(store)
    queued = store.claim(store.add(spec(1)).id, "me").id
    clock.now += LEASE_SECONDS - 0.1
    assert {run.status for run in store.runs()} == {Status.RUNNING, Status.QUEUED}
    store.renew("me")
    store.renew("another")
    clock.now += LEASE_SECONDS - 0.1
    assert {run.status for run in store.runs()} == {Status.RUNNING, Status.QUEUED}
    clock.now += 0.2
    assert store.run(id).status is store.run(queued).status is Status.INTERRUPTED


def test_every_event_renews_the_lease(store, clock):
    id = begun(store)
    for number in (1, 2, 3):
        clock.now += LEASE_SECONDS - 1
        record(store, id, step(number))
    assert store.run(id).status is Status.RUNNING


def test_one_owner_s_renewal_leaves_other_owners_runs_alone(store, clock):
    mine, theirs = begun(store), begun(store, "another", spec(1))
    clock.now += LEASE_SECONDS - 1
    store.renew("me")
    clock.now += 2
    assert store.run(mine).status is Status.RUNNING
    assert store.run(theirs).status is Status.INTERRUPTED


def test_an_ended_run_stays_ended_after_any_time(store, clock):
    id = begun(store)
    store.end(id, "me", Status.PAUSED)
    store.renew("me")
    clock.now += 1000
    assert store.run(id).status is Status.PAUSED


def test_an_owner_that_lost_its_run_to_another_can_no_longer_write(store, clock):
    id = begun(store, "slow")
    record(store, id, STARTED, step(1), owner="slow")
    clock.now += LEASE_SECONDS + 1
    store.claim(id, "quick")
    assert not store.append(id, "slow", epoch(1))
    store.begin(id, "slow")
    assert not store.end(id, "slow", Status.FINISHED)
    assert store.run(id).status is Status.QUEUED
    store.begin(id, "quick")
    record(store, id, STARTED, owner="quick")
    assert not store.append(id, "slow", step(20))
    assert not store.end(id, "slow", Status.FAILED, "in vain")
    clock.now += LEASE_SECONDS - 1
    store.renew("slow")
    clock.now += 2
    run = store.run(id)
    assert (run.status, run.reason, run.epochs) == (Status.INTERRUPTED, "", ())
    assert store.steps(id) == []


def test_an_owner_that_was_only_late_goes_on(store, clock):
    id = begun(store)
    clock.now += LEASE_SECONDS + 1
    assert store.run(id).status is Status.INTERRUPTED
    record(store, id, STARTED)
    assert store.run(id).status is Status.RUNNING


# Stopping and deleting.


def test_a_stop_is_answered_to_the_next_event_which_is_still_stored(store):
    id = begun(store)
    record(store, id, STARTED)
    store.request_stop(id)
    assert not store.append(id, "me", epoch(1))
    assert len(store.run(id).epochs) == 1
    assert store.run(id).status is Status.RUNNING


def test_a_stop_concerns_one_run_and_is_over_when_it_is_claimed_again(store):
    id, other = begun(store), begun(store, spec=spec(1))
    store.request_stop(id)
    record(store, other, STARTED)
    store.end(id, "me", Status.PAUSED)
    store.claim(id, "me")
    store.begin(id, "me")
    record(store, id, STARTED)
    assert store.run(other).status is store.run(id).status is Status.RUNNING


def test_stopping_or_deleting_an_unknown_run_is_quiet(store):
    store.request_stop("unknown")
    store.delete("unknown")
    assert store.runs() == []


@pytest.mark.parametrize("begin", [True, False], ids=["running", "queued"])
def test_a_live_run_cannot_be_deleted(store, begin):
    id = store.claim(store.add(SPEC).id, "me").id
    if begin:
        store.begin(id, "me")
    with pytest.raises(RunIsBusyError) as refusal:
        store.delete(id)
    assert str(refusal.value) == f"Run {id} is being trained; stop it before you delete it."
    assert store.run(id).status.is_live


@pytest.mark.parametrize("status", [Status.FINISHED, Status.PAUSED, Status.FAILED])
def test_deleting_a_run_takes_all_that_belongs_to_it_and_nothing_else(store, database, status):
    id, other = begun(store), begun(store, spec=spec(1))
    record(store, id, STARTED, step(1), epoch(1))
    record(store, other, STARTED, step(1), epoch(1))
    store.end(id, "me", status)
    store.delete(id)
    assert [run.id for run in store.runs()] == [other]
    assert store.kept_epochs(other) == [1]
    for table in ("events", "weights", "training_states"):
        assert database.rows(f"SELECT count(DISTINCT run) FROM {table}") == [(1,)], table
        assert database.rows(f"SELECT 1 FROM {table} WHERE run = '{id}'") == [], table


def test_an_interrupted_run_can_be_deleted(store, clock):
    id = begun(store)
    clock.now += LEASE_SECONDS + 1
    store.delete(id)
    assert store.runs() == []


def test_a_deleted_run_s_owner_finds_out_with_its_next_event(store, clock):
    id = begun(store)
    clock.now += LEASE_SECONDS + 1
    store.delete(id)
    assert not store.append(id, "me", epoch(1))
    assert not store.end(id, "me", Status.FINISHED)
    assert store.runs() == []


def test_a_deleted_run_can_be_requested_again_and_starts_from_nothing(store):
    id = begun(store)
    record(store, id, STARTED, step(1), epoch(1))
    store.end(id, "me", Status.FINISHED)
    store.delete(id)
    run = store.add(SPEC)
    assert (run.id, run.started, run.epochs) == (id, None, ())
    assert store.steps(id) == []


# Weights and checkpoints.


def test_of_a_short_run_every_epoch_s_weights_are_kept(store):
    id = begun(store)
    record(store, id, *map(epoch, (1, 2, 3)))
    assert store.kept_epochs(id) == [1, 2, 3]
    assert [store.weights(id, Moment(n)) for n in (1, 2, 3)] == [
        b"weights %d" % n for n in (1, 2, 3)
    ]


def test_of_a_long_run_twelve_epochs_weights_are_kept_and_always_the_last(store):
    id = begun(store, spec=replace(SPEC, recipe=Recipe(epochs=40)))
    for number in range(1, 41):
        record(store, id, epoch(number))
        kept = store.kept_epochs(id)
        assert set(kept) == {n for n in epochs_to_keep(40) if n <= number} | {number}
        assert store.checkpoint(id) == epoch(number).checkpoint()
    assert len(kept) == 12


def test_weights_that_were_not_kept_are_refused_with_those_that_were(store):
    id = begun(store)
    record(store, id, epoch(1), epoch(2))
    with pytest.raises(LookupError) as refusal:
        store.weights(id, Moment(7))
    assert str(refusal.value) == f"Run {id} has no weights of epoch 7; kept are [1, 2]."


def test_a_run_without_a_finished_epoch_has_no_checkpoint(store):
    id = begun(store)
    record(store, id, STARTED, step(1))
    assert store.checkpoint(id) is None
    assert store.checkpoint("unknown") is None


def test_a_finished_run_keeps_its_weights_and_not_its_training_state(store):
    id = begun(store)
    record(store, id, *map(epoch, (1, 2, 3)))
    store.end(id, "me", Status.FINISHED)
    assert store.kept_epochs(id) == [1, 2, 3]
    assert store.checkpoint(id) is None


@pytest.mark.parametrize("status", [Status.PAUSED, Status.FAILED])
def test_a_run_that_ended_early_keeps_all_that_it_needs_to_go_on(store, status):
    id = begun(store)
    record(store, id, epoch(1))
    store.end(id, "me", status)
    assert store.checkpoint(id) == epoch(1).checkpoint()


def test_an_epoch_without_a_checkpoint_is_recorded_all_the_same(store):
    id = begun(store)
    record(store, id, replace(epoch(1), checkpoint=None))
    assert len(store.run(id).epochs) == 1
    assert store.kept_epochs(id) == []


def test_claiming_forgets_the_steps_after_the_last_finished_epoch_and_no_others(store):
    id = begun(store)
    record(store, id, STARTED, step(1), step(20), step(40), epoch(1), step(60), step(80))
    store.end(id, "me", Status.PAUSED)
    assert [s.step for s in store.steps(id)] == [1, 20, 40, 60, 80]
    store.claim(id, "me")
    assert [s.step for s in store.steps(id)] == [1, 20, 40]
    assert len(store.run(id).epochs) == 1


def test_claiming_a_run_that_never_finished_an_epoch_forgets_all_its_steps(store):
    id = begun(store)
    record(store, id, STARTED, step(1), step(20))
    store.end(id, "me", Status.FAILED)
    store.claim(id, "me")
    assert store.steps(id) == []


def test_a_claim_that_fails_forgets_nothing(store):
    id = begun(store)
    record(store, id, STARTED, step(1), step(20))
    with pytest.raises(RunIsBusyError):
        store.claim(id, "another")
    assert len(store.steps(id)) == 2


def test_a_resumed_run_has_the_event_of_its_last_start(store):
    id = begun(store)
    record(store, id, STARTED, epoch(1))
    store.end(id, "me", Status.PAUSED)
    store.claim(id, "me")
    store.begin(id, "me")
    record(store, id, replace(STARTED, finished_epochs=1, device="cuda"))
    assert store.run(id).started == replace(STARTED, finished_epochs=1, device="cuda")


# Several at once.


def in_threads(*functions):
    """Run all functions at once; what one of them raises is raised here."""
    barrier, errors = threading.Barrier(len(functions)), []

    def call(function):
        barrier.wait()
        try:
            function()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_of_many_who_claim_a_run_at_once_exactly_one_gets_it(settings, store):
    for seed in range(5):
        id, won = store.add(spec(seed)).id, []

        def claim(owner, id=id, won=won):
            try:
                store.claim(id, owner)
                won.append(owner)
            except RunIsBusyError:
                pass

        in_threads(*(lambda n=n: claim(f"owner {n}") for n in range(6)))
        assert len(won) == 1
        store.begin(id, won[0])
        assert store.append(id, won[0], STARTED)


def test_many_who_add_a_run_at_once_get_the_same_one(store):
    found = []
    in_threads(*[lambda: found.append(store.add(SPEC).id)] * 6)
    assert found == [SPEC.id] * 6
    assert len(store.runs()) == 1


def test_threads_that_write_and_read_do_not_lock_one_another_out(store):
    writing = threading.Event()
    done = []

    def write(seed):
        try:
            owner = f"writer {seed}"
            id = begun(store, owner, spec(seed))
            for number in (1, 2, 3):
                record(store, id, *(step(40 * number - n) for n in range(10)), owner=owner)
                record(store, id, epoch(number), owner=owner)
            assert store.end(id, owner, Status.FINISHED)
        finally:
            done.append(seed)
            if len(done) == 3:
                writing.set()

    def read():
        while not writing.is_set():
            for run in store.runs():
                # An epoch is there with its weights or not at all.
                epochs = [epoch.epoch for epoch in store.run(run.id).epochs]
                assert set(epochs) <= set(store.kept_epochs(run.id))
                assert len(store.steps(run.id)) >= 10 * len(epochs)

    in_threads(*(lambda seed=seed: write(seed) for seed in range(3)), read, read)
    assert [run.status for run in store.runs()] == [Status.FINISHED] * 3
    assert [len(store.steps(run.id)) for run in store.runs()] == [30] * 3


WRITER = """
import sys
from explorer.training.events import Checkpoint, Epoch, Moment, Step
from explorer.training.recipe import Recipe
from explorer.runs.run import RunSpec, Status
from explorer.runs.store import RunStore

url, seed = sys.argv[1], int(sys.argv[2])
store = RunStore(url)
sys.stdin.readline()
owner = f"process {seed}"
run = store.add(RunSpec("plain", {}, "mnist", Recipe(epochs=3, seed=seed), "0"))
store.claim(run.id, owner)
store.begin(run.id, owner)
for number in range(1, 61):
    assert store.append(run.id, owner, Step(number, 1, 1.0, 0.5, 0.1, 9.0, 64))
    if number % 20 == 0:
        taken = Checkpoint(Moment(number // 20), b"w" * 100_000, b"p" * 100_000)
        scores = (0.1, 0.9, 0.1, 0.9, 1.0, 9.0)
        assert store.append(run.id, owner, Epoch(number // 20, *scores, lambda: taken))
assert store.end(run.id, owner, Status.FINISHED)
"""


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_write_and_read_do_not_lock_one_another_out(store, settings):
    writers = [start(WRITER, settings.database_url, str(seed)) for seed in range(4)]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    while any(writer.poll() is None for writer in writers):
        for run in store.runs():
            epochs = {epoch.epoch for epoch in store.run(run.id).epochs}
            assert epochs <= set(store.kept_epochs(run.id))
    for writer in writers:
        assert writer.communicate()[1] == ""
        assert writer.returncode == 0
    assert [run.status for run in store.runs()] == [Status.FINISHED] * 4
    assert [len(store.steps(run.id)) for run in store.runs()] == [60] * 4


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_new_database_may_be_opened_by_many_at_once(tmp_path, kind, request):
    new = {
        "sqlite": lambda number: f"sqlite:///{tmp_path / f'{number}.sqlite'}",
        "postgresql": lambda _: request.getfixturevalue("postgres").new_database(),
    }
    for number in range(5):
        url = new[kind](number)
        stores = []
        in_threads(*[lambda url=url, stores=stores: stores.append(RunStore(url))] * 6)
        assert [store.runs() for store in stores] == [[]] * 6
        for store in stores:
            store.close()


# Stores that are only read.


@only_sqlite
def test_a_read_only_store_shows_all_and_takes_nothing(store, tmp_path):
    id = begun(store)
    record(store, id, STARTED, step(1), epoch(1))
    store.end(id, "me", Status.FINISHED)
    written = store.run(id)
    store.close()
    reader = RunStore(f"sqlite:///file:{tmp_path / 'runs.sqlite'}?mode=ro&uri=true")
    assert reader.runs() == [written]
    assert reader.steps(id) == [step(1)]
    assert reader.weights(id, Moment(1)) == b"weights 1"
    for attempt in (
        lambda: reader.add(spec(1)),
        lambda: reader.delete(id),
        lambda: reader.request_stop(id),
    ):
        with pytest.raises(StoreError, match="readonly"):
            attempt()
    assert reader.runs() == [written]
    reader.close()


def test_a_read_only_store_is_never_made(tmp_path):
    with pytest.raises(StoreError, match="unable to open database file"):
        RunStore(f"sqlite:///file:{tmp_path / 'none.sqlite'}?mode=ro&uri=true")
    assert list(tmp_path.iterdir()) == []


# Runs that cannot be read.

FIELDS = SPEC.to_json()
RECIPE = FIELDS["recipe"]
SCORES = events.to_json(epoch(1))

# What was written in place of what column, and a part of the sentence.
DAMAGES = {
    "a later field of the recipe": (
        "spec",
        {**FIELDS, "recipe": {**RECIPE, "warmup": 3}},
        "warmup",
    ),
    "a later value in the recipe": (
        "spec",
        {**FIELDS, "recipe": {**RECIPE, "optimiser": "muon"}},
        "optimiser must be one of",
    ),
    "a later field of the spec": ("spec", {**FIELDS, "ensemble": 5}, "A spec has no ensemble"),
    "a field that is missing": ("spec", {"architecture": "plain"}, "Its options is missing"),
    "a name that is none": ("spec", {**FIELDS, "architecture": 5}, "architecture cannot be 5"),
    "an option that is none": ("spec", {**FIELDS, "options": {"w": [1]}}, "option w cannot be [1]"),
    "a recipe that is none": ("spec", {**FIELDS, "recipe": "fast"}, "recipe cannot be 'fast'"),
    "no object": ("spec", [1, 2], "named fields"),
    "no JSON": ("spec", '{"architecture": "pl', "Unterminated string"),
    "nothing": ("spec", "", "Expecting value"),
    "no text": ("spec", b'{"architecture": "\xff', "Unterminated string"),
    "a later status": ("status", "imported", "'imported' is not a valid Status"),
    "a date that is none": ("created", "yesterday", "Its record: "),
    "a later field of an event": ("content", {**SCORES, "f1": 0.9}, "'f1'"),
    "a number that is none": (
        "content",
        {**SCORES, "test_accuracy": "high"},
        "test_accuracy cannot be 'high'",
    ),
    "an event without JSON": ("content", "{", "Its event 'epoch': "),
}


@pytest.fixture(params=DAMAGES.values(), ids=DAMAGES)
def damaged(store, database, request):
    """A run that cannot be read, beside one that can; its id and a part of the sentence."""
    column, value, part = request.param
    id, other = begun(store), begun(store, spec=spec(1))
    for each in (id, other):
        record(store, each, STARTED, step(1), epoch(1))
        store.end(each, "me", Status.PAUSED)
    text = json.dumps(value) if isinstance(value, dict | list) else value
    table, key = ("events", "kind = 'epoch' AND run") if column == "content" else ("runs", "id")
    new = "CAST(:text AS TEXT)" if database.is_sqlite else "CAST(CAST(:text AS TEXT) AS JSON)"
    if column == "status":
        new = ":text"
    try:
        assert (
            database.execute(f"UPDATE {table} SET {column} = {new} WHERE {key} = '{id}'", text=text)
            == 1
        )
    except sql.exc.DBAPIError:  # PostgreSQL checks what is written
        assert not database.is_sqlite
        pytest.skip("this database takes no such value")
    return id, part


def test_a_run_that_cannot_be_read_is_listed_as_such_and_takes_no_other_down(store, damaged):
    id, part = damaged
    assert [run.id for run in store.runs()] == [spec(1).id]
    [found] = store.unreadable()
    assert found.id == id
    assert found.reason.startswith(
        f"Run {id} cannot be read: it was made by a newer version of the explorer, or is damaged. "
    )
    assert part in found.reason
    assert found.reason.endswith(".")


def test_a_run_that_cannot_be_read_is_refused_with_that_sentence(store, damaged, database):
    id, _ = damaged
    [found] = store.unreadable()
    before = database.rows("SELECT * FROM runs")
    for attempt in (
        lambda: store.run(id),
        lambda: store.add(SPEC),
        lambda: store.claim(id, "another"),
        lambda: find_run(id, [store, store]),
    ):
        with pytest.raises(UnreadableRunError) as refusal:
            attempt()
        assert str(refusal.value) == found.reason
    assert database.rows("SELECT * FROM runs") == before


def test_a_run_that_cannot_be_read_can_be_deleted_and_requested_again(store, damaged):
    id, _ = damaged
    store.delete(id)
    assert store.unreadable() == []
    with pytest.raises(UnknownRunError):
        store.run(id)
    assert store.add(SPEC).epochs == ()


def test_a_step_that_cannot_be_read_is_refused_with_a_sentence(store, database):
    id = begun(store)
    record(store, id, STARTED, step(1))
    database.execute(
        "UPDATE events SET content = :content WHERE kind = 'step'", content='{"step": 1}'
    )
    with pytest.raises(UnreadableRunError, match=rf"Run {id} cannot be read: .* event 'step': "):
        store.steps(id)
    assert store.run(id).status is Status.RUNNING


def test_an_event_of_a_later_kind_is_passed_over(store, database):
    id = begun(store)
    record(store, id, STARTED, epoch(1))
    database.execute("INSERT INTO events VALUES (:id, 'landscape', 7, '{}')", id=id)
    assert len(store.run(id).epochs) == 1


# Stores that cannot be used.


def test_a_database_that_fails_while_it_is_used_is_refused_with_a_sentence(store, database):
    database.execute("DROP TABLE weights")
    with pytest.raises(StoreError) as refusal:
        store.kept_epochs("0123456789ab")
    said = "no such table: weights" if database.is_sqlite else 'relation "weights" does not exist'
    assert re.search(f"cannot be used: {said}; set EX", str(refusal.value))


@pytest.mark.parametrize("url", ["sqlite:///a\0b", "postgresql://host:port/runs"])
def test_an_address_that_is_none_is_refused_with_a_sentence(url):
    with pytest.raises(StoreError, match="cannot be used: "):
        RunStore(url)


def test_a_database_that_cannot_be_used_is_refused_with_a_sentence_that_hides_the_password():
    with pytest.raises(StoreError) as refusal:
        RunStore("nosuchdatabase://me:secret@somewhere/runs")
    sentence = str(refusal.value)
    assert sentence.startswith(
        "The database of the runs, nosuchdatabase://me:***@somewhere/runs, cannot be used: "
    )
    assert sentence.endswith(
        "; set EXPLORER_DATABASE_URL to another, such as sqlite:////home/me/runs.sqlite."
    )
    assert "secret" not in sentence
    assert "\n" not in sentence


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("These are my notes. " * 100)
    with pytest.raises(StoreError, match="not a database"):
        RunStore(f"sqlite:///{file}")
    assert file.read_text() == "These are my notes. " * 100


# Names and notes.


def test_a_run_can_be_given_a_name_and_a_note(store):
    run = store.add(SPEC)
    assert (run.name, run.note) == ("", "")
    store.rename(run.id, "  Anna's first ", "wider than the others\n")
    named = store.run(run.id)
    assert (named.name, named.note) == ("Anna's first", "wider than the others")
    assert named.title == f"Anna's first · {run.title}"
    assert store.add(SPEC) == named  # who asks for the same shares the run


@pytest.mark.parametrize(("name", "note"), [("x" * 61, ""), ("", "y" * 2001)])
def test_a_name_that_is_too_long_is_refused_and_the_one_before_stays(store, name, note):
    run = store.add(SPEC)
    store.rename(run.id, "short", "brief")
    with pytest.raises(LongNameError, match="may have"):
        store.rename(run.id, name, note)
    assert (store.run(run.id).name, store.run(run.id).note) == ("short", "brief")


# Moments within an epoch.


def kept(step, epoch=1):
    return Checkpoint(Moment(epoch, step), b"weights at %d" % step, b"state at %d" % step, 1.5)


def test_of_one_epoch_the_last_moment_is_kept_and_its_end_takes_its_place(store):
    id = begun(store)
    store.keep(id, "me", kept(40))
    store.keep(id, "me", kept(80))
    assert store.moments(id) == [Moment(1, 80)]
    assert store.weights(id, Moment(1, 80)) == b"weights at 80"
    with pytest.raises(MissingWeightsError, match=r"no weights of step 40; kept are \[step 80\]"):
        store.weights(id, Moment(1, 40))
    assert store.checkpoint(id) == kept(80)
    assert store.run(id).kept == Moment(1, 80)
    assert store.run(id).seconds == 1.5
    record(store, id, epoch(1))
    assert store.moments(id) == [Moment(1)]
    assert store.moment(id) == store.moment(id, 1) == Moment(1)
    store.keep(id, "me", kept(1200, 2))
    assert store.moments(id) == [Moment(1), Moment(2, 1200)]
    assert store.kept_epochs(id) == [1]


def test_only_the_owner_of_a_run_keeps_something_of_it(store):
    id = begun(store)
    store.keep(id, "somebody else", kept(40))
    assert store.moments(id) == []


def test_who_claims_a_paused_run_goes_on_from_its_step(store):
    id = begun(store)
    record(store, id, STARTED, *map(step, (20, 40, 60)))
    store.keep(id, "me", kept(40))
    store.end(id, "me", Status.PAUSED)
    store.claim(id, "me")
    assert [each.step for each in store.steps(id)] == [20, 40]
