"""What the command line prints of a training, of the inside of a network, and of checks."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from explorer.settings import Row
from explorer.text import dimensions


class JsonLines:
    """Prints the events of a training, one JSON object a line."""

    def __init__(self) -> None:
        self._stdout = sys.stdout

    @contextmanager
    def open(self) -> Iterator[None]:
        """Print on standard error what the network prints while the block runs."""
        with redirect_stdout(sys.stderr):
            yield

    def event(self, kind: str, values: dict[str, Any]) -> None:
        """Print one event."""
        print(json.dumps({"event": kind, **values}), file=self._stdout, flush=True)


class ProgressBar:
    """Shows a training as a progress bar, and prints a line for each epoch."""

    def __init__(self) -> None:
        self._console = Console()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task("preparing", total=None, speed="")

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
                    speed=f"loss {values['loss']:.3f}  {values['images_per_second']:,.0f} images/s",
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


def print_inspection(found: dict[str, Any], title: str, classes: Sequence[str]) -> None:
    """Print what `explorer.inspection.report` found, in tables.

    Args:
        found: The report.
        title: A line that says which network it is.
        classes: Their names.
    """
    console = Console(highlight=False)
    console.print(title, style="bold", markup=False)
    if found["off"]:
        console.print(f"switched off (ablation): {', '.join(found['off'])}", markup=False)
    for name, section in _SECTIONS.items():
        if name in found["failed"]:
            console.print(found["failed"][name], markup=False)
            continue
        for shown in section(found, classes):
            console.print(shown, markup=False)


def _prediction(found: dict[str, Any], classes: Sequence[str]) -> Iterator[str]:
    prediction, image = found["prediction"], found["image"]
    yield (
        f"image {image['number']}: predicted {classes[prediction['class']]} "
        f"({100 * prediction['probability']:.2f} %), label {classes[image['label']]}"
    )


def _patching(found: dict[str, Any], classes: Sequence[str]) -> Iterator[str]:
    if patched := found["patching"]:
        yield (
            f"with {patched['part']} as for image {patched['image']} (patching): predicted "
            f"{classes[patched['class']]} ({100 * patched['probability']:.2f} %)"
        )


def _excites(found: dict[str, Any], classes: Sequence[str]) -> Iterator[str | Table]:
    if not (excites := found["excites"]):
        return
    channel = f"{excites['part']}:{excites['channel']}"
    yield (
        f"what excites {channel} in {excites['images']:,} test images; the class explains "
        f"{100 * excites['explained']:.0f} % of its variance"
    )
    table = _table("excite it most", "value", "least", "value")
    for most, least in zip(excites["most"], excites["least"], strict=True):
        table.add_row(
            f"image {most['image']}",
            f"{most['value']:.3f}",
            f"image {least['image']}",
            f"{least['value']:.3f}",
        )
    yield table
    table = _table("class", "mean", "std")
    for name, mean, std in zip(
        classes, excites["mean_by_class"], excites["std_by_class"], strict=True
    ):
        table.add_row(name, *("" if value is None else f"{value:.3f}" for value in (mean, std)))
    yield table


def _score(found: dict[str, Any], _: Sequence[str]) -> Iterator[str]:
    score = found["score"]
    yield (
        f"{100 * score['accuracy']:.2f} % of {score['images']:,} test images classified correctly, "
        f"loss {score['loss']:.4f}\n"
    )


def _parts(found: dict[str, Any], _: Sequence[str]) -> Iterator[Table]:
    table = _table(
        "part", "what", "shape", "receptive field", "mean", "std", "zeros", "zero channels"
    )
    for part in found["parts"]:
        numbers = part["statistics"]
        table.add_row(
            "  " * part["depth"] + part["name"],
            part["text"],
            dimensions(part["shape"]),
            _field(part["receptive_field"]),
            f"{numbers['mean']:.3f}",
            f"{numbers['std']:.3f}",
            f"{100 * numbers['zeros']:.0f} %",
            str(numbers["dead"] or ""),
        )
    yield table


def _ablation(found: dict[str, Any], _: Sequence[str]) -> Iterator[Table]:
    if found["ablation"]:
        gives = "its mean" if found["ablation"][0]["instead"] == "mean" else "zeros"
        table = _table(f"gives {gives}", "accuracy", "points", "loss")
        for row in sorted(found["ablation"], key=lambda row: float(row["accuracy"])):
            table.add_row(
                row["branch"],
                f"{100 * row['accuracy']:.2f} %",
                f"{100 * row['accuracy_difference']:+.2f}",
                f"{row['loss']:.4f}",
            )
        yield table


def _cost(found: dict[str, Any], _: Sequence[str]) -> Iterator[Table]:
    table = _table("part", "parameters", "multiply-adds", "ms for 64 images")
    for row in found["cost"]:
        table.add_row(
            "  " * row["depth"] + row["name"],
            f"{row['parameters']:,}",
            f"{row['macs']:,}",
            "" if row["milliseconds"] is None else f"{row['milliseconds']:.2f}",
        )
    yield table


def _linearity(found: dict[str, Any], _: Sequence[str]) -> Iterator[str]:
    for verdict in found["linearity"]:
        yield _verdict(verdict)


# The sections of a report that are printed; its JSON has more.
_SECTIONS: Mapping[str, Callable[[dict[str, Any], Sequence[str]], Iterator[str | Table]]] = {
    "prediction": _prediction,
    "patching": _patching,
    "excites": _excites,
    "score": _score,
    "parts": _parts,
    "ablation": _ablation,
    "cost": _cost,
    "linearity": _linearity,
}


def print_predictions(found: Sequence[dict[str, Any]]) -> None:
    """Print what was predicted of each picture, and doubts and errors below its line."""
    width = max(len(answer["file"]) for answer in found)
    for answer in found:
        if "error" in answer:
            print(f"{answer['file']:{width}}  cannot be used: {answer['error']}", file=sys.stderr)
            continue
        predicted = answer["predicted"]
        probability = 100 * answer["probabilities"][predicted]
        print(f"{answer['file']:{width}}  {predicted}  {probability:6.2f} %")
        if not answer["sure"]:
            print(f"{'':{width}}  not sure: {answer['doubt']}")


def print_checks(found: dict[str, Any]) -> None:
    """Print an architecture's layers, if there are any, and then the findings of its checks."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{found['name']}  {found['origin']}", style="bold", markup=False)
    if layers := found.get("layers"):
        table = _table("layer", "what", "shape", "parameters", "multiply-adds")
        for layer in layers:
            table.add_row(
                layer["name"],
                layer["layer"],
                dimensions(layer["shape"]),
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


def print_settings(found: Sequence[Row]) -> None:
    """Print settings as three columns: name, value and origin."""
    name = max(len(row.name) for row in found)
    # A long value, as a path is, pushes its own line only.
    value = min(max(len(row.text) for row in found), 30)
    for row in found:
        print(f"{row.name:{name}}  {row.text:{value}}  {row.origin}")


def _from_here(place: str) -> str:
    here = f"{Path().resolve()}{os.sep}"
    return place.removeprefix(here)


def _verdict(verdict: dict[str, Any]) -> str:
    block, one, tail = verdict["block"], verdict["replacement"], verdict["tail_replacement"]
    words = f"{block} is not affine (superposition fails by {verdict['error']:.1e})."
    if one:
        where = "" if one["exact"] else ", except at the borders"
        words = (
            f"{block} is affine: one {one['text']} computes the same{where}, with "
            f"{one['parameters']:,} parameters instead of {verdict['parameters']:,}."
        )
    if tail:
        words += (
            f" From its input to the logits, one {tail['text']} computes the same, with "
            f"{tail['parameters']:,} parameters instead of {verdict['tail_parameters']:,}."
        )
    return words


def _field(field: dict[str, Any] | None) -> str:
    return field["text"].replace("the whole image", "all") if field else ""


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        is_name = column in ("part", "layer", "switched off")
        justify: Literal["left", "right"] = "left" if is_name or column == "what" else "right"
        # `--off` takes whole names only, so none is cut, and none is broken while there is room.
        table.add_column(column, justify=justify, overflow="fold", no_wrap=is_name)
    return table
