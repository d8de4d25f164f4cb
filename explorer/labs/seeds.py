"""Runs that differ in their seed, as lessons compare and draw them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from explorer.lessons import Bar
from explorer.runs.record_files import Records
from explorer.runs.run import Run
from explorer.statistics.intervals import mean
from explorer.statistics.seeds import Spread, spread

RECORDS = Path(__file__).parent / "recorded"


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


def recorded_spread(dataset: str = "mnist") -> Spread | None:
    """Return how much errors vary between seeds, of all recorded runs on a data set.

    Args:
        dataset: The data set's name.
    """
    groups: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for file in sorted(RECORDS.glob("*.sqlite")):
        for run in Records(file).runs:
            recipe, options = run.spec.recipe, tuple(sorted(run.spec.options.items()))
            how = (recipe.epochs, recipe.train_size, run.recipe_name)
            if run.epochs and run.spec.dataset == dataset:
                groups[run.spec.architecture, options, how].append(run.epochs[-1].test_accuracy)
    return spread(groups.values())
