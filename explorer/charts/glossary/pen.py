"""What the glossary's drawings are made of: words, lines, cells and curves, each written as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.charts.marks import SIZE, fitted
from explorer.charts.style import BRANCHES, INK, POSITIVE, SIGNED, WEIGHTS
from explorer.charts.thumbnails import LEVELS, palette
from explorer.data.png import data_uri, png
from explorer.text import significant

WIDTH, HEIGHT = 260, 120  # pixels
GREY = "#808080"  # seen on a white and on a dark page
BLUE, ORANGE = SIGNED[2][1], SIGNED[0][1]  # above and below zero
MARK = BRANCHES[2]  # what a drawing points at; it is seen on every ramp
_HEAD = 6.0  # pixels of an arrow's head
_EDGE = 2.0  # pixels between words and the drawing's edge

Floats: TypeAlias = NDArray[np.float64]
Point: TypeAlias = tuple[float, float] | Floats
Ramp: TypeAlias = tuple[tuple[float, str], ...]
Side: TypeAlias = Literal["start", "middle", "end"]


def svg(drawn: str, label: str) -> str:
    """Return a whole drawing.

    Args:
        drawn: What is in it.
        label: What it shows, for who does not see it.
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="glossary" role="img" '
        f'aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'fill="none" style="font: {SIZE}px var(--st-font, \'Source Sans\', sans-serif)">'
        f"{drawn}</svg>"
    )


def words(x: float, y: float, text: str, side: Side = "middle", *, hue: str = "") -> str:
    """Write words, cut where the drawing ends.

    Args:
        x: Where they begin, have their middle or end.
        y: The middle of their height.
        text: What they are, said.
        side: Which of these `x` is.
        hue: Their colour, if they are on another ground than the page.
    """
    left, right = x - _EDGE, WIDTH - x - _EDGE
    room = {"start": right, "middle": 2 * min(left, right), "end": left}[side]
    anchor = "" if side == "start" else f' text-anchor="{side}"'
    return (
        f'<text x="{n(x)}" y="{n(y + 0.35 * SIZE)}"{anchor} fill="{hue or "currentColor"}">'
        f"{escape(fitted(text, room))}</text>"
    )


def line(
    *points: Point, hue: str = GREY, width: float = 1.5, dashed: bool = False, arrow: bool = False
) -> str:
    """Draw straight lines from point to point, with an arrow's head at the last one if wanted."""
    (x, y), (end_x, end_y) = points[-2:]
    if not arrow:
        return path("M" + "L".join(map(_at, points)), hue, width, dashed)
    long = math.dist((x, y), (end_x, end_y)) or 1.0
    along = (end_x - x) / long, (end_y - y) / long
    neck = end_x - 0.7 * _HEAD * along[0], end_y - 0.7 * _HEAD * along[1]
    shaft = line(*points[:-1], neck, hue=hue, width=width, dashed=dashed)
    return shaft + head((end_x, end_y), along, hue)


def head(tip: Point, along: Point, hue: str = GREY) -> str:
    """Draw an arrow's head, whose direction is a vector of length 1."""
    (x, y), (dx, dy), half = tip, along, _HEAD / 2
    left, top = x - _HEAD * dx, y - _HEAD * dy
    corners = (tip, (left - half * dy, top + half * dx), (left + half * dy, top - half * dx))
    return f'<path d="M{"L".join(map(_at, corners))}Z" fill="{hue}"/>'


def path(d: str, hue: str = GREY, width: float = 1.5, dashed: bool = False) -> str:
    """Draw a path."""
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="{d}" stroke="{hue}" stroke-width="{width:g}"{dash}/>'


def lane(start: Point, across: float, end: Point, hue: str, turn: float, **look: bool) -> str:
    """Draw a way from `start` to `end` that runs at the height `across` between two turns."""
    (x, y), (end_x, end_y) = start, end
    half = turn / 2
    d = (
        f"M{n(x)},{n(y)}C{n(x + half)},{n(y)} {n(x + half)},{n(across)} {n(x + turn)},{n(across)}"
        f"H{n(end_x - turn)}C{n(end_x - half)},{n(across)} {n(end_x - half)},{n(end_y)} "
        f"{n(end_x)},{n(end_y)}"
    )
    return path(d, hue, 3, **look)


def frame(
    x: float, y: float, width: float, height: float, hue: str = MARK, *, dashed: bool = False
) -> str:
    """Draw a frame around a place."""
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<rect x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}" rx="1" '
        f'stroke="{hue}" stroke-width="2"{dash}/>'
    )


def bar(x: float, y: float, width: float, height: float, hue: str = GREY) -> str:
    """Draw a filled rectangle; with a height below 0, it is above `y`."""
    top = y + min(height, 0)
    return (
        f'<rect x="{n(x)}" y="{n(top)}" width="{n(width)}" height="{n(abs(height))}" fill="{hue}"/>'
    )


def box(x: float, y: float, width: float, height: float) -> str:
    """Draw what stands for layers."""
    return (
        f'<rect x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}" rx="4" '
        f'fill="{GREY}" fill-opacity="0.25" stroke="{GREY}"/>'
    )


def dot(x: float, y: float, hue: str = GREY, radius: float = 3.5) -> str:
    """Draw a filled circle."""
    return f'<circle cx="{n(x)}" cy="{n(y)}" r="{n(radius)}" fill="{hue}"/>'


def sign(x: float, y: float, text: str, hue: str = GREY) -> str:
    """Draw a circle with a sign in it."""
    circle = f'<circle cx="{n(x)}" cy="{n(y)}" r="9" stroke="{hue}" stroke-width="1.5"/>'
    return circle + words(x, y, text)


def cells(
    x: float,
    y: float,
    side: float,
    values: ArrayLike,
    ramp: Ramp = POSITIVE,
    *,
    most: float = 0.0,
    numbers: bool | NDArray[np.int_] = False,
    lines: bool = True,
) -> str:
    """Draw values as squares in the colours of a ramp.

    Args:
        x: The left edge.
        y: The upper edge.
        side: Pixels of a square.
        values: `(rows, columns)`.
        ramp: From `-most` to `most` if it is one of signed values, else from 0.
        most: Where it ends; 0 for the largest of the values.
        numbers: Whether each square has its value as a number; or the numbers, if they differ.
        lines: Whether there are lines between squares, or only around all.
    """
    array = np.asarray(values, float)
    height, width = (side * count for count in array.shape)
    codes = _codes(array, ramp, most)
    drawn = (
        f'<image x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}" '
        f'preserveAspectRatio="none" style="image-rendering: pixelated" '
        f'href="{data_uri(png(codes, palette(ramp)))}"/>'
    )
    grid = f"M{n(x)},{n(y)}h{n(width)}v{n(height)}h{n(-width)}z"
    if lines:
        rows, columns = array.shape
        grid += "".join(f"M{n(x)},{n(y + side * row)}h{n(width)}" for row in range(1, rows))
        grid += "".join(f"M{n(x + side * each)},{n(y)}v{n(height)}" for each in range(1, columns))
    drawn += f'<path d="{grid}" stroke="{GREY}" stroke-opacity="0.6"/>'
    if numbers is not False:
        shown = array if numbers is True else numbers
        for (row, column), value in np.ndenumerate(shown):
            middle = x + side * (column + 0.5), y + side * (row + 0.5)
            ink = _ink(palette(ramp)[codes[row, column]])
            drawn += words(*middle, significant(value), hue=ink)
    return drawn


def _codes(values: Floats, ramp: Ramp, most: float) -> NDArray[np.uint8]:
    """Return the number of each value's colour in the palette of a ramp."""
    shares = values / (most or float(np.abs(values).max()) or 1.0)
    if ramp in (SIGNED, WEIGHTS):
        shares = (shares + 1) / 2
    return np.rint(np.clip(shares, 0, 1) * (LEVELS - 1)).astype(np.uint8)


def _ink(ground: NDArray[np.uint8]) -> str:
    """Return black or white, whichever is read better on a colour."""
    share = ground / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    light = float(linear @ (0.2126, 0.7152, 0.0722))  # relative luminance, as WCAG has it
    return "#000000" if (light + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def picture(x: float, y: float, width: float, values: ArrayLike, ramp: Ramp = INK) -> str:
    """Draw values as an image so many pixels wide, without lines between its pixels."""
    array = np.asarray(values, float)
    return cells(x, y, width / array.shape[1], array, ramp, lines=False)


@dataclass(frozen=True, slots=True)
class Axes:
    """A part of a drawing in which values have places.

    Attributes:
        left: Pixels, as the next three.
        top: Where the largest `y` is.
        width: Of the values from the first to the second of `xs`.
        height: Of those of `ys`.
        xs: From left to right.
        ys: From bottom to top.
    """

    left: float
    top: float
    width: float
    height: float
    xs: tuple[float, float]
    ys: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where values are."""
        (low, high), (bottom, top) = self.xs, self.ys
        across = self.left + self.width * (x - low) / (high - low)
        return across, self.top + self.height * (top - y) / (top - bottom)

    def curve(
        self, xs: Sequence[float] | Floats, ys: Sequence[float] | Floats, hue: str = BLUE
    ) -> str:
        """Draw a curve through points that are close together."""
        return line(*(self.at(x, y) for x, y in zip(xs, ys, strict=True)), hue=hue, width=2)

    def lines(self, x: float, y: float) -> str:
        """Draw the vertical line at `x` and the horizontal one at `y`, as axes."""
        upright = line(self.at(x, self.ys[0]), self.at(x, self.ys[1]), width=1)
        return upright + line(self.at(self.xs[0], y), self.at(self.xs[1], y), width=1)

    def arrows(self, points: Sequence[Point], hue: str = MARK) -> str:
        """Draw an arrow from each point, given in values, to the next."""
        places = [self.at(*point) for point in points]
        return "".join(line(*ends, hue=hue, arrow=True) for ends in pairwise(places))


def _at(point: Point) -> str:
    x, y = point
    return f"{n(x)},{n(y)}"


def n(number: float) -> str:
    """Write a length in pixels."""
    return f"{number:.1f}".removesuffix(".0")
