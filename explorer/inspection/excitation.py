"""What excites the channels of a network, as it is found. No torch needed.

How strongly an image excites a channel is one number: the largest value of its map, or the value
itself where the channel is a feature and has no map.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST = 9  # images that are kept at each end
SAMPLES = (2_000, 1_000, 500, 200, 100)  # test images that a network is shown at once
AFFORDED = 2 * 10**11  # multiply-adds for them; a larger network is shown fewer


class Excited(NamedTuple):
    """How strongly one image excites a channel, and where.

    Attributes:
        image: The index of the test image.
        value: The largest value of the channel.
        unit: Row and column of the unit that has it; `None` if all units have the same value.
    """

    image: int
    value: float
    unit: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """The images at one end, for all channels of a part; the images of equal values by index.

    Attributes:
        images: Their indices, `int64`, `(K, C)`; −1 where there are no more.
        values: How strongly each excites the channel, `float32`, `(K, C)`.
        units: The number of the unit that has this value, row by row, `int64`, `(K, C)`; −1 if all
            units have it.
        tied: How many images share the value of the first one, `int64`, `(C,)`.
    """

    images: NDArray[np.int64]
    values: NDArray[np.float32]
    units: NDArray[np.int64]
    tied: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Excitation:
    """What excites the channels of one part.

    Attributes:
        shape: The shape of the part's output for one image, `(C, H, W)` or `(features,)`.
        most: The images that excite each channel most, the strongest first.
        least: Those that excite it least, the weakest first.
        counts: The images of each class, `int64`, `(num_classes, C)`; those whose value is infinite
            or not a number count nowhere.
        means: How strongly they excite the channel on average, `float64`, likewise; NaN for a class
            without images.
        stds: The standard deviation within the class, likewise.
    """

    shape: tuple[int, ...]
    most: Ranked
    least: Ranked
    counts: NDArray[np.int64]
    means: NDArray[np.float64]
    stds: NDArray[np.float64]

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return int(self.counts.shape[1])

    @property
    def overall(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The mean and the standard deviation over all images, `(C,)` each; NaN without images."""
        between, within, mean = self._sums()
        with np.errstate(invalid="ignore"):
            return mean, np.sqrt((between + within) / self.counts.sum(axis=0))

    @property
    def explained(self) -> NDArray[np.float64]:
        """The share of each channel's variance that the class explains (η²), 0–1, `(C,)`.

        It is 0 for a channel that has the same value for all images.
        """
        between, within, _ = self._sums()
        total = between + within
        return np.divide(between, total, out=np.zeros_like(total), where=total > 0)

    def _sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the sums of squares between and within the classes, and the mean, `(C,)` each."""
        counts, means = self.counts, np.nan_to_num(self.means)
        with np.errstate(invalid="ignore"):
            mean = (counts * means).sum(axis=0) / counts.sum(axis=0)
        between = (counts * (means - np.nan_to_num(mean)) ** 2).sum(axis=0)
        within = (counts * np.nan_to_num(self.stds) ** 2).sum(axis=0)
        return between, within, mean

    def images(self, ranked: Ranked, channel: int) -> list[Excited]:
        """Return the images of one channel at one end, in order."""
        return [
            Excited(image, value, self._unit(unit))
            for image, value, unit in zip(
                ranked.images[:, channel].tolist(),
                ranked.values[:, channel].tolist(),
                ranked.units[:, channel].tolist(),
                strict=True,
            )
            if image >= 0
        ]

    def _unit(self, number: int) -> tuple[int, int] | None:
        if number < 0:
            return None
        return divmod(number, self.shape[2]) if len(self.shape) == 3 else (0, 0)


def merged(one: Excitation, other: Excitation) -> Excitation:
    """Return what excites the channels of a part among the images of two sets.

    Args:
        one: Of some images.
        other: Of images that come after them.
    """
    counts = one.counts + other.counts
    known, added = np.nan_to_num(one.means), np.nan_to_num(other.means)
    # Chan, Golub & LeVeque 1983: no variance is lost where the mean is large.
    with np.errstate(invalid="ignore"):
        share = other.counts / counts  # NaN where there are no images
        means = known + (added - known) * share
        squares = one.counts * np.nan_to_num(one.stds) ** 2
        squares += other.counts * np.nan_to_num(other.stds) ** 2
        stds = np.sqrt((squares + (added - known) ** 2 * one.counts * share) / counts)
    return Excitation(
        shape=one.shape,
        most=_merged(one.most, other.most, -1),
        least=_merged(one.least, other.least, 1),
        counts=counts,
        means=means,
        stds=stds,
    )


def all_merged(
    found: Mapping[str, Excitation], more: Mapping[str, Excitation]
) -> dict[str, Excitation]:
    """Merge what excites each part among the images of two sets; leave out what one has not."""
    return {
        name: merged(found[name], more[name])
        for name in found
        if name in more and found[name].shape == more[name].shape
    }


def _merged(one: Ranked, other: Ranked, sign: int) -> Ranked:
    """Rank the images of two sets by `sign` times their values, the smallest first."""
    images = np.concatenate([one.images, other.images])
    values = np.concatenate([one.values, other.values])
    units = np.concatenate([one.units, other.units])
    order = np.argsort(np.where(images < 0, np.inf, sign * values), axis=0, kind="stable")[:MOST]
    best = np.take_along_axis(values, order[:1], axis=0)[0]
    tied = np.zeros_like(one.tied)
    for each in (one, other):
        tied += np.where((each.values[0] == best) & (each.images[0] >= 0), each.tied, 0)
    return Ranked(
        images=np.take_along_axis(images, order, axis=0),
        values=np.take_along_axis(values, order, axis=0),
        units=np.take_along_axis(units, order, axis=0),
        tied=tied,
    )


def affordable(macs: int, total: int) -> int:
    """Return how many test images a network is shown at once, of so many that there are.

    Args:
        macs: Multiply-adds for one image.
        total: How many test images there are.
    """
    fitting = (size for size in SAMPLES if size * macs <= AFFORDED)
    return min(total, next(fitting, SAMPLES[-1]))
