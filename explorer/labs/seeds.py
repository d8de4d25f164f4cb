"""Runs that differ in their seed, as lessons compare and draw them."""

from collections.abc import Iterable, Mapping

from explorer.lessons import Bar
from explorer.runs.run import Run
from explorer.statistics.intervals import mean


def by_seed(runs: Iterable[Run]) -> dict[int, float]:
    """Return the accuracy of each run on the test images after its last epoch, by its seed."""
    return {run.spec.recipe.seed: run.epochs[-1].test_accuracy for run in runs}


def bar(label: str, by: Mapping[int, float], role: str) -> Bar:
    """Return the mean over seeds, with its interval and the value of each seed."""
    values = list(by.values())
    known = mean(values)
    return Bar(label, known.value, known.low, known.high, values, role)


def fields(run: Run) -> dict[str, int | None]:
    """Return how long a run was trained on how many images from which seed, to train it again."""
    recipe = run.spec.recipe
    return {"train_size": recipe.train_size, "epochs": recipe.epochs, "seed": recipe.seed}
