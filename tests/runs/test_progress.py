from datetime import UTC, datetime

import pytest

from explorer.runs.progress import Progress, progress
from explorer.runs.run import Run, RunSpec, Status
from explorer.training.events import Epoch, Started, Step
from explorer.training.recipe import preset


def run(status=Status.RUNNING, epochs=0, started=True) -> Run:
    spec = RunSpec("plain", {}, "mnist", preset("tutorial").changed(epochs=4), "code")
    done = tuple(Epoch(i + 1, 0.1, 0.9, 0.1, 0.9, 12.0, 640.0) for i in range(epochs))
    start = Started("cpu", 1, 6400, 1000, 100, 4) if started else None
    return Run(spec.id, spec, status, "", datetime.now(UTC), start, done)


def steps(last: int) -> list[Step]:
    return [Step(n, 1, 0.5, 0.8, 0.01, 640.0, 1280) for n in range(20, last + 1, 20)]


def test_before_the_first_step_there_is_nothing_to_estimate_from():
    assert progress(run(Status.QUEUED, started=False), []) == Progress(0.0, None, None)
    assert progress(run(), []).time_left == ""
    quick = Step(1, 1, 2.3, 0.1, 0.01, 640.0, 64)
    assert progress(run(), [quick]) == Progress(1 / 400, None, None)


def test_the_time_left_counts_the_images_left_and_the_scoring_of_each_epoch():
    # An epoch takes 10 s of training at 640 images/s and 2 s of scoring.
    assert progress(run(), steps(60)).seconds_left == pytest.approx(34)
    assert progress(run(epochs=1), steps(160)).seconds_left == pytest.approx(24 + 3 * 2)
    assert progress(run(epochs=1), steps(160)).fraction == pytest.approx(160 / 400)


def test_one_slow_report_moves_the_estimate_little():
    slow = Step(180, 2, 0.5, 0.8, 0.01, 64.0, 1280)
    assert progress(run(epochs=1), [*steps(160), slow]).images_per_second > 300


def test_a_finished_run_is_all_there():
    assert progress(run(Status.FINISHED, epochs=4), steps(400)).fraction == 1.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.4, "4 s left"), (130, "2 min 10 s left"), (7300, "2 h 1 min left"), (None, "")],
)
def test_times_are_said_as_people_say_them(seconds, text):
    assert Progress(0.5, seconds, 1.0).time_left == text
