"""Statistics against data with a known answer: simulated, worked by hand, or from a table."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from explorer.statistics.differences import difference, holm, paired, welch
from explorer.statistics.images import difference as accuracy_difference
from explorer.statistics.images import disagreement
from explorer.statistics.intervals import bootstrap, mean
from explorer.statistics.power import detectable_errors, runs_needed
from explorer.statistics.verdicts import ALPHA, points, verdict, verdicts

EXPERIMENTS = 2_000
SEEDS = (3, 5, 10)
IMAGES = 10_000
finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 6))


def accuracies(chance, n, mean=0.98, deviation=0.002):
    """Accuracies of `n` seeds on so many images, as they are counted."""
    right = chance.binomial(IMAGES, np.clip(chance.normal(mean, deviation, n), 0, 1))
    return (right / IMAGES).tolist()


# Simulation.


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("kind", ["paired", "welch"])
def test_few_experiments_without_a_difference_show_one(n, kind):
    chance = np.random.default_rng(n)
    false = covered = 0
    for _ in range(EXPERIMENTS):
        one, other = accuracies(chance, n), accuracies(chance, n)
        if kind == "paired":
            found = paired([b - a for a, b in zip(one, other, strict=True)], 1 / IMAGES)
        else:
            found = welch(one, other, 1 / IMAGES)
        false += found.p < ALPHA
        covered += found.low <= 0 <= found.high
    assert false / EXPERIMENTS <= 0.055
    assert covered == EXPERIMENTS - false  # an interval and its test say the same
    assert covered / EXPERIMENTS >= 0.935


@pytest.mark.parametrize("n", SEEDS)
def test_as_many_intervals_contain_the_mean_as_they_say(n):
    chance = np.random.default_rng(n)
    found = [mean(accuracies(chance, n, 0.9, 0.01)) for _ in range(EXPERIMENTS)]
    covered = sum(each.low <= 0.9 <= each.high for each in found)
    assert 0.935 <= covered / EXPERIMENTS <= 0.965


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("kind", ["paired", "welch"])
def test_what_is_detectable_is_shown_in_8_of_10_experiments(n, kind):
    chance = np.random.default_rng(n)
    freedom, error = (n - 1, math.sqrt(2 / n)) if kind == "paired" else (2 * (n - 1), None)
    error = error or math.sqrt(2 / n)
    effect = detectable_errors(freedom) * error
    shown, experiments = 0, EXPERIMENTS // 4
    for _ in range(experiments):
        one, other = chance.normal(0, 1, n), chance.normal(effect, 1, n)
        found = paired([*other - one]) if kind == "paired" else welch([*one], [*other])
        shown += found.p < ALPHA
    # Welch's test estimates its degrees of freedom, so it shows a little less than with all.
    assert (0.7 if kind == "welch" else 0.76) <= shown / experiments <= 0.84


def test_as_many_runs_as_are_needed_show_the_difference():
    chance = np.random.default_rng(0)
    n = runs_needed(0.5, 1.0, paired=False)
    found = [
        welch([*chance.normal(0, 1, n)], [*chance.normal(0.5, 1, n)]).p < ALPHA for _ in range(1000)
    ]
    assert n == 64  # Cohen 1988, table 2.4.1: d = 0.5, power 0.8
    assert 0.77 <= np.mean(found) <= 0.84


def test_a_family_of_comparisons_shows_a_false_difference_in_one_of_twenty_at_most():
    chance = np.random.default_rng(1)
    wrong = 0
    for _ in range(EXPERIMENTS // 4):
        groups = [chance.normal(0, 1, 5).tolist() for _ in range(4)]
        found = [welch(groups[i], groups[j]).p for i in range(4) for j in range(i + 1, 4)]
        wrong += min(holm(found)) < ALPHA
    assert wrong / (EXPERIMENTS // 4) <= 0.055


def test_a_bootstrap_contains_the_median_about_as_often_as_it_says():
    chance = np.random.default_rng(2)
    found = [
        bootstrap(chance.exponential(1, 40).tolist(), np.median, resamples=199) for _ in range(200)
    ]
    covered = sum(each.low <= math.log(2) <= each.high for each in found)
    assert 0.88 <= covered / 200 <= 0.99


# Against scipy's own, and by hand.


@settings(deadline=None)
@given(st.lists(finite, min_size=2, max_size=12), st.lists(finite, min_size=2, max_size=12))
def test_a_test_is_that_of_scipy(one, other):
    if np.var(one) + np.var(other) < 1e-6:
        return
    found, theirs = welch(one, other), stats.ttest_ind(other, one, equal_var=False)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)
    interval = theirs.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6)
    changes = [b - a for a, b in zip(one, other, strict=False)]
    if len(changes) > 1 and np.var(changes) > 1e-6:
        alone, theirs = paired(changes), stats.ttest_1samp(changes, 0)
        assert alone.p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)


def test_an_interval_by_hand():
    found = mean([0.97, 0.98, 0.99])  # sd 0.01, t(2) = 4.303
    assert (found.value, found.n) == (pytest.approx(0.98), 3)
    assert found.high - found.value == pytest.approx(4.3027 * 0.01 / math.sqrt(3), rel=1e-4)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_images_that_one_network_alone_classifies_correctly():
    one = [True] * 5 + [False] * 5
    other = [True] * 3 + [False] * 2 + [True] * 1 + [False] * 4
    found = disagreement(one, other)
    assert found.only_first.tolist() == [3, 4]
    assert found.only_second.tolist() == [5]
    assert found.p == 1.0
    assert disagreement([True] * 6, [False] * 6).p == pytest.approx(2 / 2**6)
    assert disagreement(one, one).p == 1.0
    with pytest.raises(ValueError, match="give both of the same"):
        disagreement(one, other[1:])


# What is odd.


def test_one_run_says_nothing_about_how_runs_vary():
    assert mean([0.9]).low == -math.inf
    for found in (welch([0.9], [0.8, 0.7]), paired([0.1]), difference({0: 0.9}, {0: 0.8})):
        assert (found.p, found.high, found.detectable) == (1.0, math.inf, math.inf)
        assert found.needed is None
        assert "single run" in verdict("a", "b", found)


def test_equal_steps_of_counting_are_no_proof():
    steps = [1 / IMAGES, 1 / IMAGES]  # by chance both pairs differ by one image
    assert paired(steps).p == 0
    assert paired(steps, 1 / IMAGES).p > ALPHA


def test_values_that_never_vary_are_known_exactly():
    assert welch([1.0, 1.0], [1.0, 1.0]).p == 1
    found = welch([1.0, 1.0], [2.0, 2.0])
    assert (found.p, found.low, found.high, found.detectable) == (0, 1, 1, 0)


def test_groups_of_the_same_seeds_are_paired():
    one, other = {1: 0.9, 2: 0.8, 3: 0.7}, {1: 0.91, 2: 0.812, 3: 0.709}
    assert difference(one, other).is_paired
    assert difference(one, other).p < difference(one, {4: 0.91, 5: 0.812, 6: 0.709}).p
    assert not difference(one, {1: 0.91, 2: 0.8}).is_paired


@pytest.mark.parametrize("make", [lambda: mean([]), lambda: paired([]), lambda: welch([1.0], [])])
def test_nothing_cannot_be_compared(make):
    with pytest.raises(ValueError, match="give"):
        make()


def test_a_bootstrap_of_one_value_is_refused():
    with pytest.raises(ValueError, match="at least 2 values, not 1"):
        bootstrap([1.0], np.mean)
    assert bootstrap([1.0, 1.0], np.mean).low == 1.0


# In words.


def test_what_is_shown_and_what_is_not_in_words():
    three = {1: 0.970, 2: 0.972, 3: 0.971}
    clear = verdict(
        "plain", "residual", difference(three, {s: v + 0.012 for s, v in three.items()})
    )
    assert clear == (
        "Residual is better than plain by 1.2 points (95 % interval 1.2 to 1.2, 3 pairs of seeds)."
    )
    noisy = difference(three, {4: 0.9705, 5: 0.9731, 6: 0.9705})
    text = verdict("plain", "residual", noisy)
    assert text.startswith(
        "No difference shown between plain and residual: 3 seeds each could show"
    )
    assert "these differ by 0.04 points" in text
    assert f"{noisy.needed:,} seeds each are needed" in text


def test_the_better_one_is_named_first_whichever_it_is():
    low, high = {1: 0.5, 2: 0.51, 3: 0.49}, {4: 0.9, 5: 0.91, 6: 0.89}
    assert verdict("a", "b", difference(high, low)).startswith("A is better than b by 40 points")
    assert verdict("a", "b", difference(low, high)).startswith("B is better than a by 40 points")


def test_many_comparisons_need_more_evidence_each():
    found = welch([0.0, 0.01, 0.02], [0.03, 0.04, 0.05])
    assert found.p < ALPHA
    assert "better" in verdicts([("a", "b", found)])[0]
    assert all("No difference" in text for text in verdicts([("a", "b", found)] * 3))


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.01, "1 point"), (-0.0123, "1.2 points"), (0.00046, "0.05 points"), (0.4, "40 points")],
)
def test_points(share, text):
    assert points(share) == text


# The difference of two accuracies on the same images.


def test_the_interval_of_a_difference_is_that_of_agresti_and_min_worked_by_hand():
    # 88 + ½ images are correct before alone, 2 + ½ after alone, of 1,000 + 2.
    before = np.repeat([True, True, False, False], [900, 88, 2, 10])
    after = np.repeat([True, False, True, False], [900, 88, 2, 10])
    found = accuracy_difference(before, after)
    assert (found.value, found.n) == (-0.086, 1000)
    variance = ((88.5 + 2.5) / 1002 - (86 / 1002) ** 2) / 1002
    assert found.low == pytest.approx(-86 / 1002 - 1.959964 * math.sqrt(variance))
    assert found.high == pytest.approx(-86 / 1002 + 1.959964 * math.sqrt(variance))


def test_as_many_intervals_of_a_difference_contain_it_as_they_say():
    chance = np.random.default_rng(0)
    shares = [0.9, 0.06, 0.01, 0.03]  # both, before alone, after alone, neither
    covered = 0
    for _ in range(EXPERIMENTS):
        kinds = chance.choice(4, 500, p=shares)
        found = accuracy_difference(kinds <= 1, kinds % 2 == 0)
        covered += found.low <= -0.05 <= found.high
    assert 0.935 <= covered / EXPERIMENTS <= 0.97


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_difference_is_within_its_interval_and_turns_with_its_networks(pairs):
    first, second = map(list, zip(*pairs, strict=True))
    found, turned = accuracy_difference(first, second), accuracy_difference(second, first)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert (turned.value, turned.low) == (pytest.approx(-found.value), pytest.approx(-found.high))


def test_a_difference_is_of_the_same_images_and_of_at_least_one():
    with pytest.raises(ValueError, match="give both of the same"):
        accuracy_difference([True], [True, False])
    with pytest.raises(ValueError, match="give at least one"):
        accuracy_difference([], [])
