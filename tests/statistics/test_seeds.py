from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.statistics.seeds import spread

ACCURACIES = st.lists(st.floats(0.91, 0.999), min_size=1, max_size=6)


def test_the_spread_is_the_median_share_of_the_error_of_the_groups_that_tell():
    twelve = [0.99, 0.988, 0.986]  # 1.2 % ± 0.2
    alike = [0.95, 0.95, 0.95]
    wide = [0.91, 0.96, 0.99]
    found = spread([twelve, alike, wide, [0.9, 0.99], [0.1, 0.5, 0.9]])
    assert (found.share, found.groups, found.runs) == (pytest.approx(1 / 6), 3, 9)


def test_without_a_group_that_tells_nothing_is_known():
    assert spread([]) is None
    assert spread([[0.98, 0.99], [0.1, 0.1, 0.1], [1.0, 1.0, 1.0]]) is None


def test_chance_covers_nineteen_of_twenty_differences_of_two_runs():
    known = spread([[0.98, 0.981, 0.979]])
    chance = known.chance([0.98], [0.98])
    drawn = np.random.default_rng(0).normal(0.98, known.share * 0.02, (20_000, 2))
    assert np.mean(abs(drawn[:, 0] - drawn[:, 1]) <= chance) == pytest.approx(0.95, abs=0.01)


@given(ACCURACIES, ACCURACIES)
def test_chance_is_symmetric_and_less_for_more_runs_and_for_better_ones(one, other):
    known = spread([[0.98, 0.981, 0.979]])
    chance = known.chance(one, other)
    assert chance == pytest.approx(known.chance(other, one))
    assert known.chance(one * 2, other * 2) < chance
    better = [(1 + fmean(one)) / 2] * len(one)
    assert known.chance(better, other) < chance
