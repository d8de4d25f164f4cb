from dataclasses import replace
from datetime import UTC, datetime

from explorer.runs.run import Run, RunSpec, Status
from explorer.statistics.seeds import Spread
from explorer.training.events import Epoch
from explorer.training.recipe import preset
from explorer.ui.comparison import comparison


def seeds() -> Spread:
    return Spread(0.1, 5, 20)


def run(name: str, accuracy: float, epochs: int = 1, seed: int = 0) -> Run:
    spec = RunSpec(name, {}, "mnist", preset("tutorial").changed(epochs=epochs, seed=seed), "code")
    done = tuple(Epoch(n, 0.1, 0.9, 0.1, accuracy, 1.0, 1.0) for n in range(1, epochs + 1))
    return Run(spec.id, spec, Status.FINISHED, "", datetime.now(UTC), None, done)


EXAMPLES = [run("plain", 0.9886, 10), run("residual", 0.9908, 10)]


def test_a_run_is_compared_with_the_example_of_the_same_network():
    said = comparison([run("residual", 0.9863)], EXAMPLES, seeds)
    assert said.startswith(
        "**residual** (98.63 %, after 1 epoch) is 0.45 points below the recorded residual "
        "(99.08 %, after 10 epochs)."
    )
    assert said.endswith(
        "Seeds alone make two such nets differ by up to 0.32 points in 19 of 20 cases, so this is "
        "more than chance."
    )


def test_another_network_is_compared_with_the_example_of_the_nearest_accuracy():
    said = comparison([run("own", 0.9885)], EXAMPLES, seeds)
    assert "0.01 points below the recorded plain" in said
    assert said.endswith("so this may be chance.")


def test_several_seeds_are_compared_by_their_mean():
    runs = [run("residual", accuracy, seed=seed) for seed, accuracy in enumerate((0.98, 0.99))]
    said = comparison(runs, EXAMPLES, seeds)
    assert said.startswith("**residual** (98.50 %, mean of 2 seeds) is 0.58 points below")


def test_nothing_is_said_before_a_run_is_over_or_where_nothing_is_known():
    live = replace(run("residual", 0.9), status=Status.RUNNING)
    assert comparison([live], EXAMPLES, seeds) == ""
    assert comparison([replace(run("residual", 0.9), epochs=())], EXAMPLES, seeds) == ""
    assert comparison([run("residual", 0.9)], [], seeds) == ""
    assert comparison([EXAMPLES[0]], EXAMPLES, seeds) == ""
    assert "Seeds" not in comparison([run("residual", 0.9)], EXAMPLES, lambda: None)


def test_a_name_is_shown_as_text():
    assert r"\*evil\*" in comparison([run("*evil*", 0.9)], EXAMPLES, seeds)


def test_equal_accuracies_are_as_good():
    assert "is as good as the recorded plain" in comparison([run("own", 0.9886)], EXAMPLES, seeds)
