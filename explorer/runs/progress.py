"""How far a run is, and how long the rest will take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from explorer.language import say
from explorer.runs.run import Run, RunSpec, Status
from explorer.training.events import Step

RECENT = 40  # reports that the speed is averaged over
ENOUGH_SECONDS = 1.0  # of training, before its speed is estimated


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        fraction: Share of its steps that are done, 0–1.
        seconds_left: An estimate, or `None` while there is nothing to estimate it from.
        images_per_second: Over the last reports, or `None` while there are too few.
    """

    fraction: float
    seconds_left: float | None
    images_per_second: float | None

    @property
    def time_left(self) -> str:
        """The estimate in words, such as `2 min 10 s left`; empty without one."""
        if self.seconds_left is None:
            return ""
        return say("{time} left", time=duration(self.seconds_left))


def duration(seconds: float) -> str:
    """Say how long something takes, such as `2 min 10 s`."""
    whole = round(seconds)
    if whole < 60:
        return say("{seconds} s", seconds=whole)
    if whole < 3600:
        return say("{minutes} min {seconds} s", minutes=whole // 60, seconds=whole % 60)
    return say("{hours} h {minutes} min", hours=whole // 3600, minutes=whole % 3600 // 60)


def usual_seconds(spec: RunSpec, finished: Iterable[Run], images: int | None) -> float | None:
    """Estimate how long a run takes: as long for an image as finished runs of the same network.

    Args:
        spec: What is to be trained.
        finished: Runs; where none is of the same network, all of them count.
        images: How many training images its data set has; `None` if that is not known.

    Returns:
        `None` if there is nothing to estimate it from.
    """
    known = [
        (run.spec.architecture, run.seconds / (run.started.train_size * len(run.epochs)))
        for run in finished
        if run.started and run.epochs and run.seconds
    ]
    same = [each for name, each in known if name == spec.architecture]
    size = spec.recipe.train_size or images
    if not known or not size:
        return None
    return median(same or [each for _, each in known]) * size * spec.recipe.epochs


def progress(run: Run, steps: Sequence[Step]) -> Progress:
    """Return how far `run` is, from the steps that it reported."""
    recent = steps[-RECENT:]
    seconds = sum(step.images / step.images_per_second for step in recent)
    speed = sum(step.images for step in recent) / seconds if seconds > ENOUGH_SECONDS else None
    if run.status is Status.FINISHED:
        return Progress(1.0, 0.0, speed)
    if run.started is None:
        return Progress(0.0, None, None)
    total = run.started.steps_per_epoch * run.spec.recipe.epochs
    done = max(run.started.steps_per_epoch * len(run.epochs), steps[-1].step if steps else 0)
    if speed is None:
        return Progress(done / total, None, None)
    images = run.started.train_size * run.spec.recipe.epochs * (1 - done / total)
    # What an epoch takes beyond its steps is the scoring of the test images.
    scoring = 0.0
    if run.epochs:
        epoch = run.epochs[-1]
        scoring = max(0.0, epoch.seconds - run.started.train_size / epoch.images_per_second)
    left = images / speed + scoring * (run.spec.recipe.epochs - len(run.epochs))
    return Progress(done / total, left, speed)
