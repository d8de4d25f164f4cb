import pytest

from explorer.ui.pace import LEAST, MOST, PATIENCE, SHARE, Pace


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


def watched(watchers, cost=0.004):
    pace = Pace(Clock())
    for number in range(watchers):
        pace.enter(str(number))
        pace.looked(str(number), cost)
    return pace


def test_one_who_watches_looks_as_often_as_can_be():
    assert watched(0).seconds() == watched(1).seconds() == LEAST


def test_the_more_watch_the_less_often_each_looks():
    pauses = [watched(watchers).seconds() for watchers in (1, 8, 14, 20, 80, 200)]
    assert pauses == sorted(pauses)
    assert len(set(pauses)) > 3
    assert pauses[-1] == MOST


@pytest.mark.parametrize("watchers", [20, 45, 70])
def test_what_all_looks_cost_is_within_the_share(watchers):
    cost = 0.004
    pace = watched(watchers, cost)
    assert watchers * cost / pace.seconds() < SHARE


def test_looks_that_cost_more_come_less_often():
    assert watched(20, 0.02).seconds() > watched(20, 0.002).seconds()


def test_one_watcher_more_or_less_does_not_change_the_pace():
    pace = watched(40)
    before = pace.seconds()
    for number in (100, 101):
        pace.enter(str(number))
        assert pace.seconds(before) in (before, before + 0.5)
    now = pace.seconds(before)
    assert watched(38).seconds(now) == now


def test_who_has_left_is_forgotten():
    clock = Clock()
    pace = Pace(clock)
    for number in range(60):
        pace.enter(str(number))
        pace.looked(str(number), 0.01)
    assert pace.watchers == 60
    slow = pace.seconds()
    clock.time += PATIENCE + 1
    pace.looked("who stays", 0.01)
    assert pace.watchers == 1
    assert pace.seconds(slow) == LEAST
