"""Learning curves: accuracy and loss over the epochs, several runs on one chart.

Runs that differ only in their seed share a hue: each line is thin, their mean is bold. Imported
weights, which had no epochs here, are level lines. Axes are fixed from the start, so nothing jumps
while a run is live.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from explorer.charts.style import GRID, RUNS, Plain, as_text, layout, translucent
from explorer.runs.run import Run
from explorer.text import cut
from explorer.training.events import Epoch, Score, Step

MOST_POINTS = 80  # of one line; more is noise
LEAST_IMAGES = 1000  # averaged in one point; the accuracy of a few is noisy
LABELS = 0.28  # share of the width that is kept for the labels at the lines' ends
LABEL_WIDTH = 24  # characters
LINE_HEIGHT = 15  # pixels
AT_EPOCH = "epoch %{x:.3~g}: "  # what a reader sees first at a point
MOST_LONG_LABELS = 6  # with more of them, each has a single line for its name


@dataclass(frozen=True, slots=True)
class Trace:
    """A run as a chart needs it.

    Attributes:
        run: The run.
        steps: What it reported between epochs; may be empty.
        label: What distinguishes it from the others on the chart.
        scores: Its scores within epochs; may be empty.
    """

    run: Run
    steps: Sequence[Step]
    label: str
    scores: Sequence[Score] = ()


@dataclass(frozen=True, slots=True)
class _Point:
    epoch: float
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class _Measure:
    """What the y axis shows: `place` turns a value into a height on an even axis."""

    name: str
    height: int
    value: Callable[[_Point], float]
    place: Callable[[float], float]
    text: Callable[[float], str]
    tick: Callable[[float], str]
    ticks: tuple[float, ...]
    top: float

    @property
    def range(self) -> tuple[float, float]:
        return self.place(self.ticks[0]), self.place(self.top)


# Errors on a logarithmic scale: from 98 to 99 % is as far as from 80 to 90 % … from 0 to 50 %,
# since each step halves the errors.
_ACCURACY = _Measure(
    name="accuracy",
    height=400,
    value=lambda point: point.accuracy,
    place=lambda accuracy: -math.log10(1 - min(accuracy, 0.9985)),
    text=lambda accuracy: f"{100 * accuracy:.2f} %",
    tick=lambda accuracy: f"{100 * accuracy:g} %",
    ticks=(0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998),
    top=0.9985,
)
_LOSS = _Measure(
    name="loss",
    height=260,
    value=lambda point: point.loss,
    place=lambda loss: math.log10(min(max(loss, 0.003), 4)),
    text=lambda loss: f"{loss:.3f}",
    tick=lambda loss: f"{loss:g}",
    ticks=(0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
    top=4,
)


def accuracy_curves(traces: Sequence[Trace]) -> Plain:
    """Draw accuracy by epoch, on a scale stretched towards 100 %: test solid, training dashed."""
    return _curves(traces, _ACCURACY)


def loss_curves(traces: Sequence[Trace]) -> Plain:
    """Draw cross-entropy by epoch on a logarithmic scale: test solid, training dashed."""
    return _curves(traces, _LOSS)


def run_hues(runs: Sequence[Run]) -> Mapping[str, str]:
    """Return a hue for each run by id; runs that differ only in their seed share one."""
    families: dict[str, str] = {}
    for run in sorted(runs, key=lambda run: run.created):  # a new run changes no other's hue
        families.setdefault(_family(run), RUNS[len(families) % len(RUNS)])
    return {run.id: families[_family(run)] for run in runs}


def _curves(traces: Sequence[Trace], measure: _Measure) -> Plain:
    hues = run_hues([trace.run for trace in traces])
    families: dict[str, list[Trace]] = defaultdict(list)
    for trace in traces:
        families[_family(trace.run)].append(trace)

    epochs = max((trace.run.spec.recipe.epochs for trace in traces), default=1)
    lines: list[dict[str, Any]] = []
    ends: list[tuple[_Point, str, str]] = []
    for family in families.values():
        hue = hues[family[0].run.id]
        label = family[0].label if len(family) == 1 else _shared_label(family)
        tests = [_test(trace, epochs) for trace in family]
        for trace, test in zip(family, tests, strict=True):
            thin = len(family) > 1
            paler = translucent(hue, 0.5 if thin else 0.8)
            at = "" if trace.run.spec.imported else AT_EPOCH
            training = _training(trace, epochs)
            lines.append(_dashed(measure, training, f"{trace.label}, training", at, paler))
            colour, width = (paler, 1.0) if thin else (hue, 2.6)
            lines.append(_solid(measure, test, f"{trace.label}, test", at, colour, width))
        mean = _mean(tests)
        if len(family) > 1:
            lines.append(_solid(measure, mean, f"{label}, test", AT_EPOCH, hue, 3.2))
        if shown := mean or _training(family[0], epochs):
            ends.append((shown[-1], label, hue))

    annotations, shapes = _end_labels(measure, ends, epochs)
    return {
        "data": lines,
        "layout": {
            **layout(measure.height, " ".join([measure.name, *(t.run.id for t in traces)])),
            "margin": {"l": 4, "r": 0, "t": 10, "b": 40},
            "annotations": annotations,
            "shapes": shapes,
            "xaxis": {
                "range": [0, epochs / (1 - LABELS)],
                "title": {"text": "epoch", "standoff": 4},
                "tickvals": _whole_ticks(epochs),
                "showgrid": False,
                "zeroline": False,
            },
            "yaxis": {
                "range": list(measure.range),
                "tickvals": [measure.place(tick) for tick in measure.ticks],
                "ticktext": [measure.tick(tick) for tick in measure.ticks],
                "gridcolor": GRID,
                "zeroline": False,
                "automargin": True,
            },
        },
    }


def _dashed(
    measure: _Measure, points: Sequence[_Point], name: str, at: str, colour: str
) -> dict[str, Any]:
    return {
        **_line(measure, points, name, at),
        "mode": "lines",
        "line": {"color": colour, "width": 1.2, "dash": "dash"},
    }


def _solid(
    measure: _Measure, points: Sequence[_Point], name: str, at: str, colour: str, width: float
) -> dict[str, Any]:
    return {
        **_line(measure, points, name, at),
        "mode": "lines+markers",
        "line": {"color": colour, "width": width, "dash": "solid"},
        # The end of an epoch is larger: all test images are scored there.
        "marker": {"size": [2 * width + (2 if float(p.epoch).is_integer() else 0) for p in points]},
    }


def _line(measure: _Measure, points: Sequence[_Point], name: str, at: str) -> dict[str, Any]:
    values = [measure.value(point) for point in points]
    return {
        "type": "scatter",
        "x": [round(point.epoch, 3) for point in points],
        "y": [round(measure.place(value), 4) for value in values],
        "customdata": [measure.text(value) for value in values],
        "name": as_text(name),
        "hovertemplate": f"{at}<b>%{{customdata}}</b><extra>%{{fullData.name}}</extra>",
    }


def _end_labels(
    measure: _Measure, ends: Sequence[tuple[_Point, str, str]], epochs: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return each line's name and last value where it ends, and what leads from one to the other.

    Labels are moved apart where they would overlap.
    """
    wanted = [measure.place(measure.value(point)) for point, _, _ in ends]
    texts = [
        [*_lines(label, len(ends)), f"<b>{measure.text(measure.value(point))}</b>"]
        for point, label, _ in ends
    ]
    low, high = measure.range
    pixel = (high - low) / (measure.height - 50)
    rooms = [(LINE_HEIGHT * len(lines) + 4) * pixel for lines in texts]
    places = _apart(wanted, rooms, low, high)
    annotations, shapes = [], []
    for (point, _, hue), lines, y, place in zip(ends, texts, wanted, places, strict=True):
        annotations.append(
            {
                "x": epochs * 1.035,
                "y": place,
                "text": "<br>".join(lines),
                "font": {"color": hue, "size": 12},
                "showarrow": False,
                "xanchor": "left",
                "align": "left",
            }
        )
        if point.epoch > 0.9 * epochs:  # from further away it would look like a forecast
            shapes.append(
                {
                    "type": "line",
                    "x0": point.epoch,
                    "y0": y,
                    "x1": epochs * 1.03,
                    "y1": place,
                    "line": {"color": translucent(hue, 0.5), "width": 0.8, "dash": "dot"},
                }
            )
    return annotations, shapes


def _apart(wanted: Sequence[float], rooms: Sequence[float], low: float, high: float) -> list[float]:
    """Return middles near the wanted ones without overlaps, from `low` to `high` if all fit."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = list(wanted)
    ceiling = high
    for i in reversed(order):
        places[i] = min(places[i], ceiling - rooms[i] / 2)
        ceiling = places[i] - rooms[i] / 2
    floor = low
    for i in order:
        places[i] = max(places[i], floor + rooms[i] / 2)
        floor = places[i] + rooms[i] / 2
    return places


def _lines(label: str, labels: int) -> list[str]:
    """Return a label's first words, and the others on a second line if there is room for it."""
    name, *others = label.split(" · ")
    lines = [name, *filter(None, [", ".join(others)])]
    if labels > MOST_LONG_LABELS:
        lines = [", ".join(lines)]
    return [as_text(cut(line, LABEL_WIDTH)) for line in lines]


def _training(trace: Trace, epochs: int) -> list[_Point]:
    """Return the training curve, from the steps where there are any, else from the epochs."""
    run = trace.run
    if run.spec.imported:
        return _level(run, epochs, lambda e: (e.train_loss, e.train_accuracy))
    if not trace.steps or run.started is None:
        return [_Point(e.epoch, e.train_loss, e.train_accuracy) for e in run.epochs]
    enough = max(LEAST_IMAGES, sum(step.images for step in trace.steps) // MOST_POINTS)
    groups: list[list[Step]] = [[trace.steps[0]]]
    images = enough  # the first report is a point by itself, so that it is seen at once
    for step in trace.steps[1:]:
        if images >= enough:
            groups.append([])
            images = 0
        groups[-1].append(step)
        images += step.images
    if len(groups) > 2 and images < enough:
        last = groups.pop()
        groups[-1] += last
    return [_point(group, run.started.steps_per_epoch) for group in groups]


def _point(group: Sequence[Step], steps_per_epoch: int) -> _Point:
    images = [step.images for step in group]
    return _Point(
        group[-1].step / steps_per_epoch,
        fmean((step.loss for step in group), images),
        fmean((step.accuracy for step in group), images),
    )


def _test(trace: Trace, epochs: int) -> list[_Point]:
    """Return the test curve: the scores within each epoch, and that at its end."""
    run = trace.run
    if run.spec.imported:
        return _level(run, epochs, lambda e: (e.test_loss, e.test_accuracy))
    points = [_Point(e.epoch, e.test_loss, e.test_accuracy) for e in run.epochs]
    if run.started:
        steps = run.started.steps_per_epoch
        points += [_Point(score.step / steps, score.loss, score.accuracy) for score in trace.scores]
    return sorted(points, key=lambda point: point.epoch)


def _level(run: Run, epochs: int, scores: Callable[[Epoch], tuple[float, float]]) -> list[_Point]:
    """Return the scores of imported weights from the first epoch to the last: they had none."""
    return [_Point(at, *scores(epoch)) for epoch in run.epochs for at in (0, epochs)]


def _mean(curves: Sequence[Sequence[_Point]]) -> list[_Point]:
    """Return the mean by epoch, of the curves that are at least as long as the median one."""
    lengths = sorted(map(len, curves), reverse=True)
    common = lengths[len(lengths) // 2]
    far = [curve[:common] for curve in curves if len(curve) >= common]
    return [
        _Point(
            points[0].epoch,
            fmean(point.loss for point in points),
            fmean(point.accuracy for point in points),
        )
        for points in zip(*far, strict=True)
    ]


def _family(run: Run) -> str:
    return replace(run.spec, recipe=run.spec.recipe.changed(seed=0)).id


def _shared_label(family: Sequence[Trace]) -> str:
    name = family[0].label.split(" · seed")[0]
    done = sum(bool(trace.run.epochs) for trace in family)
    return f"{name} · mean of {done} seeds" if done else name


def _whole_ticks(epochs: int) -> list[int]:
    step = max(1, math.ceil(epochs / 10))
    return list(range(0, epochs + 1, step))
