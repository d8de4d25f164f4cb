"""Bars: probabilities, the accuracy lost without each branch, and logit attribution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from explorer.charts.style import GRID, RUNS, SIGNED, as_text, figure, names_axis, told
from explorer.charts.words import several, valued
from explorer.language import author, later, say
from explorer.statistics.intervals import Interval
from explorer.text import percent, signed

ROW = 22  # pixels
LEAST = 0.0005  # probability that is written out
TOP = 2  # classes that come first among shares
MOST_PROBABLE = 3  # classes that are said
POSITIVE = SIGNED[2][1]
UNMARKED = "rgba(128, 128, 128, 0.6)"
GHOST = {"color": "rgba(128, 128, 128, 0.14)", "line": {"color": "#808080", "width": 1}}


def probabilities(
    values: Sequence[float],
    classes: Sequence[str],
    correct: int | None,
    row: int = ROW,
    before: Sequence[float] | None = None,
) -> go.Figure:
    """Draw the predicted probability of each class; the correct one, if it is known, is marked.

    Args:
        values: Of each class, 0–1.
        classes: Their names.
        correct: The number of the correct class.
        row: The height of a bar and the gap below it, in pixels.
        before: Those with everything on, which are drawn around them, if something is off.
    """
    best = max(range(len(values)), key=lambda i: values[i])
    names = [as_text(author(name)) for name in classes]
    marked = [f"{name} ✓" if i == correct else name for i, name in enumerate(names)]
    shares = list(map(percent, values))
    chart = labelled_bars(
        values,
        [f"<b>{name}</b>" if i == correct else name for i, name in enumerate(marked)],
        [f" {percent(value)}" if value >= LEAST else "" for value in values],
        list(zip(marked, shares, strict=True)),
        [i == best for i in range(len(values))],
        end=1.3,
        row=row,
        revision="probabilities",
    )
    columns = ["", say("class"), say("probability")]
    says = _most_probable(values, classes, correct)
    if before is not None:
        _add_ghosts(chart, before)
        columns.append(say("with everything on"))
        says = say(
            "{now} With everything on: {classes}.",
            now=says,
            classes=_probable(before, classes, correct),
        )
    return told(chart, says, columns)


def _most_probable(values: Sequence[float], classes: Sequence[str], correct: int | None) -> str:
    found = _probable(values, classes, correct)
    if correct is None or correct in _top(values):
        return say("Most probable: {classes}.", classes=found)
    return say(
        "Most probable: {classes}; the correct class is {label} with {share}.",
        classes=found,
        label=author(classes[correct]),
        share=percent(values[correct]),
    )


def _probable(values: Sequence[float], classes: Sequence[str], correct: int | None) -> str:
    return several(
        [
            say(
                _CORRECT if number == correct else _PROBABLE,
                label=author(classes[number]),
                share=percent(values[number]),
            )
            for number in _top(values)
        ]
    )


_CORRECT, _PROBABLE = later("{label} (correct) with {share}"), later("{label} with {share}")


def _top(values: Sequence[float]) -> list[int]:
    """Return the numbers of the most probable classes, without those that are nearly 0."""
    order = sorted(range(len(values)), key=lambda number: -values[number])[:MOST_PROBABLE]
    return [number for number in order if values[number] >= LEAST] or order[:1]


def _add_ghosts(chart: go.Figure, before: Sequence[float]) -> None:
    """Draw an outline around each bar, as long as the bar was."""
    chart.data[0].update(
        width=0.44,
        textfont={"size": 12},  # it would shrink with the bar
        constraintext="none",
        customdata=[
            [*row, percent(then)]
            for row, then in zip(chart.data[0].customdata, before, strict=True)
        ],
        hovertemplate=say(
            "{label}: {now}, with everything on {then}",
            label="<b>%{customdata[0]}</b>",
            now="%{customdata[1]}",
            then="%{customdata[2]}",
        )
        + "<extra></extra>",
    )
    chart.add_bar(
        x=list(before),
        y=list(range(len(before))),
        orientation="h",
        width=0.8,
        marker=GHOST,
        hoverinfo="skip",
        name=say("with everything on"),
    )
    chart.data = (chart.data[1], chart.data[0])  # numbers are written over outlines
    chart.update_layout(barmode="overlay")


def labelled_bars(
    values: Sequence[float],
    names: Sequence[str],
    texts: Sequence[str],
    rows: Sequence[Sequence[str]],
    marked: Sequence[bool],
    *,
    end: float,
    row: int,
    revision: str,
) -> go.Figure:
    """Draw a bar for each value from the top down, with its name before it and a text at its end.

    Args:
        values: How long the bars are.
        names: Of the bars, as HTML.
        texts: What stands at their ends.
        rows: What each is called, as HTML, and its value as text.
        marked: Which of them are coloured.
        end: The value at the right edge.
        row: The height of a bar and the gap below it, in pixels.
        revision: As long as it is the same, a reader's zoom is kept.
    """
    chart = figure(row * max(1, len(values)) + 8, revision)
    places = list(range(len(values)))
    chart.add_bar(
        x=list(values),
        y=places,
        orientation="h",
        marker={"color": [POSITIVE if is_marked else UNMARKED for is_marked in marked]},
        text=list(texts),
        textposition="outside",
        cliponaxis=False,
        customdata=[list(row) for row in rows],
        hovertemplate="<b>%{customdata[0]}</b>: %{customdata[1]}<extra></extra>",
    )
    chart.update_xaxes(range=[0, end], visible=False, fixedrange=True)
    chart.update_yaxes(names_axis(names))
    chart.update_layout(bargap=0.25, dragmode=False)
    return chart


@dataclass(frozen=True, slots=True)
class Worth:
    """How a network scores on test images without one of its branches.

    Attributes:
        branch: The branch's path.
        hue: Its colour.
        accuracy: Without the branch, 0–1.
        loss: Without the branch, in nats.
        lost: The accuracy that is lost without it, −1 to 1, with its interval.
    """

    branch: str
    hue: str
    accuracy: float
    loss: float
    lost: Interval


def worths(found: Sequence[Worth]) -> go.Figure:
    """Draw the accuracy in points that is lost without each branch, the largest loss first.

    A line through the end of each bar is its interval.

    Args:
        found: One for each branch; at least one.
    """
    order = sorted(found, key=lambda worth: -worth.lost.value)
    chart = figure((ROW + 6) * len(order) + 34, "worths")
    places = list(range(len(order)))
    costs = [100 * worth.lost.value for worth in order]
    lows = [100 * worth.lost.low for worth in order]
    highs = [100 * worth.lost.high for worth in order]
    chart.add_bar(
        x=costs,
        y=places,
        orientation="h",
        marker={"color": [worth.hue for worth in order]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - cost for high, cost in zip(highs, costs, strict=True)],
            "arrayminus": [cost - low for low, cost in zip(lows, costs, strict=True)],
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[
            [
                as_text(worth.branch),
                _in_points(worth.lost),
                *(
                    _points(100 * end, 2)
                    for end in (worth.lost.value, worth.lost.low, worth.lost.high)
                ),
                f"{100 * worth.accuracy:.2f} %",
                f"{worth.loss:.3f}",
            ]
            for worth in order
        ],
        hovertemplate=say(
            "without {branch}: {points}",
            branch="<b>%{customdata[0]}</b>",
            points="%{customdata[1]}",
        )
        + "<extra></extra>",
    )
    top, least = max(1.0, *highs), min(0.0, *lows)
    room = 0.14 * (top - least)  # for the numbers
    chart.add_scatter(
        x=[max(high, 0.0) for high in highs],
        y=places,
        mode="text",
        text=[f"  {_points(cost)}" for cost in costs],
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
    )
    chart.update_xaxes(
        range=[1.05 * least, top + room],
        title={"text": say("points of accuracy lost without it"), "standoff": 4},
        gridcolor=GRID,
        zerolinecolor=GRID,
        fixedrange=True,
    )
    chart.update_yaxes(names_axis([as_text(worth.branch) for worth in order]))
    chart.update_layout(bargap=0.3, dragmode=False, margin={"t": 4, "b": 38, "r": 40})
    columns = [
        "",
        say("branch"),
        say("points of accuracy lost without it"),
        say("interval from"),
        say("interval to"),
    ]
    columns += [say("accuracy without it"), say("loss without it")]
    return told(chart, _lost(order), columns)


def _lost(order: Sequence[Worth]) -> str:
    """Say what is lost without each of these branches, and the interval of the first."""
    first, *others = order
    parts = [
        say(
            "{branch} {points} ({low} to {high})",
            branch=first.branch,
            points=_points(100 * first.lost.value),
            low=_points(100 * first.lost.low),
            high=_points(100 * first.lost.high),
        )
    ]
    parts += [valued(worth.branch, _points(100 * worth.lost.value)) for worth in others]
    return say(
        "Points of accuracy lost without each branch: {branches}.", branches=several(parts, 3)
    )


def _points(cost: float, places: int = 1) -> str:
    """Write points that are lost; of a gain, with a minus sign."""
    return signed(cost, places).removeprefix("+")


def _in_points(lost: Interval) -> str:
    """Write by how much the accuracy changes, with its interval."""
    low, change, high = (signed(-100 * end, 1) for end in (lost.high, lost.value, lost.low))
    return say("{change} points ({low} to {high})", change=change, low=low, high=high)


def shares(
    values: Mapping[str, Sequence[float]],
    bias: Sequence[float] | None,
    hues: Mapping[str, str],
    classes: Sequence[str],
    logits: Sequence[float],
) -> go.Figure:
    """Draw the share of each branch in the logit of each class; both signs are stacked.

    The two classes with the largest logits come first, since between them it is decided.

    Args:
        values: The shares by branch, one for each class.
        bias: The part that comes from no branch, if shares and bias sum to the logits.
        hues: The branches' colours.
        classes: Their names.
        logits: The network's, one for each class.
    """
    chart = figure(300, "shares")
    order = top_first(logits)
    # A little apart from the others.
    columns = [place + (0.5 if place >= TOP else 0) for place in range(len(order))]
    names = [as_text(author(classes[number])) for number in order]

    def drawn(name: str, given: Sequence[float], hue: str) -> None:
        heights = [given[number] for number in order]
        chart.add_bar(
            x=columns,
            y=heights,
            name=name,
            marker={"color": hue},
            customdata=[[own, signed(y, 3)] for own, y in zip(names, heights, strict=True)],
            hovertemplate=say(
                "{name}, class {label}: {value}",
                name=f"<b>{name}</b>",
                label="%{customdata[0]}",
                value="%{customdata[1]}",
            )
            + "<extra></extra>",
        )

    for branch, share in values.items():
        drawn(as_text(branch), share, hues[branch])
    if bias is not None:
        drawn(say("bias"), bias, "rgba(128, 128, 128, 0.8)")
        whole = [sum(share[i] for share in values.values()) + bias[i] for i in range(len(classes))]
        sums = [whole[number] for number in order]
        chart.add_scatter(
            x=columns,
            y=sums,
            mode="markers",
            name=say("logit"),
            marker={"symbol": "line-ew-open", "size": 20, "color": RUNS[1], "line": {"width": 3}},
            customdata=[[own, signed(y, 3)] for own, y in zip(names, sums, strict=True)],
            hovertemplate=say(
                "logit of class {label}: {value}",
                label="%{customdata[0]}",
                value="%{customdata[1]}",
            )
            + "<extra></extra>",
        )
    chart.update_layout(
        barmode="relative",
        showlegend=True,
        legend={"orientation": "h", "y": 1.14, "x": 0},
        margin={"l": 4, "t": 30, "b": 30},
        dragmode=False,
    )
    chart.update_xaxes(tickvals=columns, ticktext=names, fixedrange=True)
    chart.update_yaxes(gridcolor=GRID, zerolinecolor=GRID, automargin=True, fixedrange=True)
    value = say("contribution to the logit") if bias is not None else say("fall of the logit")
    titles = [say("branch"), say("class"), value]
    return told(chart, _contributions(values, bias, author(classes[order[0]]), order[0]), titles)


def _contributions(
    values: Mapping[str, Sequence[float]], bias: Sequence[float] | None, label: str, number: int
) -> str:
    """Say what each branch contributes to the logit of the first class, the largest first."""
    order = sorted(values, key=lambda branch: -abs(values[branch][number]))
    parts = [valued(branch, signed(values[branch][number], 3)) for branch in order]
    if bias is None:
        return say(
            "The logit of {label} falls without each branch by: {parts}.",
            label=label,
            parts=several(parts),
        )
    return say(
        "Contributions to the logit of {label}, {logit}: {parts}, bias {bias}.",
        label=label,
        logit=signed(sum(share[number] for share in values.values()) + bias[number], 3),
        parts=several(parts, 3),
        bias=signed(bias[number], 3),
    )


def top_first(logits: Sequence[float]) -> list[int]:
    """Return the numbers of all classes: the two with the largest logits, then the others."""
    order = sorted(range(len(logits)), key=lambda number: -logits[number])
    return [*order[:TOP], *sorted(order[TOP:])]
