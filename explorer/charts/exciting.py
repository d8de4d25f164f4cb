"""What excites a channel: crops of images for the browser, and the means of the classes."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from explorer.charts.style import GRID, SIGNED, as_text, figure, names_axis, told
from explorer.charts.words import several
from explorer.inspection.excitation import Excitation, Excited
from explorer.inspection.fields import ReceptiveField
from explorer.language import author, say
from explorer.text import significant

ROW = 24  # pixels
MOST_SAID = 3  # classes in a sentence
_OTHERS = "rgba(128, 128, 128, 0.85)"


def tile(
    pixels: NDArray[np.uint8],
    number: int,
    lines: Sequence[str],
    window: tuple[int, int, int, int] | None = None,
    hint: str = "",
) -> dict[str, Any]:
    """Return an image as `explorer/ui/components/crops.js` draws it.

    Args:
        pixels: `(C, H, W)`.
        number: The index of the test image, which a click opens; −1: nothing is opened.
        lines: What is written below it.
        window: First and last row, first and last column that are shown large, which may be beyond
            the border; the whole image if `None`.
        hint: What a click does, and what the picture is, in a sentence for those who cannot see it.
    """
    rgb = np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0)
    return {
        "pixels": base64.b64encode(np.ascontiguousarray(rgb).tobytes()).decode(),
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "number": number,
        "lines": list(lines),
        "window": None if window is None else list(window),
        "hint": hint,
    }


def seen_by(excited: Excited, field: ReceptiveField | None) -> tuple[int, int, int, int] | None:
    """Return the rows and columns of the image that the most excited unit sees.

    They go beyond the border where the unit's field does. `None` if all units have the same value,
    or if the unit sees the whole image.
    """
    if field is None or excited.unit is None or field.is_everything:
        return None
    window = field.window(*excited.unit)
    return None if window is None else (*window[0], *window[1])


def class_means(found: Excitation, channel: int, classes: Sequence[str]) -> go.Figure:
    """Draw how strongly the images of each class excite a channel: mean ± standard deviation.

    Args:
        found: What excites the part.
        channel: The channel.
        classes: The names of the classes.
    """
    means, stds = found.means[:, channel], found.stds[:, channel]
    counts = found.counts[:, channel]
    known = [place for place in range(len(classes)) if counts[place]]
    best = max(known, key=lambda place: float(means[place]), default=None)
    chart = figure(ROW * max(1, len(classes)) + 50, "class means")
    hues = [SIGNED[2][1] if place == best else _OTHERS for place in known]
    for places, hue in zip(known, hues, strict=True):
        mean, std = float(means[places]), float(stds[places])
        chart.add_scatter(
            x=[mean - std, mean + std],
            y=[places, places],
            mode="lines",
            line={"color": hue, "width": 3},
            opacity=0.55,
            hoverinfo="skip",
        )
    chart.add_scatter(
        x=[float(means[place]) for place in known],
        y=known,
        mode="markers",
        orientation="h",
        marker={"color": hues, "size": 10},
        customdata=[
            [
                as_text(author(classes[place])),
                significant(float(means[place]), 3),
                significant(float(stds[place]), 3),
                f"{counts[place]:,}",
            ]
            for place in known
        ],
        hovertemplate=say(
            "{label}: {mean} ± {deviation}, {count} images",
            label="<b>%{customdata[0]}</b>",
            mean="%{customdata[1]}",
            deviation="%{customdata[2]}",
            count="%{customdata[3]}",
        )
        + "<extra></extra>",
    )
    mean = float(found.overall[0][channel])
    if np.isfinite(mean):
        chart.add_vline(mean, line={"color": _OTHERS, "width": 1, "dash": "dot"})
    chart.update_xaxes(
        title={"text": say("largest value in an image, mean ± standard deviation"), "standoff": 4},
        gridcolor=GRID,
        zerolinecolor=GRID,
        fixedrange=True,
    )
    names = [
        f"<b>{name}</b>" if place == best else name
        for place, name in enumerate(as_text(author(each)) for each in classes)
    ]
    chart.update_yaxes(names_axis(names), showgrid=False, zeroline=False)
    chart.update_layout(dragmode=False, showlegend=False, margin={"t": 4, "b": 40, "r": 12})
    columns = [say("mean of the largest values"), say("standard deviation"), say("images")]
    order = sorted(known, key=lambda place: -float(means[place]))
    says = _means([(author(classes[place]), means[place], stds[place]) for place in order])
    return told(chart, says, ["", say("class"), *columns])


def _means(found: Sequence[tuple[str, float, float]]) -> str:
    if not found:
        return say("No image of any class was tried.")
    words = [
        say(
            "{label} with {mean} ± {deviation}",
            label=label,
            mean=significant(float(mean), 3),
            deviation=significant(float(deviation), 3),
        )
        for label, mean, deviation in found
    ]
    return say(
        "Largest value in an image, mean ± standard deviation: {classes}.",
        classes=several(words, MOST_SAID),
    )
