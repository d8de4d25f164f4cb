from datetime import UTC, datetime

import pytest

from explorer.events import Epoch, Started, Step
from explorer.progress import Progress, progress
from explorer.recipe import preset
from explorer.runs import Run, RunSpec, Status


def run(status=Status.RUNNING, epochs=0, started=True) -> Run:
    spec = RunSpec("plain", {}, "mnist", preset("tutorial").changed(epochs=4), "code")
    done = tuple(Epoch(i + 1, 0.1, 0.9, 0.1, 0.9, 12.0, 640.0) for i in range(epochs))
    start = Started("cpu", 1, 6400, 1000, 100, 4) if started else None
    return Run(spec.id, spec, status, "", datetime.now(UTC), start, done)


def step(number: int) -> Step:
    return Step(number, 1, 0.5, 0.8, 0.01, 640.0, 1280)


def test_before_the_first_step_there_is_nothing_to_estimate_from():
    assert progress(run(Status.QUEUED, started=False), None) == Progress(0.0, None, None)
    assert progress(run(), None).time_left == ""


def test_the_time_left_counts_the_images_left_and_the_scoring_of_each_epoch():
    # An epoch takes 10 s of training at 640 images/s and 2 s of scoring.
    assert progress(run(), step(50)).seconds_left == pytest.approx(35)
    assert progress(run(epochs=1), step(150)).seconds_left == pytest.approx(25 + 3 * 2)
    assert progress(run(epochs=1), step(150)).fraction == pytest.approx(150 / 400)


def test_a_finished_run_is_all_there():
    assert progress(run(Status.FINISHED, epochs=4), step(400)).fraction == 1.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.4, "4 s left"), (130, "2 min 10 s left"), (7300, "2 h 1 min left"), (None, "")],
)
def test_times_are_said_as_people_say_them(seconds, text):
    assert Progress(0.5, seconds, 1.0).time_left == text
