"""Finds straight lines from border to border in a picture: of ruled paper, or of a scanner's frame.

They are taken away as staff lines are before notes are read: run by run, and only where a run is as
thin as a line, so that what crosses a line stays whole (Dalitz et al., A comparative study of staff
removal algorithms, 2008).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_THICKEST = 0.02  # of the shorter side
_STEEPEST = 0.12  # rows a column
_LEAST_COVER = 0.5  # of the columns
_MARGIN = 0.01  # of the width: as near to the border a line begins
_MOST_SLOPES = 3  # a photograph of a sheet has lines that are not quite parallel


@dataclass(frozen=True, slots=True)
class _Runs:
    """Pixels of one column that follow on one another: from `tops` to above `ends`."""

    columns: NDArray[np.intp]
    tops: NDArray[np.intp]
    ends: NDArray[np.intp]

    def only(self, which: Mask) -> "_Runs":
        return _Runs(self.columns[which], self.tops[which], self.ends[which])


def find_rules(mask: Mask) -> Mask:
    """Return the pixels of lines that are nearly level or upright, `(H, W)`."""
    thickest = max(2.0, _THICKEST * min(mask.shape))
    found: Mask = _level(mask, thickest) | _level(mask.T, thickest).T
    return found


def _level(mask: Mask, thickest: float) -> Mask:
    """Return the pixels of nearly level lines."""
    height, width = mask.shape
    runs = _runs(mask)
    runs = runs.only(runs.ends - runs.tops <= thickest)
    marks = np.zeros((height + 1, width), np.int32)
    for _ in range(_MOST_SLOPES):
        is_ruled = _of_lines(runs, height, width)
        if not is_ruled.any():
            break
        found, runs = runs.only(is_ruled), runs.only(~is_ruled)
        marks[found.tops, found.columns] += 1
        marks[found.ends, found.columns] -= 1
    lines: Mask = marks.cumsum(axis=0)[:height] > 0
    return lines


def _runs(mask: Mask) -> _Runs:
    changes = np.diff(np.pad(mask.T, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    columns, tops = np.nonzero(changes == 1)
    return _Runs(columns, tops, np.nonzero(changes == -1)[1])


def _of_lines(runs: _Runs, height: int, width: int) -> Mask:
    """Return which runs are on lines of the slope that has the most of them."""
    middles, across = (runs.tops + runs.ends - 1) / 2, runs.columns - width / 2
    reach = int(_STEEPEST * width / 2) + 2  # rows beyond the picture
    best, most = np.zeros(len(middles), np.bool_), 0.0
    for slope in np.linspace(-_STEEPEST, _STEEPEST, 2 * reach - 3):
        rows = np.rint(middles + slope * across).astype(np.intp) + reach
        counts = np.bincount(rows, minlength=height + 2 * reach)
        counts = np.convolve(counts, [1, 1, 1], "same")
        covered = np.flatnonzero(counts >= _LEAST_COVER * width)
        if (score := float((counts[covered] ** 2.0).sum())) > most:
            on = [np.abs(rows - row) <= 1 for row in covered if _spans(runs, rows, int(row), width)]
            best, most = np.any(on, axis=0) if on else best, score
    return best


def _spans(runs: _Runs, rows: NDArray[np.intp], row: int, width: int) -> bool:
    """Return whether the runs about a row begin and end near the border."""
    columns = runs.columns[np.abs(rows - row) <= 1]
    margin = _MARGIN * width
    return bool(columns.min() <= margin and columns.max() >= width - 1 - margin)
