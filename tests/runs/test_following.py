import pytest

from explorer.runs.following import MOST_RUNS, Follower
from explorer.runs.run import RunSpec
from explorer.training.events import Started, Step
from explorer.training.recipe import preset


def step(number, loss=1.0):
    return Step(number, 1, loss, 0.5, 0.01, 9000.0, 64)


@pytest.fixture
def run(store):
    recipe = preset("fast").changed(train_size=256)
    run = store.add(RunSpec("plain", {}, "mnist", recipe, "code"))
    store.claim(run.id, "worker")
    store.begin(run.id, "worker")
    store.append(run.id, "worker", Started("cpu", 8490, 256, 1000, 4, 1))
    return run


def test_each_step_is_read_once(store, run, monkeypatch):
    read = []
    steps = store.steps
    monkeypatch.setattr(store, "steps", lambda id, after=0: read.append(after) or steps(id, after))
    follower = Follower(store)
    assert follower.steps(run.id) == ()
    for number in (1, 2, 5):
        store.append(run.id, "worker", step(number))
        assert list(follower.steps(run.id)) == steps(run.id)
    assert follower.steps(run.id) is follower.steps(run.id)
    assert read == [0, 0, 0, 1, 4, 4]


def test_a_run_that_was_resumed_from_an_earlier_step_is_read_anew(store, run):
    follower = Follower(store)
    for number in (1, 2, 3):
        store.append(run.id, "worker", step(number))
    assert len(follower.steps(run.id)) == 3
    for losses in ([2.0], [3.0, 3.1, 3.2, 3.3]):
        store.end(run.id, "worker", "interrupted")
        store.claim(run.id, "worker")
        store.begin(run.id, "worker")
        for number, loss in enumerate(losses, start=1):
            store.append(run.id, "worker", step(number, loss))
        assert [found.loss for found in follower.steps(run.id)] == losses


def test_runs_that_were_followed_long_ago_are_forgotten(store):
    follower = Follower(store)
    for number in range(MOST_RUNS + 5):
        follower.steps(f"{number:012x}")
    assert len(follower._kept) == MOST_RUNS
