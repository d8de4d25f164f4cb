"""What so many runs could have shown, and how many would be needed."""

import math
from functools import lru_cache

import scipy

from explorer.statistics.intervals import LEVEL, quantile

POWER = 0.8  # how often a true difference has to be shown for one to say that it could be
MOST_RUNS = 10_000  # of a group; nobody makes more


@lru_cache(maxsize=1_000)
def detectable_errors(freedom: float, level: float = LEVEL, power: float = POWER) -> float:
    """Return the least true difference that a two-sided t-test shows, in standard errors.

    It is the noncentrality at which the test refuses "no difference" with the given power.

    Args:
        freedom: Degrees of freedom of the test.
        level: 1 minus the share of false differences.
        power: The share of tests that show a difference that is there.
    """
    limit = quantile(level, freedom)

    def lacking(noncentrality: float) -> float:
        return shown(limit, freedom, noncentrality) - power

    high = limit + 2.0
    while lacking(high) < 0:
        high *= 2
    return float(scipy.optimize.brentq(lacking, 0.0, high))


def shown(limit: float, freedom: float, noncentrality: float) -> float:
    """Return how often |t| is beyond `limit` if the true difference is so many standard errors."""
    above = scipy.stats.nct.sf(limit, freedom, noncentrality)
    below = scipy.stats.nct.cdf(-limit, freedom, noncentrality)
    return float(above) + (0.0 if math.isnan(below) else float(below))


def runs_needed(effect: float, deviation: float, *, paired: bool) -> int | None:
    """Return how many runs each group needs to show a difference.

    Args:
        effect: The true difference.
        deviation: If `paired`, the standard deviation of the differences; else that of one run,
            in both groups.
        paired: Whether the runs of both groups pair.

    Returns:
        The number, at least 2; `None` if it is more than `MOST_RUNS`, or if the effect is 0.
    """
    if not effect:
        return None
    if not deviation:
        return 2

    def suffices(n: int) -> bool:
        freedom = n - 1 if paired else 2 * (n - 1)
        error = deviation * math.sqrt((1 if paired else 2) / n)
        return detectable_errors(freedom) * error <= abs(effect)

    if not suffices(MOST_RUNS):
        return None
    low, high = 2, MOST_RUNS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle + 1, high)
    return low
