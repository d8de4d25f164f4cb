"""Means, and how far they may be from the truth."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import scipy
from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval.

    Attributes:
        value: The estimate.
        low: The interval's lower end; infinite if nothing is known about it.
        high: Its upper end.
        n: How many values it is made of.
    """

    value: float
    low: float
    high: float
    n: int


def mean(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the mean with Student's interval (Student 1908): `mean ± t(n − 1) · sd / √n`.

    Of one value, the interval is infinite: it says nothing about how values vary.

    Args:
        values: Independent of one another; at least one.
        level: How often intervals made so contain the true mean of normally distributed values.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("The mean of no values is asked for; give at least one.")
    value, n = fmean(values), len(values)
    if n == 1:
        return Interval(value, -math.inf, math.inf, 1)
    half = quantile(level, n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Interval(value, value - half, value + half, n)


def bootstrap(
    values: Sequence[float],
    statistic: Callable[[NDArray[np.float64]], float],
    level: float = LEVEL,
    *,
    resamples: int = 4_999,
    seed: int = 0,
) -> Interval:
    """Return a statistic with its bias-corrected and accelerated interval (Efron 1987).

    Args:
        values: Independent of one another; at least two.
        statistic: Made of an array `(n,)`.
        level: How often intervals made so should contain the truth.
        resamples: How often values are drawn again, with replacement.
        seed: Of these draws.

    Raises:
        ValueError: There are fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"A bootstrap needs at least 2 values, not {len(values)}.")
    own = np.asarray(values, dtype=np.float64)
    value = float(statistic(own))
    if (own == own[0]).all():
        return Interval(value, value, value, len(own))
    found = scipy.stats.bootstrap(
        (own,),
        statistic,
        confidence_level=level,
        n_resamples=resamples,
        vectorized=False,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high), len(own))


def quantile(level: float, freedom: float) -> float:
    """Return how many standard errors an interval reaches to each side, by Student's t."""
    return float(scipy.stats.t.ppf((1 + level) / 2, freedom))
