"""Whether two groups of runs differ: paired by seed where they pair, else by Welch's test."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import scipy

from explorer.statistics.intervals import LEVEL, quantile
from explorer.statistics.power import detectable_errors, runs_needed


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two groups differ, the second minus the first.

    Attributes:
        effect: The difference of the means.
        low: The lower end of its 95 % interval; infinite where a group has one run.
        high: Its upper end.
        p: The probability of a difference at least as large if there were none; 1 where a group
            has one run.
        is_paired: Whether runs were compared pair by pair.
        n: How many runs of each group were compared.
        detectable: The least true difference that so many runs show in 8 of 10 cases; infinite
            where a group has one run.
        needed: How many runs each group needs to show a difference as large as this one; `None`
            if too many, or if that is not known.
    """

    effect: float
    low: float
    high: float
    p: float
    is_paired: bool
    n: tuple[int, int]
    detectable: float
    needed: int | None


def difference(
    first: Mapping[int, float], second: Mapping[int, float], resolution: float = 0.0
) -> Difference:
    """Compare two groups: by pairs if at least two seeds are in both and all seeds are, else not.

    Args:
        first: A value for each seed.
        second: The same of the other group.
        resolution: The step in which values come, such as one of 10,000 images.
    """
    if len(first) > 1 and first.keys() == second.keys():
        return paired([second[seed] - first[seed] for seed in first], resolution)
    return welch([*first.values()], [*second.values()], resolution)


def paired(differences: Sequence[float], resolution: float = 0.0) -> Difference:
    """Compare two groups by the differences of their pairs (Student's t-test for one sample).

    Args:
        differences: Second minus first, one for each pair; at least one.
        resolution: The step in which values come. Where differences vary less than rounding alone
            makes them vary, they are taken to vary as much as that.

    Raises:
        ValueError: There is no pair.
    """
    if not differences:
        raise ValueError("Groups without a pair are compared; give at least one pair.")
    n = len(differences)
    if n == 1:
        return _unknown(differences[0], True, (1, 1))
    # Each of the two values is off by up to half a step: var = 2 · step² / 12.
    deviation = max(float(np.std(differences, ddof=1)), resolution / math.sqrt(6))
    effect = fmean(differences)
    needed = runs_needed(effect, deviation, paired=True)
    return _tested(effect, deviation / math.sqrt(n), n - 1, True, (n, n), needed)


def welch(first: Sequence[float], second: Sequence[float], resolution: float = 0.0) -> Difference:
    """Compare two groups that may vary differently (Welch 1947).

    Args:
        first: A value for each run; at least one.
        second: The same of the other group.
        resolution: The step in which values come, as for `paired`.

    Raises:
        ValueError: A group is empty.
    """
    if not first or not second:
        raise ValueError("A group without runs is compared; give each at least one.")
    effect, n = fmean(second) - fmean(first), (len(first), len(second))
    if min(n) == 1:
        return _unknown(effect, False, n)
    variances = [max(float(np.var(group, ddof=1)), resolution**2 / 12) for group in (first, second)]
    parts = [variance / size for variance, size in zip(variances, n, strict=True)]
    if not sum(parts):
        return _tested(effect, 0.0, sum(n) - 2, False, n, 2 if effect else None)
    # Welch–Satterthwaite.
    freedom = sum(parts) ** 2 / sum(
        part**2 / (size - 1) for part, size in zip(parts, n, strict=True)
    )
    needed = runs_needed(effect, math.sqrt(fmean(variances)), paired=False)
    return _tested(effect, math.sqrt(sum(parts)), freedom, False, n, needed)


def holm(probabilities: Sequence[float]) -> list[float]:
    """Adjust the p-values of several comparisons (Holm 1979), in their order.

    Whoever calls those below 0.05 different makes a mistake in at most 5 % of such families,
    however the comparisons depend on one another.
    """
    adjusted, least = [0.0] * len(probabilities), 0.0
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * probabilities[index]))
        adjusted[index] = least
    return adjusted


def _tested(
    effect: float,
    error: float,
    freedom: float,
    is_paired: bool,
    n: tuple[int, int],
    needed: int | None,
) -> Difference:
    if not error:  # values without any variation, known exactly
        p = 0.0 if effect else 1.0
        return Difference(effect, effect, effect, p, is_paired, n, 0.0, needed)
    half = quantile(LEVEL, freedom) * error
    p = 2 * float(scipy.stats.t.sf(abs(effect) / error, freedom))
    detectable = detectable_errors(round(freedom, 1)) * error
    return Difference(effect, effect - half, effect + half, p, is_paired, n, detectable, needed)


def _unknown(effect: float, is_paired: bool, n: tuple[int, int]) -> Difference:
    return Difference(effect, -math.inf, math.inf, 1.0, is_paired, n, math.inf, None)
