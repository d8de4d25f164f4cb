"""Says how a visitor's run compares with the recorded example that is nearest to it."""

from collections.abc import Callable, Sequence
from statistics import fmean

from explorer.charts.looks import family
from explorer.language import plural, say
from explorer.runs.run import Run
from explorer.statistics.seeds import Spread
from explorer.statistics.verdicts import points
from explorer.ui.words import plain


def comparison(
    runs: Sequence[Run], examples: Sequence[Run], seeds: Callable[[], Spread | None]
) -> str:
    """Compare the first run that is over with an example, as Markdown; empty if none is.

    The nearest example is one of the same network, or else the one of the nearest accuracy.

    Args:
        runs: Those on the chart, the newest first.
        examples: The recorded ones.
        seeds: Returns what seeds alone do; it is asked where there is something to compare.
    """
    over = [run for run in runs if run.epochs and not run.status.is_live and run not in examples]
    if not over or not examples:
        return ""
    own = [run for run in over if family(run) == family(over[0])]
    accuracies = [run.epochs[-1].test_accuracy for run in own]
    mean = fmean(accuracies)

    def distance(example: Run) -> tuple[bool, float]:
        is_other = example.spec.architecture != own[0].spec.architecture
        return is_other, abs(example.epochs[-1].test_accuracy - mean)

    nearest = min((example for example in examples if example.epochs), key=distance)
    known = nearest.epochs[-1].test_accuracy
    text = _place(own, mean, nearest, known)
    if (spread := seeds()) is None:
        return text
    chance = spread.chance(accuracies, [known])
    if abs(mean - known) > chance:
        verdict = say(
            "Seeds alone make two such nets differ by up to {points} in 19 of 20 cases, so this is "
            "more than chance.",
            points=points(chance),
        )
    else:
        verdict = say(
            "Seeds alone make two such nets differ by up to {points} in 19 of 20 cases, so this "
            "may be chance.",
            points=points(chance),
        )
    return say("{first} {second}", first=text, second=verdict)


def _place(own: Sequence[Run], mean: float, nearest: Run, known: float) -> str:
    seeds = len(own)
    how = plural("mean of {n} seed", "mean of {n} seeds", seeds) if seeds > 1 else _after(own[0])
    values: dict[str, str | float] = {
        "name": plain(own[0].spec.architecture),
        "own": 100 * mean,
        "how": how,
        "example": plain(nearest.spec.architecture),
        "known": 100 * known,
        "after": _after(nearest),
    }
    difference = mean - known
    if not round(difference, 6):
        return say(
            "**{name}** ({own:.2f} %, {how}) is as good as the recorded {example} ({known:.2f} %, "
            "{after}).",
            **values,
        )
    if difference > 0:
        return say(
            "**{name}** ({own:.2f} %, {how}) is {points} above the recorded {example} "
            "({known:.2f} %, {after}).",
            points=points(difference),
            **values,
        )
    return say(
        "**{name}** ({own:.2f} %, {how}) is {points} below the recorded {example} ({known:.2f} %, "
        "{after}).",
        points=points(difference),
        **values,
    )


def _after(run: Run) -> str:
    if run.spec.imported:
        return say("imported")
    return plural("after {n} epoch", "after {n} epochs", len(run.epochs))
