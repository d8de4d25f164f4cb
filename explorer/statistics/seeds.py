"""What seeds alone do to the accuracy of a run, learned from runs that differ only in their seed.

How far accuracies spread depends on how good they are, and errors less so: the standard deviation
of the error between seeds is about the same share of the error, from 2 to 20 % of errors.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, median, stdev

from explorer.statistics.intervals import LEVEL

LEAST_ACCURACY = 0.9  # of a group; worse networks may not have learned at all
LEAST_SEEDS = 3  # of a group


@dataclass(frozen=True, slots=True)
class Spread:
    """How much errors vary between seeds.

    Attributes:
        share: The standard deviation of the error, as a share of the error.
        groups: Of how many groups of runs it is the median.
        runs: How many runs these have together.
    """

    share: float
    groups: int
    runs: int

    def chance(self, one: Sequence[float], other: Sequence[float]) -> float:
        """Return how far the means of two groups differ by seeds alone, at most in 19 of 20 cases.

        Args:
            one: The accuracies of the runs of a group, 0–1; at least one.
            other: Those of the other group.
        """
        errors = [1 - fmean(group) for group in (one, other)]
        sizes = (len(one), len(other))
        variances = [(self.share * error) ** 2 / n for error, n in zip(errors, sizes, strict=True)]
        return NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt(sum(variances))


def spread(groups: Iterable[Sequence[float]]) -> Spread | None:
    """Return how much errors vary between seeds; `None` where no group tells.

    Args:
        groups: The accuracies of runs that differ only in their seed, 0–1.
    """
    telling = [
        group
        for group in groups
        if len(group) >= LEAST_SEEDS and LEAST_ACCURACY <= fmean(group) < 1
    ]
    if not telling:
        return None
    shares = [stdev(group) / (1 - fmean(group)) for group in telling]
    return Spread(median(shares), len(telling), sum(map(len, telling)))
