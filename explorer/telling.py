"""How the command line tells of a training: as JSON lines, or as a progress bar."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class JsonLines:
    """Tells of a training as one JSON object a line."""

    @contextmanager
    def open(self) -> Iterator[None]:
        """Nothing to open."""
        yield

    def event(self, kind: str, values: dict[str, Any]) -> None:
        """Print one event."""
        print(json.dumps({"event": kind, **values}), flush=True)


class ProgressBar:
    """Tells of a training as a progress bar, and a line for each epoch."""

    def __init__(self) -> None:
        self._console = Console()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[news]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task("preparing", total=None, news="")

    @contextmanager
    def open(self) -> Iterator[None]:
        """Show the bar while the block runs."""
        with self._progress:
            yield

    def event(self, kind: str, values: dict[str, Any]) -> None:
        """Move the bar, or print a line above it."""
        say = self._console.print
        match kind:
            case "started":
                self._total = values["steps_per_epoch"] * values["epochs"]
                self._epochs = values["epochs"]
                done = values["steps_per_epoch"] * values["finished_epochs"]
                self._progress.update(self._task, total=self._total, completed=done)
                say(
                    f"{values['weights']:,} weights, {values['train_size']:,} images, "
                    f"on {values['device']}"
                )
            case "step":
                self._progress.update(
                    self._task,
                    completed=values["step"],
                    description=f"epoch {values['epoch']}/{self._epochs}",
                    news=f"loss {values['loss']:.3f}  {values['images_per_second']:,.0f} images/s",
                )
            case "epoch":
                say(
                    f"epoch {values['epoch']:>3}  "
                    f"train {100 * values['train_accuracy']:.2f} % ({values['train_loss']:.4f})  "
                    f"test {100 * values['test_accuracy']:.2f} % ({values['test_loss']:.4f})  "
                    f"{values['seconds']:.1f} s"
                )
            case "finished":
                say(f"run {values['run']}")
            case "failed":
                say(f"Failed: {values['reason']}", style="red", markup=False)
