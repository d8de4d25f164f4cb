"""Bars: probabilities, the accuracy lost without each branch, and logit attribution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from explorer.charts.style import GRID, RUNS, SIGNED, as_text, figure
from explorer.text import percent

ROW = 22  # pixels
LEAST = 0.0005  # probability that is written out
POSITIVE = SIGNED[2][1]
UNMARKED = "rgba(128, 128, 128, 0.6)"


def probabilities(
    values: Sequence[float], classes: Sequence[str], correct: int | None, row: int = ROW
) -> go.Figure:
    """Draw the predicted probability of each class; the correct one, if it is known, is marked.

    Args:
        values: Of each class, 0–1.
        classes: Their names.
        correct: The number of the correct class.
        row: The height of a bar and the gap below it, in pixels.
    """
    best = max(range(len(values)), key=lambda i: values[i])
    names = list(map(as_text, classes))
    return labelled_bars(
        values,
        [f"<b>{name} ✓</b>" if i == correct else name for i, name in enumerate(names)],
        [percent(value) if value >= LEAST else "" for value in values],
        [i == best for i in range(len(values))],
        end=1.3,
        row=row,
        revision="probabilities",
    )


def labelled_bars(
    values: Sequence[float],
    names: Sequence[str],
    texts: Sequence[str],
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
        hoverinfo="skip",
    )
    chart.update_xaxes(range=[0, end], visible=False, fixedrange=True)
    chart.update_yaxes(
        range=[len(values) - 0.5, -0.5],
        tickvals=places,
        ticktext=list(names),
        fixedrange=True,
        automargin=True,
        ticklabelstandoff=6,
    )
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
    """

    branch: str
    hue: str
    accuracy: float
    loss: float


def worths(found: Sequence[Worth], accuracy: float) -> go.Figure:
    """Draw the accuracy that is lost without each branch, the largest loss first.

    Args:
        found: One for each branch.
        accuracy: Of the intact network, 0–1.
    """
    order = sorted(found, key=lambda worth: worth.accuracy)
    chart = figure((ROW + 6) * len(order) + 34, "worths")
    costs = [100 * (accuracy - worth.accuracy) for worth in order]
    chart.add_bar(
        x=costs,
        y=list(range(len(order))),
        orientation="h",
        marker={"color": [worth.hue for worth in order]},
        text=[f"{100 * worth.accuracy:.2f} %" for worth in order],
        textposition="outside",
        cliponaxis=False,
        customdata=[
            [as_text(worth.branch), _points(cost), f"{worth.loss:.4f}"]
            for worth, cost in zip(order, costs, strict=True)
        ],
        hovertemplate=(
            "without <b>%{customdata[0]}</b>: %{text}, %{customdata[1]}<br>"
            "loss %{customdata[2]}<extra></extra>"
        ),
    )
    top, least = max(1.0, *costs), min(0.0, *costs)
    room = 0.18 * (top - least)  # for the numbers at the bars' ends
    chart.update_xaxes(
        range=[least - room if least < 0 else 0, top + room],
        title={"text": "points of accuracy lost without it", "standoff": 4},
        gridcolor=GRID,
        zerolinecolor=GRID,
        fixedrange=True,
    )
    chart.update_yaxes(
        range=[len(order) - 0.5, -0.5],
        tickvals=list(range(len(order))),
        ticktext=[as_text(worth.branch) for worth in order],
        fixedrange=True,
        automargin=True,
        ticklabelstandoff=6,
    )
    chart.update_layout(bargap=0.3, dragmode=False, margin={"t": 4, "b": 38, "r": 40})
    return chart


def _points(cost: float) -> str:
    return f"{abs(cost):.2f} points {'more' if cost < 0 else 'less'}"


def shares(
    values: Mapping[str, Sequence[float]],
    bias: Sequence[float] | None,
    hues: Mapping[str, str],
    classes: Sequence[str],
) -> go.Figure:
    """Draw the share of each branch in the logit of each class; both signs are stacked.

    Args:
        values: The shares by branch, one for each class.
        bias: The part that comes from no branch, if shares and bias sum to the logits.
        hues: The branches' colours.
        classes: Their names.
    """
    chart = figure(300, "shares")
    columns = list(range(len(classes)))
    for branch, share in values.items():
        chart.add_bar(
            x=columns,
            y=list(share),
            name=as_text(branch),
            marker={"color": hues[branch]},
            hovertemplate=f"<b>{as_text(branch)}</b>, class %{{x}}: %{{y:.3f}}<extra></extra>",
        )
    if bias is not None:
        grey = "rgba(128, 128, 128, 0.8)"
        chart.add_bar(x=columns, y=list(bias), name="bias", marker={"color": grey})
        sums = [sum(share[i] for share in values.values()) + bias[i] for i in range(len(classes))]
        chart.add_scatter(
            x=columns,
            y=sums,
            mode="markers",
            name="logit",
            marker={"symbol": "line-ew-open", "size": 26, "color": RUNS[1], "line": {"width": 3}},
            hovertemplate="logit of class %{x}: %{y:.3f}<extra></extra>",
        )
    chart.update_layout(
        barmode="relative",
        showlegend=True,
        legend={"orientation": "h", "y": 1.14, "x": 0},
        margin={"l": 4, "t": 30, "b": 30},
        dragmode=False,
    )
    chart.update_xaxes(tickvals=columns, ticktext=list(map(as_text, classes)), fixedrange=True)
    chart.update_yaxes(gridcolor=GRID, zerolinecolor=GRID, automargin=True, fixedrange=True)
    return chart
