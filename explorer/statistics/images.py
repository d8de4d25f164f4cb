"""Whether two networks differ on the same test images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import scipy
from numpy.typing import NDArray

from explorer.statistics.intervals import LEVEL, Interval


@dataclass(frozen=True, slots=True)
class Disagreement:
    """On which images one of two networks is correct and the other is not.

    Attributes:
        only_first: Places of the images that only the first classifies correctly.
        only_second: Of those that only the second does.
        p: The probability that they split at least as unevenly if neither network were better.
    """

    only_first: NDArray[np.int64]
    only_second: NDArray[np.int64]
    p: float


def disagreement(
    first: Sequence[bool] | NDArray[np.bool_], second: Sequence[bool] | NDArray[np.bool_]
) -> Disagreement:
    """Compare two networks by McNemar's exact test (McNemar 1947).

    Args:
        first: Whether the first network classifies each image correctly, `(N,)`.
        second: The same of the second network, for the same images.

    Raises:
        ValueError: They are not of as many images.
    """
    one, other = _of_the_same(first, second)
    only_first, only_second = np.flatnonzero(one & ~other), np.flatnonzero(other & ~one)
    both = len(only_first) + len(only_second)
    p = float(scipy.stats.binomtest(len(only_first), both).pvalue) if both else 1.0
    return Disagreement(only_first, only_second, p)


def difference(
    first: Sequence[bool] | NDArray[np.bool_],
    second: Sequence[bool] | NDArray[np.bool_],
    level: float = LEVEL,
) -> Interval:
    """Return by how much the second network's accuracy is higher, with its interval.

    The interval is of paired answers: a half is added to the images that both, one, the other and
    neither classify correctly (Agresti and Min 2005). So it has a length even where no image
    differs, since another one might.

    Args:
        first: Whether the first network classifies each image correctly, `(N,)`.
        second: The same of the second network, for the same images.
        level: How often intervals made so contain the difference on all images of this kind.

    Returns:
        From −1 to 1.

    Raises:
        ValueError: They are not of as many images, or of none.
    """
    one, other = _of_the_same(first, second)
    if not len(one):
        raise ValueError("The accuracy on no images is asked for; give at least one.")
    lost, gained = int((one & ~other).sum()), int((other & ~one).sum())
    value = (gained - lost) / len(one)
    count = len(one) + 2
    middle = (gained - lost) / count
    variance = (gained + lost + 1) / count - middle**2
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance / count)
    # The estimate is a little outside of its interval where nearly all images differ.
    low, high = min(middle - half, value), max(middle + half, value)
    return Interval(value, max(-1.0, low), min(1.0, high), len(one))


def _of_the_same(
    first: Sequence[bool] | NDArray[np.bool_], second: Sequence[bool] | NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return both as arrays, if they are of the same images."""
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(
            f"Answers to {one.shape} and {other.shape} images are compared; give both of the same."
        )
    return one, other
