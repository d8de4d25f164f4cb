"""Single maps, large: attributions to pixels, and the filters of a convolution."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from explorer.charts.style import (
    INK,
    POSITIVE,
    SIGNED,
    WEIGHTS,
    as_text,
    figure,
    told,
    translucent,
)
from explorer.charts.words import detailed
from explorer.inspection.results import Filters
from explorer.language import say
from explorer.text import dimensions, significant

Order: TypeAlias = Literal["index", "norm", "likeness"]
ORDERS: tuple[Order, ...] = get_args(Order)

HEIGHT = 300
MOST_KERNELS = 48  # outputs, and inputs, whose kernels are drawn
MOST_CELLS = 128  # of those whose kernels are of one pixel
ALONE = 16  # kernels side by side, if each output reads one map
TILE, WIDTH = 56, 1000  # pixels of a kernel, and of all in a row
PALE = 0.55  # of the ink of an image that attributions are laid over
PAPER = ((0.0, "#ffffff"), (1.0, "#000000"))
# Attributions: the usual hues, seen through where they are near 0.
OVER_SIGNED = tuple(
    (place, translucent(colour, opacity))
    for place, colour, opacity in (
        (0.0, SIGNED[0][1], 0.95),
        (0.35, SIGNED[0][1], 0.45),
        (0.5, SIGNED[1][1], 0.0),
        (0.65, SIGNED[2][1], 0.45),
        (1.0, SIGNED[2][1], 0.95),
    )
)
OVER_POSITIVE = ((0.0, translucent(POSITIVE[1][1], 0.0)), (1.0, translucent(POSITIVE[1][1], 0.95)))


def saliency(
    image: NDArray[np.uint8], found: Sequence[tuple[str, NDArray[np.float32]]]
) -> go.Figure:
    """Draw the image, and beside it each method's attributions to its pixels, laid over the image.

    Blue is positive, orange negative; what is near 0 lets the image be seen.

    Args:
        image: `(C, H, W)`.
        found: Pairs of a method's name and its attributions, `(h, w)`.
    """
    ends = [float(np.percentile(np.abs(values), 99.5)) or 1.0 for _, values in found]
    titles = [
        detailed([name, _limits(values, end)])
        for (name, values), end in zip(found, ends, strict=True)
    ]
    chart = _panels([say("image"), *titles], "saliency")
    pale = PALE * image.astype(np.float32).mean(axis=0)
    rows, columns = pale.shape
    says = []
    for place, ((name, values), end) in enumerate(zip(found, ends, strict=True), start=2):
        signed = bool((values < 0).any())
        under = _heatmap(pale, PAPER, 255, False, False)
        chart.add_trace(under.update(hoverinfo="skip", hovertemplate=None), 1, place)
        over = _heatmap(values, OVER_SIGNED if signed else OVER_POSITIVE, end, signed, False)
        # A coarser map, as of Grad-CAM, covers the whole image too.
        across, down = columns / values.shape[1], rows / values.shape[0]
        over.update(x0=(across - 1) / 2, dx=across, y0=(down - 1) / 2, dy=down, name=as_text(name))
        chart.add_trace(over, 1, place)
        _square(chart, rows, columns, str(place))
        says.append(_attributed(name, values, down, across))
    _add_image(chart, image)  # the last, since a table has more use for the others
    _add_frames(chart, len(titles) + 1)
    chart.update_layout(margin={"l": 2, "r": 2})
    whole = say("The strongest attributions: {methods}.", methods=say("; ").join(says))
    names = [say("picture"), say("row"), say("column"), say("attribution")]
    return told(chart, whole if says else say("The image alone."), names)


def _attributed(name: str, values: NDArray[np.float32], down: float, across: float) -> str:
    """Say how large the strongest of a method's attributions is, and where in the image."""
    if not values.any():
        return say("{method} all zero", method=name)
    row, column = divmod(int(np.nan_to_num(np.abs(values)).argmax()), values.shape[1])
    y, x = f"{row * down + (down - 1) / 2:g}", f"{column * across + (across - 1) / 2:g}"
    return say(
        "{method} {value} at row {row}, column {column}",
        method=name,
        value=significant(float(values[row, column]), 3),
        row=y,
        column=x,
    )


def _add_frames(chart: go.Figure, panels: int) -> None:
    """Draw a frame around each panel."""
    line = {"visible": True, "showline": True, "mirror": True, "linecolor": "#808080"}
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "zeroline": False}
    for place in range(1, panels + 1):
        number = "" if place == 1 else place
        chart.update_layout(
            {f"xaxis{number}": {**line, **bare}, f"yaxis{number}": {**line, **bare}}
        )


def filters(found: Filters, by: Order) -> go.Figure:
    """Draw the kernels of a convolution on one scale, a row for each output, a column an input.

    Kernels of one pixel are a matrix. If each output reads one map alone, its kernels are side by
    side. Of many, those with the largest norm are drawn: at most `most_drawn` outputs and inputs.

    Args:
        found: The filters.
        by: How outputs and inputs are sorted.
    """
    outputs, inputs = arranged(found.values, by), [0]
    if found.values.shape[1] > 1:
        inputs = arranged(found.values.swapaxes(0, 1), by)
    height, width = found.values.shape[2:]
    gap = 1 if height * width > 1 else 0
    planes = found.values[np.ix_(outputs, inputs)].reshape(-1, height, width)
    across = len(inputs) if len(inputs) > 1 else min(len(outputs), ALONE)
    names = [
        say("output {output}, input {input}", output=o, input=i)
        if len(inputs) > 1
        else say("output {output}", output=o)
        for o in outputs
        for i in inputs
    ]
    mosaic = _mosaic(planes, across)
    rows, columns = mosaic.shape
    end = float(np.abs(found.values).max()) or 1.0
    heat = _heatmap(mosaic, WEIGHTS, end, signed=True, bar=True)
    places = np.arange(len(planes), dtype=np.float32)[:, None, None]
    numbers = _mosaic(np.broadcast_to(places, planes.shape), across)
    heat.text = [["" if np.isnan(n) else names[int(n)] for n in row] for row in numbers]
    heat.hovertemplate = "%{text}: <b>%{z:.4g}</b><extra></extra>"
    tile = min(TILE, WIDTH / across) if gap else min(TILE / 2, WIDTH / across)
    chart = figure(max(120, round(tile * rows / (height + gap)) + 46), "filters")
    chart.add_trace(heat)
    _square(chart, rows, columns, "")
    if len(inputs) > 1:
        chart.update_layout(margin={"l": 46, "r": 0, "t": 0, "b": 34})
        chart.update_xaxes(**_ticks(inputs, width + gap, say("input")))
        chart.update_yaxes(**_ticks(outputs, height + gap, say("output")))
    columns = [say("kernel"), say("row"), say("column"), say("weight")]
    return told(chart, _kernels(planes, outputs, inputs), columns)


def _kernels(planes: NDArray[np.float32], outputs: Sequence[int], inputs: Sequence[int]) -> str:
    """Say how many kernels there are, and between what their weights are."""
    least, most = (significant(float(end), 3) for end in (planes.min(), planes.max()))
    size = dimensions(planes.shape[1:])
    if len(inputs) > 1:
        return say(
            "Kernels of {size} for {outputs} outputs and {inputs} inputs: weights from {least} to "
            "{most}.",
            size=size,
            outputs=len(outputs),
            inputs=len(inputs),
            least=least,
            most=most,
        )
    return say(
        "Kernels of {size} for {outputs} outputs: weights from {least} to {most}.",
        size=size,
        outputs=len(outputs),
        least=least,
        most=most,
    )


def most_drawn(found: Filters) -> int:
    """Return how many outputs, and how many inputs, of a convolution are drawn at most."""
    return MOST_CELLS if found.values.shape[2:] == (1, 1) else MOST_KERNELS


def arranged(values: NDArray[np.float32], by: Order) -> list[int]:
    """Return the numbers of the filters that are drawn, in their order.

    Args:
        values: `(filters, …)`.
        by: `norm`: the largest first. `likeness`: each beside the one that is most similar to it,
            by the cosine, of those that are left; the first is the one with the largest norm.
    """
    flat = values.reshape(len(values), -1).astype(np.float64)
    norms = np.linalg.norm(flat, axis=1)
    most = MOST_CELLS if values.shape[2:] == (1, 1) else MOST_KERNELS
    largest = [int(number) for number in np.argsort(-norms, kind="stable")[:most]]
    if by == "norm":
        return largest
    if by == "index":
        return sorted(largest)
    unit = flat / np.maximum(norms, 1e-12)[:, None]
    order, left = largest[:1], largest[1:]
    while left:
        nearest = max(left, key=lambda other: float(unit[order[-1]] @ unit[other]))
        left.remove(nearest)
        order.append(nearest)
    return order


def _ticks(numbers: Sequence[int], step: int, title: str) -> dict[str, Any]:
    """Return an axis with the number of each tile, or of some of them if there are many."""
    every = max(1, len(numbers) // 32)
    places = range(0, len(numbers), every)
    return {
        "visible": True,
        "showgrid": False,
        "zeroline": False,
        "tickvals": [place * step + (step - 1) / 2 - (step > 1) / 2 for place in places],
        "ticktext": [str(numbers[place]) for place in places],
        "tickfont": {"size": 12},
        "title": {"text": title, "font": {"size": 12}, "standoff": 4},
    }


def _limits(values: NDArray[np.float32], end: float) -> str:
    if not values.any():
        return say("all zero")
    return f"±{end:.2g}" if (values < 0).any() else say("0 to {end:.2g}", end=end)


def _panels(titles: Sequence[str], uirevision: str) -> go.Figure:
    chart = make_subplots(
        1, len(titles), subplot_titles=list(map(as_text, titles)), horizontal_spacing=0.04
    )
    chart.update_layout(figure(HEIGHT, uirevision).layout)
    chart.update_layout(margin={"l": 0, "r": 0, "t": 26, "b": 4})
    chart.update_annotations(font={"size": 12})
    return chart


def _add_image(chart: go.Figure, image: NDArray[np.uint8]) -> None:
    if len(image) == 3:
        colours = go.Image(z=image.transpose(1, 2, 0), name=say("image"))
        chart.add_trace(colours.update(hovertemplate=_pixel("%{z}")), 1, 1)
        _square(chart, image.shape[1], image.shape[2], "")
    else:
        plain = _heatmap(image[0].astype(np.float32), INK, 255, False, False)
        chart.add_trace(plain.update(name=say("image")), 1, 1)
        _square(chart, image.shape[1], image.shape[2], "")


def _add(
    chart: go.Figure,
    values: NDArray[np.float32],
    ramp: Sequence[tuple[float, str]],
    end: float,
    place: int,
    *,
    signed: bool,
    bar: bool = False,
) -> None:
    chart.add_trace(_heatmap(values, ramp, end, signed, bar), 1, place)
    _square(chart, values.shape[0], values.shape[1], str(place))


def _heatmap(
    values: NDArray[np.float32],
    ramp: Sequence[tuple[float, str]],
    end: float,
    signed: bool,
    bar: bool,
) -> go.Heatmap:
    colour_bar: Any = {"thickness": 10, "outlinewidth": 0, "len": 1, "nticks": 5}
    return go.Heatmap(
        z=values,
        colorscale=[list(stop) for stop in ramp],
        zmin=-end if signed else 0,
        zmax=end,
        showscale=bar,
        colorbar=colour_bar,
        hoverongaps=False,
        hovertemplate=_pixel("%{z:.4g}"),
    )


def _pixel(value: str) -> str:
    bold = f"<b>{value}</b>"
    words = say("row {row}, column {column}: {value}", row="%{y}", column="%{x}", value=bold)
    return f"{words}<br>%{{fullData.name}}<extra></extra>"


def _square(chart: go.Figure, rows: int, columns: int, place: str) -> None:
    """Make pixels square, and row 0 the top one."""
    place = "" if place == "1" else place
    edges = [rows - 0.5, -0.5]
    axis = {"visible": False, "constrain": "domain"}
    chart.update_layout(
        {
            f"xaxis{place}": {**axis, "range": [-0.5, columns - 0.5]},
            f"yaxis{place}": {**axis, "range": edges, "scaleanchor": f"x{place}"},
        }
    )


def _mosaic(planes: NDArray[np.float32], across: int = 0) -> NDArray[np.float32]:
    """Return planes `(n, h, w)` side by side in rows, with gaps of one pixel, which are NaN.

    Planes of a single pixel have no gaps between them.
    """
    count, height, width = planes.shape
    gap = 1 if height * width > 1 else 0
    across = across or int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    shape = down * (height + gap) - gap, across * (width + gap) - gap
    mosaic = np.full(shape, np.nan, np.float32)
    for number, plane in enumerate(planes):
        y, x = number // across * (height + gap), number % across * (width + gap)
        mosaic[y : y + height, x : x + width] = plane
    return mosaic
