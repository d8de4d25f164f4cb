"""A network as an SVG drawing, from left to right or from top to bottom.

A slab is as long as its output has channels, and so is its share of a concatenation. A ribbon is as
thick as what it leads to has multiply-adds. A skip is an arc around the other branches.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from explorer.charts.layout import Direction, lay_out
from explorer.charts.marks import (
    LARGE,
    SIZE,
    Anchor,
    Band,
    Circle,
    Group,
    Mark,
    Rectangle,
    Ribbon,
    Words,
    moved,
)
from explorer.charts.network import network, summary
from explorer.inspection.parts import Block, Part
from explorer.spec import ImageSpec
from explorer.text import dimensions

MARGIN = 3  # pixels
_LEGEND = "Length of a bar: channels. Thickness of a line: multiply-adds."

# Within the drawing, so that a saved one looks the same. Grey is seen on white and on black.
_STYLE = f"""
.network {{ font: {SIZE}px var(--st-font, "Source Sans", sans-serif); }}
text {{ fill: currentColor; }}
.bold {{ font-weight: 600; }}
.faint {{ fill-opacity: 0.75; }}
.struck {{ text-decoration: line-through; }}
.times {{ font-size: {LARGE}px; font-weight: 600; }}
.ribbon {{ fill: none; stroke: #808080; stroke-opacity: 0.45; }}
.lane .ribbon {{ stroke-opacity: 0.7; }}
.shared {{ stroke-dasharray: 4 3; }}
.band {{ fill-opacity: 0.3; }}
.slab {{ fill: #808080; fill-opacity: 0.85; }}
.capsule {{ fill: #808080; fill-opacity: 0.12; stroke: #808080; stroke-opacity: 0.5; }}
.frame {{ fill: #808080; fill-opacity: 0; stroke: #808080; stroke-opacity: 0; }}
.block {{ fill-opacity: 0.05; stroke-opacity: 0.3; }}
.repeat {{ fill: var(--st-background-color, white); stroke: #808080; stroke-opacity: 0.5; }}
.sum {{ fill: var(--st-background-color, white); stroke: #808080; stroke-width: 1.5; }}
.off > :not(.name) {{ opacity: 0.35; }}
.opened > .frame {{ fill-opacity: 0.1; stroke: var(--st-primary-color, #0877bd);
  stroke-opacity: 1; stroke-width: 1.5; }}
"""


def network_svg(
    parts: Sequence[Part],
    images: ImageSpec,
    direction: Direction,
    *,
    order: Callable[[Block], Sequence[str]] = lambda block: list(block.branches),
    opened: str | None = None,
    off: Collection[str] = (),
    opens: bool = True,
) -> str:
    """Draw a network.

    Args:
        parts: What it is made of.
        images: What goes in, and the number of classes that come out.
        direction: Of the flow: from left to right, or from top to bottom.
        order: Returns a block's branches in the order in which their lanes are drawn.
        opened: The name of the part that is open, which is marked.
        off: The paths of the branches that are switched off.
        opens: Whether parts can be opened: they are buttons then.

    Returns:
        An `<svg>` element. Whatever can be opened has its name in `data-name`, and where equal
        parts are folded into one, all their names in `data-names`, a JSON list.
    """
    chain = network(parts, order, opened, off)
    image = dimensions((images.channels, images.size, images.size))
    piece = lay_out(chain, image, f"{images.num_classes} classes", direction)
    pen = _Pen(direction == "horizontal", opens)
    width, height = pen.turned(piece.length + 2 * MARGIN, piece.before + piece.after + 2 * MARGIN)
    marks = moved((*piece.marks, *piece.parts), MARGIN, MARGIN + piece.before)
    role = "group" if opens else "img"
    label = escape(f"The network: {summary(chain)}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="network {direction}" role="{role}" '
        f'aria-label="{label}" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'height="{_n(height)}"><title>{_LEGEND}</title><style>{_STYLE}</style>'
        f"{''.join(map(pen.draw, marks))}</svg>"
    )


@dataclass(frozen=True, slots=True)
class _Pen:
    """Writes marks, with the flow along x or along y."""

    horizontal: bool
    opens: bool

    def draw(self, mark: Mark) -> str:
        match mark:
            case Group():
                return self.group(mark)
            case Words():
                x, y = self.turned(mark.flow, mark.across)
                return self.words(x, y, mark.text, mark.anchor, mark.style)
            case Rectangle():
                x, y = self.turned(mark.flow, mark.across)
                width, height = self.turned(mark.length, mark.breadth)
                look = f' class="{mark.style}"' if mark.style else ""
                look += f' fill="{mark.hue}"' if mark.hue else ""
                corner = f' rx="{mark.corner:g}"' if mark.corner else ""
                place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
                return f"<rect {place}{corner}{look}/>"
            case Circle():
                x, y = self.turned(mark.flow, mark.across)
                circle = f'<circle class="sum" cx="{_n(x)}" cy="{_n(y)}" r="{_n(mark.radius)}"/>'
                return circle + self.words(x, y, mark.sign, "middle", "bold")
            case Ribbon():
                hue = f' style="stroke: {mark.hue}"' if mark.hue else ""
                title = f"<title>{mark.macs:,} multiply-adds</title>" if mark.macs else ""
                style = f"ribbon {mark.style}".rstrip()
                return (
                    f'<path class="{style}" d="{self.through(mark.points)}" '
                    f'stroke-width="{mark.thickness:.1f}"{hue}>{title}</path>'
                )
            case Anchor():
                return ""
            case Band():
                there = self.through([(flow, low) for flow, low, _ in mark.edges])
                back = self.through([(flow, high) for flow, _, high in reversed(mark.edges)])
                d = f"{there} L {back.removeprefix('M ')} Z"
                return f'<path class="band" d="{d}" fill="{mark.hue}"/>'

    def group(self, group: Group) -> str:
        attributes = f' class="{group.style}"' if group.style else ""
        if group.names:
            attributes += self.named(group)
        title = f"<title>{escape(group.title)}</title>" if group.title else ""
        return f"<g{attributes}>{title}{''.join(map(self.draw, group.marks))}</g>"

    def named(self, group: Group) -> str:
        """Return the attributes of a group with names: a lane's, or of what can be opened."""
        first, *others = group.names
        is_lane = group.style.startswith("lane")
        one, all_ = ("data-branch", "data-branches") if is_lane else ("data-name", "data-names")
        attributes = f' {one}="{escape(first)}"'
        if others:
            attributes += f' {all_}="{escape(json.dumps(group.names))}"'
        if is_lane or not self.opens:
            return attributes
        label = f"open {first}" + (
            f", the first of {len(group.names)} equal ones" if others else ""
        )
        return f'{attributes} tabindex="0" role="button" aria-label="{escape(label)}"'

    def words(self, x: float, y: float, text: str, anchor: str, style: str) -> str:
        size = LARGE if style == "times" else SIZE
        at = f'x="{_n(x)}" y="{_n(y + 0.35 * size)}"'  # y is of the baseline
        anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
        look = f' class="{style}"' if style else ""
        return f"<text {at}{anchored}{look}>{escape(text)}</text>"

    def turned(self, flow: float, across: float) -> tuple[float, float]:
        """Return x and y."""
        return (flow, across) if self.horizontal else (across, flow)

    def through(self, points: Sequence[tuple[float, float]]) -> str:
        """Return a path through points, smooth where it changes sides."""
        path = f"M {self.point(*points[0])}"
        for (flow, across), (next_flow, next_across) in pairwise(points):
            end = self.point(next_flow, next_across)
            middle = (flow + next_flow) / 2
            turn = f"{self.point(middle, across)} {self.point(middle, next_across)}"
            path += f" L {end}" if across == next_across else f" C {turn} {end}"
        return path

    def point(self, flow: float, across: float) -> str:
        return ",".join(map(_n, self.turned(flow, across)))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
