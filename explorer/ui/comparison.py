"""Says how a visitor's run compares with the recorded example that is nearest to it."""

from collections.abc import Callable, Sequence
from statistics import fmean

from explorer.charts.looks import family
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
    name = plain(own[0].spec.architecture)
    how = f"mean of {len(own)} seeds" if len(own) > 1 else _after(own[0])
    other = f"the recorded {plain(nearest.spec.architecture)}"
    text = f"**{name}** ({100 * mean:.2f} %, {how}) is {_place(mean - known)} {other} "
    text += f"({100 * known:.2f} %, {_after(nearest)})."
    if (spread := seeds()) is None:
        return text
    chance = spread.chance(accuracies, [known])
    is_more = abs(mean - known) > chance
    return (
        f"{text} Seeds alone make two such nets differ by up to {points(chance)} in 19 of 20 "
        f"cases, so this {'is more than chance' if is_more else 'may be chance'}."
    )


def _after(run: Run) -> str:
    if run.spec.imported:
        return "imported"
    return f"after {len(run.epochs)} epoch{'s' if len(run.epochs) > 1 else ''}"


def _place(difference: float) -> str:
    if not round(difference, 6):
        return "as good as"
    return f"{points(difference)} {'above' if difference > 0 else 'below'}"
