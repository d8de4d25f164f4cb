"""Single maps, large: a feature map beside its filter, attributions to pixels, filters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from explorer.charts.style import INK, POSITIVE, SIGNED, WEIGHTS, as_text, figure, translucent

HEIGHT = 300
MOST_PLANES = 64  # of one filter that are drawn
MOST_FILTERS = 256  # of one layer that are drawn
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


def feature_map(
    image: NDArray[np.uint8],
    values: NDArray[np.float32],
    end: float,
    title: str,
    planes: NDArray[np.float32] | None,
) -> go.Figure:
    """Draw a feature map beside the image, and the filter that made it.

    Args:
        image: What went in, `(C, H, W)`.
        values: The map, `(h, w)`.
        end: The magnitude at which its colours end.
        title: What is written above it.
        planes: The filter, `(inputs, height, width)`, if a convolution made the map.
    """
    titles = ["image", title]
    if planes is not None:
        strongest = float(np.abs(planes).max()) or 1.0
        most = f", {MOST_PLANES} of {len(planes)} planes" if len(planes) > MOST_PLANES else ""
        titles.insert(1, f"its filter{most}, ±{strongest:.2g}")
    chart = _panels(titles, "map")
    _add_image(chart, image)
    if planes is not None:
        _add(chart, _mosaic(planes[:MOST_PLANES]), WEIGHTS, strongest, 2, signed=True)
    signed = bool((values < 0).any())
    _add(chart, values, SIGNED if signed else POSITIVE, end, len(titles), signed=signed, bar=True)
    return chart


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
        f"{name}, {_limits(values, end)}" for (name, values), end in zip(found, ends, strict=True)
    ]
    chart = _panels(["image", *titles], "saliency")
    _add_image(chart, image)
    pale = PALE * image.astype(np.float32).mean(axis=0)
    rows, columns = pale.shape
    for place, ((_, values), end) in enumerate(zip(found, ends, strict=True), start=2):
        signed = bool((values < 0).any())
        under = _heatmap(pale, PAPER, 255, False, False)
        chart.add_trace(under.update(hoverinfo="skip", hovertemplate=None), 1, place)
        over = _heatmap(values, OVER_SIGNED if signed else OVER_POSITIVE, end, signed, False)
        # A coarser map, as of Grad-CAM, covers the whole image too.
        across, down = columns / values.shape[1], rows / values.shape[0]
        over.update(x0=(across - 1) / 2, dx=across, y0=(down - 1) / 2, dy=down)
        chart.add_trace(over, 1, place)
        _square(chart, rows, columns, str(place))
    _add_frames(chart, len(titles) + 1)
    chart.update_layout(margin={"l": 2, "r": 2})
    return chart


def _add_frames(chart: go.Figure, panels: int) -> None:
    """Draw a frame around each panel."""
    line = {"visible": True, "showline": True, "mirror": True, "linecolor": "#808080"}
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "zeroline": False}
    for place in range(1, panels + 1):
        number = "" if place == 1 else place
        chart.update_layout(
            {f"xaxis{number}": {**line, **bare}, f"yaxis{number}": {**line, **bare}}
        )


def filters(values: NDArray[np.float32]) -> go.Figure:
    """Draw the filters of a convolution, one tile each, on one scale; at most `MOST_FILTERS`.

    Args:
        values: `(outputs, inputs, height, width)`; of several inputs, the mean over them is shown.
    """
    planes = values.mean(axis=1)[:MOST_FILTERS]
    mosaic = _mosaic(planes, across=min(len(planes), 16))
    rows, columns = mosaic.shape
    chart = figure(max(90, round(52 * rows / (values.shape[2] + 1))), "filters")
    chart.add_trace(_heatmap(mosaic, WEIGHTS, float(np.nanmax(np.abs(mosaic)) or 1), True, True))
    _square(chart, rows, columns, "")
    return chart


def _limits(values: NDArray[np.float32], end: float) -> str:
    if not values.any():
        return "all zero"
    return f"±{end:.2g}" if (values < 0).any() else f"0 to {end:.2g}"


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
        chart.add_trace(go.Image(z=image.transpose(1, 2, 0)), 1, 1)
        _square(chart, image.shape[1], image.shape[2], "")
    else:
        plain = _heatmap(image[0].astype(np.float32), INK, 255, False, False)
        chart.add_trace(plain, 1, 1)
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
        hovertemplate="row %{y}, column %{x}: <b>%{z:.4g}</b><extra></extra>",
    )


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
