"""Whether two networks differ on the same test images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray


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
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(
            f"Answers to {one.shape} and {other.shape} images are compared; give both of the same."
        )
    only_first, only_second = np.flatnonzero(one & ~other), np.flatnonzero(other & ~one)
    both = len(only_first) + len(only_second)
    p = float(scipy.stats.binomtest(len(only_first), both).pvalue) if both else 1.0
    return Disagreement(only_first, only_second, p)
