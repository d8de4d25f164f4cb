import pytest

from explorer.runs.following import MOST_RUNS, Follower
from explorer.runs.run import RunSpec, Status
from explorer.runs.wishes import wish
from explorer.training.events import Score, Started, Step
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
        store.end(run.id, "worker", Status.INTERRUPTED)
        store.claim(run.id, "worker")
        store.begin(run.id, "worker")
        for number, loss in enumerate(losses, start=1):
            store.append(run.id, "worker", step(number, loss))
        assert [found.loss for found in follower.steps(run.id)] == losses


def test_runs_that_were_followed_long_ago_are_forgotten(store):
    follower = Follower(store)
    for number in range(MOST_RUNS + 5):
        follower.steps(f"{number:012x}")
    assert len(follower._followed) == MOST_RUNS


def test_many_who_look_within_a_moment_share_one_reading(store, run, monkeypatch):
    asked = []
    for name in ("run", "steps"):
        original = getattr(store, name)
        monkeypatch.setattr(
            store,
            name,
            lambda *given, name=name, original=original, **options: (
                asked.append(name) or original(*given, **options)
            ),
        )
    now = [0.0]
    follower = Follower(store, lambda: now[0])
    store.append(run.id, "worker", step(1))
    for moment in (1.0, 1.1, 1.2, 1.3):
        now[0] = moment
        for _ in range(10):
            assert follower.run(run.id, age=0.25).id == run.id
            assert len(follower.steps(run.id, age=0.25)) == 1
    assert sorted(asked) == ["run"] * 2 + ["steps"] * 2
    assert len(follower.steps(run.id)) == 1
    assert len(asked) == 5, "who must know it now reads it"


def test_what_is_over_is_read_each_time(store, run):
    follower = Follower(store, lambda: 1.0)
    assert follower.run(run.id, age=0.25).status.is_live
    store.end(run.id, "worker", Status.PAUSED)
    assert follower.run(run.id).status is Status.PAUSED
    assert follower.run(run.id, age=0.25).status.is_live, "as it was a moment ago"
    later = Follower(store, lambda: 1.0)
    assert later.run(run.id, age=0.25).status is Status.PAUSED
    store.claim(run.id, "worker")
    assert later.run(run.id, age=0.25).status.is_live


def test_scores_and_who_wants_a_run_are_shared_as_well(store, run):
    now = [0.0]
    follower = Follower(store, lambda: now[0])
    assert (list(follower.scores(run.id)), list(follower.wishers(run.id))) == ([], [])
    wish(store, run.id, "ada")
    store.append(run.id, "worker", score := Score(2, 1, 0.5, 0.9, 1000))
    assert (list(follower.scores(run.id, 0.5)), list(follower.wishers(run.id, 0.5))) == ([], [])
    now[0] = 0.5
    assert follower.scores(run.id, 0.5) == (score,)
    assert set(follower.wishers(run.id, 0.5)) == {"ada"}
