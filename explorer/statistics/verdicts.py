"""A difference in words that promise no more than was measured."""

import math
from collections.abc import Sequence

from explorer.language import capital, plural, say
from explorer.statistics.differences import Difference, holm
from explorer.statistics.intervals import LEVEL

ALPHA = 1 - LEVEL


def verdicts(pairs: Sequence[tuple[str, str, Difference]]) -> list[str]:
    """Say of each comparison what it shows, with Holm's correction for how many there are.

    Args:
        pairs: The names of the first and the second group, and how they differ.
    """
    adjusted = holm([difference.p for _, _, difference in pairs])
    return [verdict(*pair, p) for pair, p in zip(pairs, adjusted, strict=True)]


def verdict(first: str, second: str, difference: Difference, p: float | None = None) -> str:
    """Say what a comparison of accuracies shows.

    Args:
        first: The name of the first group.
        second: That of the second.
        difference: How they differ, as shares of 1.
        p: Its p-value, corrected for other comparisons; `None` for its own.
    """
    p = difference.p if p is None else p
    effect = points(difference.effect)
    if math.isinf(difference.detectable):
        return say(
            "{first} and {second} differ by {effect}, and one of them has a single run: seeds "
            "alone may make such a difference, so two or more of each are needed.",
            first=capital(first),
            second=second,
            effect=effect,
        )
    seeds = _seeds(difference)
    if p < ALPHA:
        better, worse = (second, first) if difference.effect > 0 else (first, second)
        low, high = sorted((abs(difference.low), abs(difference.high)))
        return say(
            "{better} is better than {worse} by {effect} (95 % interval {low} to {high}, {seeds}).",
            better=capital(better),
            worse=worse,
            effect=effect,
            low=_number(low),
            high=_number(high),
            seeds=seeds,
        )
    could = points(difference.detectable)
    if abs(difference.effect) >= difference.detectable:
        return say(
            "No difference shown between {first} and {second}: they differ by {effect} ({seeds}), "
            "which is not enough beside the other comparisons made here.",
            first=first,
            second=second,
            effect=effect,
            seeds=seeds,
        )
    if difference.needed and difference.needed > max(difference.n):
        return say(
            "No difference shown between {first} and {second}: {seeds} could show {could}, these "
            "differ by {effect}. To show a difference of that size, {needed:,} seeds each are "
            "needed.",
            first=first,
            second=second,
            seeds=seeds,
            could=could,
            effect=effect,
            needed=difference.needed,
        )
    return say(
        "No difference shown between {first} and {second}: {seeds} could show {could}, these "
        "differ by {effect}.",
        first=first,
        second=second,
        seeds=seeds,
        could=could,
        effect=effect,
    )


def points(share: float) -> str:
    """Write a difference of accuracies, 0–1, in percentage points."""
    number = _number(abs(share))
    if number == "1":
        return say("{number} point", number=number)
    return say("{number} points", number=number)


def _number(share: float) -> str:
    """Write a share in percent with two digits that matter, and at most two decimals."""
    value = 100 * share
    decimals = 2 if value < 1 else 1 if value < 10 else 0
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"


def _seeds(difference: Difference) -> str:
    first, second = difference.n
    if difference.is_paired:
        return plural("{n} pair of seeds", "{n} pairs of seeds", first)
    if first == second:
        return plural("{n} seed each", "{n} seeds each", first)
    return say("{first} and {second} seeds", first=first, second=second)
