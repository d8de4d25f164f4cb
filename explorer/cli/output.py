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

from explorer.cli.common import in_english
from explorer.cli.wide import columns, padded
from explorer.language import again, author, english, later, listed, recognise, say
from explorer.settings import Row
from explorer.text import dimensions

_VERDICTS = {"ok": later("ok"), "note": later("note"), "error": later("error")}
_EVERYTHING = later("the whole image")  # what a receptive field says of itself


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
        line = json.dumps({"event": kind, **in_english(values)})
        print(line, file=self._stdout, flush=True)


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
        self._task = self._progress.add_task(say("preparing"), total=None, speed="")

    @contextmanager
    def open(self) -> Iterator[None]:
        """Show the bar while the block runs."""
        with self._progress:
            yield

    def event(self, kind: str, values: dict[str, Any]) -> None:
        """Move the bar, or print a line above it."""
        show = self._console.print
        match kind:
            case "started":
                self._total = values["steps_per_epoch"] * values["epochs"]
                self._epochs = values["epochs"]
                done = values["steps_per_epoch"] * values["finished_epochs"]
                self._progress.update(self._task, total=self._total, completed=done)
                note = values["note"] and recognise(values["note"])
                show(
                    say(
                        "{parameters:,} parameters, {images:,} images, on {device}",
                        parameters=values["parameters"],
                        images=values["train_size"],
                        device=listed([*filter(None, (values["device"], note))], ","),
                    )
                )
            case "step":
                self._progress.update(
                    self._task,
                    completed=values["step"],
                    description=say(
                        "epoch {epoch}/{epochs}", epoch=values["epoch"], epochs=self._epochs
                    ),
                    speed=say(
                        "loss {loss:.3f}  {speed:,.0f} images/s",
                        loss=values["loss"],
                        speed=values["images_per_second"],
                    ),
                )
            case "epoch":
                show(
                    say(
                        "epoch {epoch:>3}  train {train:.2f} % ({train_loss:.4f})  "
                        "test {test:.2f} % ({test_loss:.4f})  {seconds:.1f} s",
                        epoch=values["epoch"],
                        train=100 * values["train_accuracy"],
                        train_loss=values["train_loss"],
                        test=100 * values["test_accuracy"],
                        test_loss=values["test_loss"],
                        seconds=values["seconds"],
                    )
                )
            case "finished":
                show(say("run {id}", id=values["run"]))
            case "failed":
                failed = say("Failed: {reason}", reason=recognise(values["reason"]))
                show(failed, style="red", markup=False)


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
        off = say("switched off (ablation): {parts}", parts=listed(found["off"], ","))
        console.print(off, markup=False)
    for name, section in _SECTIONS.items():
        if name in found["failed"]:
            console.print(again(found["failed"][name]), markup=False)
            continue
        for shown in section(found, classes):
            console.print(shown, markup=False)


def _prediction(found: dict[str, Any], classes: Sequence[str]) -> Iterator[str]:
    prediction, image = found["prediction"], found["image"]
    yield say(
        "image {number}: predicted {predicted} ({probability:.2f} %), label {label}",
        number=image["number"],
        predicted=classes[prediction["class"]],
        probability=100 * prediction["probability"],
        label=classes[image["label"]],
    )


def _patching(found: dict[str, Any], classes: Sequence[str]) -> Iterator[str]:
    if patched := found["patching"]:
        yield say(
            "with {part} as for image {number} (patching): predicted {predicted} "
            "({probability:.2f} %)",
            part=patched["part"],
            number=patched["image"],
            predicted=classes[patched["class"]],
            probability=100 * patched["probability"],
        )


def _excites(found: dict[str, Any], classes: Sequence[str]) -> Iterator[str | Table]:
    if not (excites := found["excites"]):
        return
    channel = f"{excites['part']}:{excites['channel']}"
    yield say(
        "what excites {channel} in {images:,} test images; the class explains {share:.0f} % of "
        "its variance",
        channel=channel,
        images=excites["images"],
        share=100 * excites["explained"],
    )
    table = _table(later("excite it most"), later("value"), later("least"), later("value"))
    for most, least in zip(excites["most"], excites["least"], strict=True):
        table.add_row(
            say("image {number}", number=most["image"]),
            f"{most['value']:.3f}",
            say("image {number}", number=least["image"]),
            f"{least['value']:.3f}",
        )
    yield table
    table = _table(later("class"), later("mean"), later("std"))
    for name, mean, std in zip(
        classes, excites["mean_by_class"], excites["std_by_class"], strict=True
    ):
        table.add_row(name, *("" if value is None else f"{value:.3f}" for value in (mean, std)))
    yield table


def _score(found: dict[str, Any], _: Sequence[str]) -> Iterator[str]:
    score = found["score"]
    line = say(
        "{share:.2f} % of {images:,} test images classified correctly, loss {loss:.4f}",
        share=100 * score["accuracy"],
        images=score["images"],
        loss=score["loss"],
    )
    yield f"{line}\n"


def _parts(found: dict[str, Any], _: Sequence[str]) -> Iterator[Table]:
    table = _table(
        later("part"),
        later("what"),
        later("shape"),
        later("receptive field"),
        later("mean"),
        later("std"),
        later("zeros"),
        later("zero channels"),
    )
    for part in found["parts"]:
        numbers = part["statistics"]
        table.add_row(
            "  " * part["depth"] + part["name"],
            again(part["text"]),
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
        is_mean = found["ablation"][0]["instead"] == "mean"
        gives = later("gives its mean") if is_mean else later("gives zeros")
        table = _table(gives, later("accuracy"), later("points"), later("loss"))
        for row in sorted(found["ablation"], key=lambda row: float(row["accuracy"])):
            table.add_row(
                row["branch"],
                f"{100 * row['accuracy']:.2f} %",
                f"{100 * row['accuracy_difference']:+.2f}",
                f"{row['loss']:.4f}",
            )
        yield table


def _cost(found: dict[str, Any], _: Sequence[str]) -> Iterator[Table]:
    table = _table(
        later("part"), later("parameters"), later("multiply-adds"), later("ms for 64 images")
    )
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
    width = max(columns(answer["file"]) for answer in found)
    for answer in found:
        file = padded(answer["file"], width)
        if "error" in answer:
            line = say("{file}  cannot be used: {reason}", file=file, reason=answer["error"])
            print(line, file=sys.stderr)
            continue
        predicted = answer["predicted"]
        probability = 100 * answer["probabilities"][predicted]
        print(f"{file}  {author(predicted)}  {probability:6.2f} %")
        if not answer["sure"]:
            doubt = say("not sure: {reason}", reason=answer["doubt"])
            print(f"{'':{width}}  {doubt}")


def print_checks(found: dict[str, Any]) -> None:
    """Print an architecture's layers, if there are any, and then the findings of its checks."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{found['name']}  {found['origin']}", style="bold", markup=False)
    if layers := found.get("layers"):
        table = _table(
            later("layer"),
            later("what"),
            later("shape"),
            later("parameters"),
            later("multiply-adds"),
        )
        for layer in layers:
            table.add_row(
                layer["name"],
                again(layer["layer"]),
                dimensions(layer["shape"]),
                f"{layer['parameters']:,}",
                f"{layer['macs']:,}",
            )
        console.print(table)
    for finding in found["findings"]:
        verdict = finding["verdict"]
        colour = {"ok": "green", "note": "yellow", "error": "red"}[verdict]
        console.print(f"{padded(say(_VERDICTS[verdict]), 5)}  ", style=colour, end="")
        console.print(f"{finding['check']:<10}  {again(finding['text'])}", markup=False)
        if finding["place"]:
            console.print(f"{'':19}{_from_here(finding['place'])}", style="dim", markup=False)
    console.print()


def print_settings(found: Sequence[Row]) -> None:
    """Print settings as three columns: name, value and origin."""
    name = max(len(row.name) for row in found)
    # A long value, as a path is, pushes its own line only.
    value = min(max(columns(row.text) for row in found), 30)
    for row in found:
        print(f"{row.name:{name}}  {padded(row.text, value)}  {say(row.origin)}")


def _from_here(place: str) -> str:
    here = f"{Path().resolve()}{os.sep}"
    return place.removeprefix(here)


def _verdict(verdict: dict[str, Any]) -> str:
    block, one, tail = verdict["block"], verdict["replacement"], verdict["tail_replacement"]
    if not one:
        words = say(
            "{block} is not affine (superposition fails by {error:.1e}).",
            block=block,
            error=verdict["error"],
        )
    elif one["exact"]:
        words = say(
            "{block} is affine: one {layer} computes the same, with {few:,} parameters instead of "
            "{many:,}.",
            block=block,
            layer=one["text"],
            few=one["parameters"],
            many=verdict["parameters"],
        )
    else:
        words = say(
            "{block} is affine: one {layer} computes the same, except at the borders, with "
            "{few:,} parameters instead of {many:,}.",
            block=block,
            layer=one["text"],
            few=one["parameters"],
            many=verdict["parameters"],
        )
    if not tail:
        return words
    beyond = say(
        "From its input to the logits, one {layer} computes the same, with {few:,} parameters "
        "instead of {many:,}.",
        layer=tail["text"],
        few=tail["parameters"],
        many=verdict["tail_parameters"],
    )
    return say("{first} {second}", first=words, second=beyond)


def _field(field: dict[str, Any] | None) -> str:
    if field is None:
        return ""
    text = field["text"]
    return say("all") if english(text) == _EVERYTHING else again(text)


def _table(*titles: str) -> Table:
    """Return a table without rows, whose columns have these titles, which are marked by `later`."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        is_name = title in ("part", "layer")
        justify: Literal["left", "right"] = "left" if is_name or title == "what" else "right"
        # `--off` takes whole names only, so none is cut, and none is broken while there is room.
        table.add_column(say(title), justify=justify, overflow="fold", no_wrap=is_name)
    return table
