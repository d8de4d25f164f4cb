"""Learning curves: accuracy and loss over the epochs, several runs on one chart.

Runs that differ only in their seed look alike: each line is thin, their mean is bold. Imported
weights, which had no epochs here, are level lines. What others are compared with is grey.

The y axis shows where the data is: from the rung of a ladder below to the rung above whatever the
runs did after their first tenth, in which they rise from guessing. A live run is shown whole until
then; from there on the axis only grows, a rung at a time, so that nothing jumps.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean
from typing import Any, Literal, TypeAlias

from explorer.charts.looks import Look, family, looks
from explorer.charts.marks import cut_wide
from explorer.charts.style import GRID, Plain, as_text, layout, told, translucent
from explorer.charts.words import detailed, several, valued
from explorer.language import again, later, plural, say
from explorer.runs.run import Run
from explorer.training.events import Epoch, Score, Step

MOST_POINTS = 80  # of one line; more is noise
LEAST_IMAGES = 1000  # averaged in one point; the accuracy of a few is noisy
LABELS = 0.28  # share of the width that is kept for the labels at the lines' ends
LABEL_WIDTH = 24  # Latin letters
LINE_HEIGHT = 15  # pixels
MOST_LONG_LABELS = 6  # with more of them, each has a single line for its name
FEW_EPOCHS = 3  # with more, the line leads through their ends, where all test images are scored
SETTLED = 0.1  # share of a run after which the y axis shows where it is
FINE = 1.3  # height of a range, in powers of ten, below which its ticks are close to one another
QUIET = "rgba(128, 128, 128, 0.6)"  # of the lines that others are compared with

Axis: TypeAlias = Literal["epochs", "seconds"]
AXES: tuple[Axis, ...] = ("epochs", "seconds")
_TITLES = {"epochs": later("epoch"), "seconds": later("seconds of training")}
# What a reader sees at a point.
_AT = {"epochs": later("epoch {at}: {value}"), "seconds": later("after {at} s: {value}")}
_Clock: TypeAlias = Callable[[float], float]  # from epochs to where they are on the x axis


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
    """What the y axis shows: `place` turns a value into a height on an even axis.

    Of the rungs, on which its range begins and ends, the coarse ones are ticks of a wide range.
    """

    name: str
    says: str
    says_after: str
    height: int
    value: Callable[[_Point], float]
    place: Callable[[float], float]
    text: Callable[[float], str]
    tick: Callable[[float], str]
    best: Callable[[Sequence[float]], float]
    rungs: tuple[float, ...]
    coarse: tuple[float, ...]

    def range(self, values: Sequence[float]) -> tuple[float, float]:
        """Return the rungs around these values; the first and the last one if there are none."""
        places = [self.place(rung) for rung in self.rungs]
        own = [self.place(value) for value in values if math.isfinite(value)]
        if not own:
            return places[0], places[-1]
        low = min(bisect_right(places, min(own)) - 1, len(places) - 3)
        high = min(bisect_right(places, max(own)), len(places) - 1)
        return places[low], places[high]

    def ticks(self, low: float, high: float) -> list[float]:
        """Return the values that are written beside a range."""
        shown = self.rungs if high - low < FINE else self.coarse
        lowest = [value for value in self.rungs if self.place(value) == low]
        return [*lowest, *(value for value in shown if low < self.place(value) <= high)]


# Errors on a logarithmic scale: from 98 to 99 % is as far as from 80 to 90 % … from 0 to 50 %,
# since each step halves the errors.
_ACCURACY = _Measure(
    name=later("accuracy"),
    says=later("Accuracy: {runs}."),
    says_after=later("Accuracy after {epochs}: {runs}."),
    height=400,
    value=lambda point: point.accuracy,
    place=lambda accuracy: -math.log10(1 - min(accuracy, 0.9985)),
    text=lambda accuracy: f"{100 * accuracy:.2f} %",
    tick=lambda accuracy: f"{100 * accuracy:g} %",
    best=max,
    rungs=(0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.993, 0.995, 0.997, 0.998, 0.9985),
    coarse=(0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998),
)
_LOSS = _Measure(
    name=later("loss"),
    says=later("Loss: {runs}."),
    says_after=later("Loss after {epochs}: {runs}."),
    height=260,
    value=lambda point: point.loss,
    place=lambda loss: math.log10(min(max(loss, 0.003), 4)),
    text=lambda loss: f"{loss:.3f}",
    tick=lambda loss: f"{loss:g}",
    best=min,
    rungs=(0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 4),
    coarse=(0.003, 0.01, 0.03, 0.1, 0.3, 1, 4),
)


def accuracy_curves(
    traces: Sequence[Trace],
    *,
    quiet: Sequence[Trace] = (),
    axis: Axis = "epochs",
    looks: Mapping[str, Look] | None = None,
) -> Plain:
    """Draw accuracy, on a scale stretched towards 100 %: test solid, training dashed.

    Args:
        traces: The runs.
        quiet: Runs that these are compared with, as far as the others go: their test curves.
        axis: Along which the curves go. Seconds are those of training and scoring alone.
        looks: How each run looks, by its id.
    """
    return _curves(traces, quiet, axis, looks, _ACCURACY)


def loss_curves(
    traces: Sequence[Trace],
    *,
    quiet: Sequence[Trace] = (),
    axis: Axis = "epochs",
    looks: Mapping[str, Look] | None = None,
) -> Plain:
    """Draw cross-entropy on a logarithmic scale, as `accuracy_curves` draws accuracy."""
    return _curves(traces, quiet, axis, looks, _LOSS)


def _curves(
    traces: Sequence[Trace],
    quiet: Sequence[Trace],
    axis: Axis,
    known: Mapping[str, Look] | None,
    measure: _Measure,
) -> Plain:
    own = known or looks([trace.run for trace in traces])
    families: dict[str, list[Trace]] = defaultdict(list)
    for trace in traces:
        families[family(trace.run)].append(trace)

    epochs = max((trace.run.spec.recipe.epochs for trace in traces), default=1)
    end: float = epochs if axis == "epochs" else _last_second(traces)
    clocks = {t.run.id: _clock(t, axis, epochs, end) for t in (*traces, *quiet)}
    lines: list[dict[str, Any]] = []
    ends: list[_End] = []
    reached: list[_Reached] = []
    for trace in quiet:
        clock = clocks[trace.run.id]
        shown = [point for point in _test(trace, epochs) if clock(point.epoch) <= end]
        shown = _ends(shown) if len(_ends(shown)) > FEW_EPOCHS else shown
        name = say("recorded {run}, test", run=trace.label)
        lines.append(_quiet(measure, shown, name, axis, clock))
        if shown:
            name = say("recorded {run}", run=trace.label)
            reached.append(_reached(name, shown[-1], measure, trace))
    for alike in families.values():
        look = own[alike[0].run.id]
        label = alike[0].label if len(alike) == 1 else _shared_label(alike)
        tests = [_test(trace, epochs) for trace in alike]
        for trace, test in zip(alike, tests, strict=True):
            clock, thin = clocks[trace.run.id], len(alike) > 1
            paler = translucent(look.hue, 0.5 if thin else 0.8)
            at = "" if trace.run.spec.imported else _AT[axis]
            training, name = _training(trace, epochs), say("{run}, training", run=trace.label)
            lines.append(_dashed(measure, training, name, at, paler, clock))
            if trace.run.spec.recipe.epochs > FEW_EPOCHS and trace.scores:
                name = say("{run}, some test images", run=trace.label)
                lines.append(_thin(measure, test, name, at, look.hue, clock))
                test = _ends(test)
            drawn = look._replace(hue=paler) if thin else look
            width = 1.0 if thin else 2.6
            name = say("{run}, test", run=trace.label)
            lines.append(_solid(measure, test, name, at, drawn, width, clock))
        mean, clock = (
            _mean([_ends(test) or test for test in tests]),
            _common([clocks[trace.run.id] for trace in alike]),
        )
        if len(alike) > 1:
            name = say("{run}, test", run=label)
            lines.append(_solid(measure, mean, name, _AT[axis], look, 3.2, clock))
        if last := (tests[0] if len(alike) == 1 else mean) or _training(alike[0], epochs):
            ends.append(_End(clock(last[-1].epoch), measure.value(last[-1]), label, look))
            name = label if any(tests) else say("{run}, training", run=label)
            reached.append(_reached(name, last[-1], measure, alike[0]))

    low, high = measure.range([*_settled(traces, measure), *_beside(quiet, clocks, end, measure)])
    annotations, shapes = _end_labels(measure, ends, end, (low, high))
    ticks = measure.ticks(low, high)
    ids = [trace.run.id for trace in (*traces, *quiet)]
    figure: Plain = {
        "data": lines,
        "layout": {
            **layout(measure.height, " ".join([measure.name, axis, *ids])),
            "margin": {"l": 4, "r": 0, "t": 10, "b": 40},
            "annotations": annotations,
            "shapes": shapes,
            "xaxis": {
                "range": [0, end / (1 - LABELS)],
                "title": {"text": say(_TITLES[axis]), "standoff": 4},
                "tickvals": _whole_ticks(epochs) if axis == "epochs" else _ticks(end),
                "showgrid": False,
                "zeroline": False,
            },
            "yaxis": {
                "range": [low, high],
                "tickvals": [measure.place(tick) for tick in ticks],
                "ticktext": [measure.tick(tick) for tick in ticks],
                "gridcolor": GRID,
                "zeroline": False,
                "automargin": True,
            },
        },
    }
    titles = [say("curve"), say(_TITLES[axis]), say(measure.name)]
    return told(figure, _says(measure, reached), titles)


@dataclass(frozen=True, slots=True)
class _Reached:
    """What a curve has come to: its last value, and after how many epochs; `None` if imported."""

    name: str
    value: float
    epoch: float | None


def _reached(name: str, last: _Point, measure: _Measure, trace: Trace) -> _Reached:
    epoch = None if trace.run.spec.imported else last.epoch
    return _Reached(name, measure.value(last), epoch)


def _says(measure: _Measure, reached: Sequence[_Reached]) -> str:
    """Say what each run has come to, the best first."""
    if not reached:
        return say("No run has reported anything yet.")
    known = [each for each in reached if math.isfinite(each.value)]
    order = sorted(known, key=lambda each: each.value, reverse=measure.best is max)
    order += [each for each in reached if not math.isfinite(each.value)]
    ends = {each.epoch for each in reached if each.epoch is not None}
    if len(ends) > 1:
        runs = [
            valued(each.name, measure.text(each.value))
            if each.epoch is None
            else say(
                "{name} {value} after {epochs}",
                name=each.name,
                value=measure.text(each.value),
                epochs=_epochs(each.epoch),
            )
            for each in order
        ]
    else:
        runs = [valued(each.name, measure.text(each.value)) for each in order]
    if len(ends) != 1:
        return say(measure.says, runs=several(runs))
    return say(measure.says_after, epochs=_epochs(*ends), runs=several(runs))


def _epochs(number: float) -> str:
    if float(number).is_integer():
        return plural("{n} epoch", "{n} epochs", int(number))
    return say("{number:.2g} epochs", number=number)


def _settled(traces: Sequence[Trace], measure: _Measure) -> Iterator[float]:
    """Yield the values around which the y axis is.

    Of each run, they are the test scores after its first tenth, and the best of its training curve,
    which rises from further below. Before there is such a score, they are all there is.
    """
    for trace in traces:
        epochs = trace.run.spec.recipe.epochs
        tests, training = _test(trace, epochs), _training(trace, epochs)
        begin = 0 if trace.run.spec.imported else SETTLED * epochs
        late = [measure.value(point) for point in tests if point.epoch >= begin]
        if any(map(math.isfinite, late)):
            yield from late
            trained = [measure.value(point) for point in training]
            yield measure.best([value for value in (*late, *trained) if math.isfinite(value)])
        else:
            yield from map(measure.value, (*tests, *training))


def _beside(
    quiet: Sequence[Trace], clocks: Mapping[str, _Clock], end: float, measure: _Measure
) -> Iterator[float]:
    for trace in quiet:
        for point in _test(trace, 1):
            if SETTLED * end <= clocks[trace.run.id](point.epoch) <= end:
                yield measure.value(point)


def _clock(trace: Trace, axis: Axis, epochs: int, end: float) -> _Clock:
    """Return what says where on the x axis a run was after so many epochs.

    Seconds run evenly within an epoch. Those of the current one are known by how fast its images
    go through. Imported weights were not trained here, and are level up to the end.
    """
    run = trace.run
    if axis == "epochs":
        return lambda epoch: epoch
    if run.spec.imported:
        return lambda epoch: end * epoch / epochs
    ends = [0.0, *accumulate(epoch.seconds for epoch in run.epochs)]
    steps = [s for s in trace.steps if s.epoch > len(run.epochs) and s.images_per_second > 0]
    if run.started and steps:
        spent = sum(step.images / step.images_per_second for step in steps)
        pace = run.started.train_size * spent / sum(step.images for step in steps)
    else:
        pace = ends[-1] / max(1, len(run.epochs))

    def clock(epoch: float) -> float:
        whole = min(int(epoch), len(ends) - 1)
        length = ends[whole + 1] - ends[whole] if whole + 1 < len(ends) else pace
        return ends[whole] + (epoch - whole) * length

    return clock


def _common(clocks: Sequence[_Clock]) -> _Clock:
    return lambda epoch: fmean(clock(epoch) for clock in clocks)


def _last_second(traces: Sequence[Trace]) -> float:
    """Return how many seconds the x axis shows: of live runs, up to the next round number."""
    last = [1.0]
    for trace in traces:
        points = [*_training(trace, 0), *_test(trace, 0)]
        second = _clock(trace, "seconds", 1, 0)(max((p.epoch for p in points), default=0))
        last.append(_round_up(second) if trace.run.status.is_live else second)
    return max(last)


def _round_up(number: float) -> float:
    """Return the next of …, 1, 2, 5, 10, 20, …."""
    if number <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(number))
    return next(step * power for step in (1, 2, 5, 10) if number <= step * power * (1 + 1e-9))


def _quiet(
    measure: _Measure, points: Sequence[_Point], name: str, axis: Axis, clock: _Clock
) -> dict[str, Any]:
    return {
        **_line(measure, points, name, _AT[axis], clock),
        "mode": "lines",
        "line": {"color": QUIET, "width": 1.4, "dash": "solid"},
    }


def _dashed(
    measure: _Measure, points: Sequence[_Point], name: str, at: str, colour: str, clock: _Clock
) -> dict[str, Any]:
    return {
        **_line(measure, points, name, at, clock),
        "mode": "lines",
        "line": {"color": colour, "width": 1.2, "dash": "dash"},
    }


def _thin(
    measure: _Measure, points: Sequence[_Point], name: str, at: str, hue: str, clock: _Clock
) -> dict[str, Any]:
    return {
        **_line(measure, points, name, at, clock),
        "mode": "lines",
        "line": {"color": translucent(hue, 0.4), "width": 1.0, "dash": "solid"},
    }


def _solid(
    measure: _Measure,
    points: Sequence[_Point],
    name: str,
    at: str,
    look: Look,
    width: float,
    clock: _Clock,
) -> dict[str, Any]:
    return {
        **_line(measure, points, name, at, clock),
        "mode": "lines+markers",
        "line": {"color": look.hue, "width": width, "dash": "solid"},
        "marker": {
            "symbol": look.symbol,
            # The end of an epoch is larger: all test images are scored there.
            "size": [2 * width + (4 if float(p.epoch).is_integer() else 1) for p in points],
        },
    }


def _line(
    measure: _Measure, points: Sequence[_Point], name: str, at: str, clock: _Clock
) -> dict[str, Any]:
    values = [measure.value(point) for point in points]
    value = "<b>%{customdata}</b>"
    shown = say(at, at="%{x:.3~g}", value=value) if at else value
    return {
        "type": "scatter",
        "x": [round(clock(point.epoch), 3) for point in points],
        "y": [round(measure.place(value), 4) for value in values],
        "customdata": [measure.text(value) for value in values],
        "name": as_text(name),
        # Beside the box, the name would have the colour of the line, which is too pale for text.
        "hovertemplate": f"{shown}<br>%{{fullData.name}}<extra></extra>",
    }


@dataclass(frozen=True, slots=True)
class _End:
    """Where a line ends: on the x axis, and its last value."""

    at: float
    value: float
    label: str
    look: Look


def _end_labels(
    measure: _Measure, ends: Sequence[_End], last: float, range: tuple[float, float]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return each line's name and last value where it ends, and what leads from one to the other.

    Labels are moved apart where they would overlap.
    """
    low, high = range
    wanted = [min(max(measure.place(end.value), low), high) for end in ends]
    texts = [[*_lines(end.label, len(ends)), f"<b>{measure.text(end.value)}</b>"] for end in ends]
    pixel = (high - low) / (measure.height - 50)
    rooms = [(LINE_HEIGHT * len(lines) + 4) * pixel for lines in texts]
    places = _apart(wanted, rooms, low, high)
    annotations, shapes = [], []
    for end, lines, y, place in zip(ends, texts, wanted, places, strict=True):
        mark = f'<span style="color: {end.look.hue}">{end.look.sign}</span>'
        annotations.append(
            {
                "x": last * 1.035,
                "y": place,
                "text": f"{mark} {'<br>'.join(lines)}",
                "font": {"size": 12},
                "showarrow": False,
                "xanchor": "left",
                "align": "left",
            }
        )
        if end.at > 0.9 * last:  # from further away it would look like a forecast
            shapes.append(
                {
                    "type": "line",
                    "x0": end.at,
                    "y0": y,
                    "x1": last * 1.03,
                    "y1": place,
                    "line": {"color": translucent(end.look.hue, 0.5), "width": 0.8, "dash": "dot"},
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
    name, *others = again(label).split(" · ")
    lines = [name, *([detailed(others)] if others else [])]
    if labels > MOST_LONG_LABELS:
        lines = [detailed(lines)]
    return [as_text(cut_wide(line, LABEL_WIDTH)) for line in lines]


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


def _ends(points: Sequence[_Point]) -> list[_Point]:
    """Return the points at the ends of epochs."""
    return [point for point in points if float(point.epoch).is_integer()]


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


def _shared_label(alike: Sequence[Trace]) -> str:
    first = alike[0]
    seed = say("seed {seed}", seed=first.run.spec.recipe.seed)
    name = again(first.label).split(f" · {seed}")[0]
    done = sum(bool(trace.run.epochs) for trace in alike)
    seeds = plural("mean of {n} seed", "mean of {n} seeds", done)
    return f"{name} · {seeds}" if done else name


def _whole_ticks(epochs: int) -> list[int]:
    step = max(1, math.ceil(epochs / 10))
    return list(range(0, epochs + 1, step))


def _ticks(end: float) -> list[float]:
    """Return some round numbers from 0 to the end."""
    step = _round_up(end / 8)
    return [step * number for number in range(int(end / step * (1 + 1e-9)) + 1)]
