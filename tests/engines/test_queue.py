"""The queue: nobody's second run comes before anybody's first."""

from hypothesis import given
from hypothesis import strategies as st

from explorer.engines.queue import Task, in_turn, place_of, seconds_until
from explorer.runs.run import RunSpec
from explorer.training.recipe import Recipe


def task(number, *visitors):
    spec = RunSpec("plain", {}, "mnist", Recipe(epochs=1, seed=number), "0")
    return Task(spec, "owner", None, set(visitors), number)


def numbers(tasks):
    return [each.number for each in tasks]


def test_one_run_of_each_visitor_comes_before_anybody_s_second():
    waiting = [task(n, "ann") for n in range(4)] + [task(4, "bob"), task(5, "cat"), task(6, "bob")]
    assert numbers(in_turn(waiting, [])) == [0, 4, 5, 1, 6, 2, 3]


def test_a_run_that_is_trained_counts():
    waiting = [task(1, "ann"), task(2, "bob")]
    assert numbers(in_turn(waiting, [task(0, "ann")])) == [2, 1]


def test_a_run_that_several_asked_for_has_the_best_of_their_places():
    waiting = [task(0, "ann"), task(1, "ann", "bob"), task(2, "cat")]
    assert numbers(in_turn(waiting, [])) == [0, 1, 2]
    assert numbers(in_turn(waiting, [task(9, "bob")])) == [0, 2, 1]


def test_without_visitors_it_is_first_come_first_served():
    assert numbers(in_turn([task(3), task(1), task(2)], [])) == [1, 2, 3]
    assert in_turn([], []) == []


VISITORS = st.sets(st.sampled_from("abcd"), min_size=1, max_size=2)


@given(st.lists(VISITORS, max_size=12), st.lists(VISITORS, max_size=3))
def test_the_order_is_fair(waiting, running):
    tasks = [task(number, *visitors) for number, visitors in enumerate(waiting)]
    busy = [task(100 + number, *visitors) for number, visitors in enumerate(running)]
    order = in_turn(tasks, busy)
    assert sorted(numbers(order)) == sorted(numbers(tasks))
    for place, later in enumerate(order):
        before = [*busy, *order[:place]]
        had = {v: sum(v in each.visitors for each in before) for v in "abcd"}
        turn = min(had[v] for v in later.visitors)
        for other in order[place + 1 :]:
            theirs = min(had[v] for v in other.visitors)
            assert turn < theirs or (turn == theirs and later.number < other.number)
        assert place_of(later.id, order) == place + 1
    assert place_of("nothing", order) is None


def test_when_a_run_begins_is_when_those_before_it_are_done():
    assert seconds_until(1, [], [], workers=1) == 0
    assert seconds_until(1, [9], [30], workers=1) == 30
    assert seconds_until(3, [10, 20, 99], [30], workers=1) == 60
    assert seconds_until(3, [10, 20, 99], [30], workers=2) == 30
    assert seconds_until(2, [10, 20], [30, 5], workers=2) == 15


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=8),
    st.lists(st.floats(0, 1000), max_size=3),
    st.integers(1, 4),
)
def test_the_estimate_grows_with_the_place_and_shrinks_with_workers(ahead, left, workers):
    waits = [seconds_until(p, ahead, left[:workers], workers) for p in range(1, len(ahead) + 1)]
    assert waits
    assert waits == sorted(waits)
    assert seconds_until(len(ahead), ahead, left[:workers], workers + 1) <= waits[-1] + 1e-6
