"""How the command line tells of a training, of what is inside a network, and of a report."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table


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
                    f"{values['parameters']:,} parameters, {values['train_size']:,} images, "
                    f"on {', '.join(filter(None, [values['device'], values['note']]))}"
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


def print_inspection(found: dict[str, Any], title: str, labels: Sequence[str]) -> None:
    """Print what `explorer.inspection.report` found, in tables.

    Args:
        found: The report, with `epoch`.
        title: What the run is.
        labels: The classes' names.
    """
    console = Console(highlight=False)
    say = console.print
    prediction, image, score = found["prediction"], found["image"], found["score"]
    say(f"{title}, after epoch {found['epoch']}", style="bold", markup=False)
    if found["off"]:
        say(f"switched off: {', '.join(found['off'])}", markup=False)
    say(
        f"image {image['number']}: it says {labels[prediction['class']]}, "
        f"{100 * prediction['probability']:.2f} % sure; it is {labels[image['label']]}"
    )
    say(
        f"{100 * score['accuracy']:.2f} % of {score['images']:,} test images told right, "
        f"loss {score['loss']:.4f}\n"
    )
    parts = _table("part", "what", "shape", "sees", "mean", "std", "zeros")
    for part in found["parts"]:
        numbers = part["statistics"]
        parts.add_row(
            "  " * part["depth"] + part["name"],
            part["text"],
            "×".join(map(str, part["shape"])),
            _sees(part["receptive_field"]),
            f"{numbers['mean']:.3f}",
            f"{numbers['std']:.3f}",
            f"{100 * numbers['zeros']:.0f} %",
        )
    say(parts)
    if found["ablation"]:
        ablation = _table("without", "accuracy", "points", "loss")
        for row in sorted(found["ablation"], key=lambda row: float(row["accuracy"])):
            ablation.add_row(
                row["branch"],
                f"{100 * row['accuracy']:.2f} %",
                f"{100 * row['accuracy_difference']:+.2f}",
                f"{row['loss']:.4f}",
            )
        say(ablation)
    cost = _table("part", "parameters", "multiply-adds", "ms for 64 images")
    for row in found["cost"]:
        cost.add_row(
            "  " * row["depth"] + row["name"],
            f"{row['parameters']:,}",
            f"{row['macs']:,}",
            "" if row["milliseconds"] is None else f"{row['milliseconds']:.2f}",
        )
    say(cost)
    for verdict in found["linearity"]:
        say(_verdict(verdict), markup=False)


def print_checks(found: dict[str, Any]) -> None:
    """Print a report's layers, and then its findings."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{found['name']}  {found['origin']}", style="bold", markup=False)
    if layers := found.get("layers"):
        table = _table("layer", "what", "shape", "parameters", "multiply-adds")
        for layer in layers:
            table.add_row(
                layer["name"],
                layer["layer"],
                "×".join(map(str, layer["shape"])),
                f"{layer['parameters']:,}",
                f"{layer['macs']:,}",
            )
        console.print(table)
    for finding in found["findings"]:
        verdict = finding["verdict"]
        colour = {"ok": "green", "note": "yellow", "error": "red"}[verdict]
        console.print(f"{verdict:<5}  ", style=colour, end="")
        console.print(f"{finding['check']:<10}  {finding['text']}", markup=False)
        if finding["place"]:
            console.print(f"{'':19}{_from_here(finding['place'])}", style="dim", markup=False)
    console.print()


def _from_here(place: str) -> str:
    here = f"{Path().resolve()}{os.sep}"
    return place.removeprefix(here)


def _verdict(verdict: dict[str, Any]) -> str:
    block, one, tail = verdict["block"], verdict["replacement"], verdict["tail_replacement"]
    words = f"{block} is not affine (superposition fails by {verdict['error']:.1e})."
    if one:
        where = "" if one["exact"] else ", all but the borders"
        words = (
            f"{block} is affine: one {one['text']} does what it does{where}; {one['parameters']:,} "
            f"parameters instead of {verdict['parameters']:,}."
        )
    if tail:
        words += (
            f" From its input to the logits one {tail['text']} would do: {tail['parameters']:,} "
            f"parameters instead of {verdict['tail_parameters']:,}."
        )
    return words


def _sees(field: dict[str, Any] | None) -> str:
    return field["text"].replace("the whole image", "all") if field else ""


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        words = column in ("part", "layer", "what", "without")
        # A name that was cut could not be given to `--off`.
        table.add_column(column, justify="left" if words else "right", overflow="fold")
    return table
