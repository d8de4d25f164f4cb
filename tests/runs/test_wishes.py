"""Who asked for which run, what is pinned, what a run printed, and what is forgotten for room."""

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from explorer.runs.keeping import make_room, pin, pinned, read_log, sizes, unpin, write_log
from explorer.runs.run import RunSpec, Status
from explorer.runs.store import RunStore
from explorer.runs.wishes import wish, wished_by, withdraw
from explorer.training.events import Checkpoint, Epoch, Moment
from explorer.training.recipe import Recipe


def spec(seed):
    return RunSpec("plain", {}, "mnist", Recipe(epochs=1, seed=seed), "0")


@pytest.fixture
def shared(database):
    store = RunStore(database.url)
    yield store
    store.close()


def finished(store, seed, kilobytes=10):
    run = store.claim(store.add(spec(seed)).id, "me")
    store.begin(run.id, "me")
    weights = Checkpoint(Moment(1), b"w" * 1000 * kilobytes, b"")
    event = Epoch(1, 0.1, 0.9, 0.1, 0.9, 1.0, 1.0, checkpoint=lambda: weights)
    assert store.append(run.id, "me", event) in (True, False)
    store.end(run.id, "me", Status.FINISHED)
    return run.id


def test_a_run_is_wished_for_until_the_last_visitor_leaves(shared):
    id = shared.add(spec(0)).id
    for visitor in ("ann", "bob", "ann"):
        wish(shared, id, visitor)
    assert wished_by(shared, "ann") == {id: False} == wished_by(shared, "bob")
    assert withdraw(shared, id, "ann") is False
    assert wished_by(shared, "ann") == {}
    assert wished_by(shared, "bob") == {id: True}
    assert withdraw(shared, id, "ann") is False  # they had left
    assert withdraw(shared, id, "bob") is True


def test_a_run_that_there_is_not_cannot_be_wished_for_or_pinned(shared):
    wish(shared, "nothing", "ann")
    pin(shared, "nothing")
    write_log(shared, "nothing", "text")
    assert wished_by(shared, "ann") == {}
    assert pinned(shared) == {}
    assert read_log(shared, "nothing") == ""


def test_what_belongs_to_a_run_goes_with_it(shared):
    id = finished(shared, 0)
    wish(shared, id, "ann")
    pin(shared, id)
    write_log(shared, id, "hello")
    shared.delete(id)
    assert wished_by(shared, "ann") == {}
    assert pinned(shared) == {}
    assert read_log(shared, id) == ""


def test_a_log_is_the_last_one_whatever_it_says(shared):
    id = shared.add(spec(0)).id
    write_log(shared, id, "before")
    write_log(shared, id, "nul \0, half \ud800, ∞")
    assert read_log(shared, id) == "nul \ufffd, half \ufffd, ∞"


def test_who_pinned_a_run_first_is_kept(shared):
    id = shared.add(spec(0)).id
    for visitor in ("ann", "bob", ""):
        pin(shared, id, visitor)
    assert pinned(shared) == {id: "ann"}


def test_the_oldest_are_forgotten_first_and_those_that_are_pinned_or_trained_never(shared):
    ids = [finished(shared, seed) for seed in range(4)]
    live = shared.claim(shared.add(spec(9)).id, "me").id
    pin(shared, ids[0])
    found = sizes(shared)
    assert list(found) == [*ids, live]
    each = found[ids[1]]
    assert each > 10_000
    assert make_room(shared, sum(found.values())) == []
    assert make_room(shared, sum(found.values()) - 1) == [ids[1]]
    assert make_room(shared, each) == ids[2:]
    assert {run.id for run in shared.runs()} == {ids[0], live}
    assert make_room(shared, 0) == []
    unpin(shared, ids[0])
    assert make_room(shared, 0) == [ids[0]]


def test_a_run_that_was_interrupted_is_forgotten_like_others(shared, monkeypatch):
    monkeypatch.setattr("explorer.runs.store.LEASE_SECONDS", -1)
    id = shared.claim(shared.add(spec(0)).id, "me").id
    assert shared.run(id).status is Status.INTERRUPTED
    write_log(shared, id, "x" * 1000)
    assert make_room(shared, 10) == [id]


@bounds(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.text(max_size=100)), max_size=25))
def test_wishes_are_a_set_of_pairs_whatever_the_visitors_are_called(tmp_path_factory, asked):
    store = RunStore(f"sqlite:///{tmp_path_factory.mktemp('wishes') / 'runs.sqlite'}")
    ids = [store.add(spec(seed)).id for seed in range(3)]
    names = {}
    pairs = set()
    for is_wish, number, visitor in asked:
        visitor = names.setdefault(visitor, f"{len(names)}{visitor}")
        if is_wish:
            wish(store, ids[number], visitor)
            pairs.add((number, visitor))
        else:
            pairs.discard((number, visitor))
            left = any(number == each for each, _ in pairs)
            assert withdraw(store, ids[number], visitor) is not left
    for visitor in names.values():
        mine = {number for number, each in pairs if each == visitor}
        alone = {n: sum(n == number for number, _ in pairs) == 1 for n in mine}
        assert wished_by(store, visitor) == {ids[n]: is_alone for n, is_alone in alone.items()}
    store.close()
