"""How far a run has come, and how long it will still take."""

from dataclasses import dataclass

from explorer.events import Step
from explorer.runs import Run, Status


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        fraction: Of its steps, 0–1.
        seconds_left: An estimate, or `None` while there is nothing to estimate from.
        images_per_second: By the last report, or `None` before the first.
    """

    fraction: float
    seconds_left: float | None
    images_per_second: float | None

    @property
    def time_left(self) -> str:
        """The estimate as people say it, such as `2 min 10 s left`; empty without one."""
        if self.seconds_left is None:
            return ""
        seconds = round(self.seconds_left)
        if seconds < 60:
            return f"{seconds} s left"
        if seconds < 3600:
            return f"{seconds // 60} min {seconds % 60} s left"
        return f"{seconds // 3600} h {seconds % 3600 // 60} min left"


def progress(run: Run, last: Step | None) -> Progress:
    """How far `run` has come, by the last step that it reported."""
    if run.status is Status.FINISHED:
        return Progress(1.0, 0.0, last.images_per_second if last else None)
    if run.started is None:
        return Progress(0.0, None, None)
    total = run.started.steps_per_epoch * run.spec.recipe.epochs
    done = max(
        run.started.steps_per_epoch * len(run.epochs),
        last.step if last else 0,
    )
    if last is None:
        return Progress(done / total, None, None)
    images = run.started.train_size * run.spec.recipe.epochs * (1 - done / total)
    # What an epoch takes beyond its steps is its scoring on the test images.
    scoring = 0.0
    if run.epochs:
        epoch = run.epochs[-1]
        scoring = max(0.0, epoch.seconds - run.started.train_size / epoch.images_per_second)
    left = images / last.images_per_second
    left += scoring * (run.spec.recipe.epochs - len(run.epochs))
    return Progress(done / total, left, last.images_per_second)
