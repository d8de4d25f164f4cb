"""A network as an SVG drawing, from left to right or from top to bottom.

A slab is as long as its output has channels, and so is its share of a concatenation. A ribbon is as
thick as what it leads to has multiply-adds. A skip is an arc around the other branches. Below the
drawing, a legend says so.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from explorer.charts.layout import Direction, largest, lay_out
from explorer.charts.marks import (
    LARGE,
    LINE,
    SIZE,
    Anchor,
    Band,
    Circle,
    Group,
    Mark,
    Picture,
    Rectangle,
    Ribbon,
    Words,
    moved,
    text_width,
)
from explorer.charts.network import Chain, Repeat, network, summary, table_of, walk
from explorer.inspection.parts import Block, Part
from explorer.language import plural, say
from explorer.spec import ImageSpec
from explorer.text import dimensions, thousands

MARGIN = 3  # pixels
SAMPLE = 22  # pixels that a sample of the legend is wide
APART = 18  # pixels between two of its entries

# Within the drawing, so that a saved one looks the same. Grey is seen on white and on black.
_STYLE = f"""
.network {{ font: {SIZE}px var(--st-font, "Source Sans", sans-serif); }}
text {{ fill: currentColor; }}
.bold {{ font-weight: 600; }}
.faint {{ fill-opacity: 0.75; }}
.struck {{ text-decoration: line-through; }}
.times {{ font-size: {LARGE}px; font-weight: 600; }}
.drawn {{ fill: none; stroke: currentColor; stroke-width: 2; }}
.ribbon {{ fill: none; stroke: #808080; stroke-opacity: 0.45; }}
.lane .ribbon {{ stroke-opacity: 0.7; }}
.shared {{ stroke-dasharray: 4 3; }}
.band {{ fill-opacity: 0.3; }}
.slab {{ fill: #808080; fill-opacity: 0.85; }}
.capsule {{ fill: #808080; fill-opacity: 0.12; stroke: #808080; stroke-opacity: 0.5; }}
.frame {{ fill: #808080; fill-opacity: 0; stroke: #808080; stroke-opacity: 0; }}
.block {{ fill-opacity: 0.05; stroke-opacity: 0.3; }}
.repeat {{ fill: var(--st-background-color, white); stroke: #808080; stroke-opacity: 0.5; }}
.picture {{ image-rendering: pixelated; }}
.edge {{ fill: none; stroke: #808080; stroke-opacity: 0.6; }}
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
    pictures: Mapping[str, str] | None = None,
    folded: bool = True,
    unfolds: bool = False,
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
        pictures: Of what some parts and branches gave, by name, as `thumbnails` returns them.
        folded: Whether equal parts that follow one another are drawn once.
        unfolds: Whether what is folded is a button, with `data-unfold`.

    Returns:
        An `<svg>` element. Whatever can be opened has its name in `data-name`, and where equal
        parts are folded into one, all their names in `data-names`, a JSON list. Its `metadata` is
        a table of the parts, as JSON.
    """
    chain = network(parts, order, opened, off, folded)
    image = dimensions((images.channels, images.size, images.size))
    classes = plural("{n} class", "{n} classes", images.num_classes)
    piece = lay_out(chain, image, classes, direction, pictures)
    pen = _Pen(direction == "horizontal", opens, unfolds)
    width, height = pen.turned(piece.length + 2 * MARGIN, piece.before + piece.after + 2 * MARGIN)
    legend, width, height = pen.legend(
        _entries(chain, pen.horizontal, bool(pictures)), width, height
    )
    marks = moved((*piece.marks, *piece.parts), MARGIN, MARGIN + piece.before)
    role = "group" if opens else "img"
    label = escape(say("The network: {parts}", parts=summary(chain)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="network {direction}" role="{role}" '
        f'aria-label="{label}" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'height="{_n(height)}"><metadata>{_data(parts)}</metadata><style>{_STYLE}</style>'
        f"{''.join(map(pen.draw, marks))}{legend}</svg>"
    )


def _data(parts: Sequence[Part]) -> str:
    """Return the network's parts as a table, as JSON: its columns and its rows."""
    columns = [say("part"), say("what it is"), say("branch"), say("output"), say("parameters")]
    columns.append(say("multiply-adds"))
    data = {"columns": columns, "branch": 2, "rows": list(table_of(parts))}
    return escape(json.dumps(data, ensure_ascii=False, separators=(",", ":")), quote=False)


def _entries(chain: Chain, horizontal: bool, with_pictures: bool) -> list[tuple[str, str]]:
    """Return what the legend explains: the kind of each sample, and its words."""
    if not chain:
        return []
    channels, macs = largest(chain)
    bars = (
        say("height: channels, up to {channels:,}", channels=channels)
        if horizontal
        else say("width: channels, up to {channels:,}", channels=channels)
    )
    entries = [("bars", bars)]
    if macs > 1:
        lines = say("thickness: multiply-adds, up to {most}", most=thousands(macs))
        entries.append(("lines", lines))
    if with_pictures:
        entries.append(("map", say("its map with the most contrast")))
    if _has_repeats(chain):
        entries.append(("times", say("drawn once, there several times")))
    return entries


def _has_repeats(chain: Chain) -> bool:
    lanes = [lane.chain for node in walk(chain) for lane in getattr(node, "lanes", ())]
    return any(isinstance(node, Repeat) for nodes in (chain, *lanes) for node in nodes)


@dataclass(frozen=True, slots=True)
class _Pen:
    """Writes marks, with the flow along x or along y."""

    horizontal: bool
    opens: bool
    unfolds: bool = False

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
            case Picture():
                x, y = self.turned(mark.flow, mark.across)
                place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(mark.side)}" height="{_n(mark.side)}"'
                title = f"<title>{escape(mark.title)}</title>" if mark.title else ""
                return (
                    f'<image class="picture" {place} preserveAspectRatio="none" '
                    f'href="{mark.address}">{title}</image><rect class="edge" {place}/>'
                )
            case Ribbon():
                hue = f' style="stroke: {mark.hue}"' if mark.hue else ""
                title = plural("{n:,} multiply-add", "{n:,} multiply-adds", mark.macs)
                title = f"<title>{escape(title)}</title>" if mark.macs else ""
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
        elif group.style == "folded" and self.unfolds:
            label = escape(say("draw all of {parts}", parts=group.title))
            attributes += f' data-unfold="" tabindex="0" role="button" aria-label="{label}"'
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
        label = say("open {part}", part=first)
        if others:
            label = say(
                "open {part}, the first of {count} equal ones", part=first, count=len(group.names)
            )
        return f'{attributes} tabindex="0" role="button" aria-label="{escape(label)}"'

    def legend(
        self, entries: Sequence[tuple[str, str]], width: float, height: float
    ) -> tuple[str, float, float]:
        """Write the legend below a drawing.

        Returns:
            The legend, and the size of the whole.
        """
        if not entries:
            return "", width, height
        rooms = [SAMPLE + 6 + text_width(words) for _, words in entries]
        width = max([width, *(room + 2 * MARGIN for room in rooms)])
        x, y = float(MARGIN), height + LINE
        drawn = ""
        for (kind, words), room in zip(entries, rooms, strict=True):
            if x > MARGIN and x + room > width - MARGIN:
                x, y = float(MARGIN), y + LINE + 5
            drawn += self.sample(kind, x, y) + self.words(
                x + SAMPLE + 6, y, words, "start", "faint"
            )
            x += room + APART
        return f'<g class="legend">{drawn}</g>', width, y + LINE / 2 + MARGIN

    def sample(self, kind: str, x: float, y: float) -> str:
        """Write what an entry of the legend explains, `SAMPLE` wide, with its middle at `y`."""
        if kind == "times":
            return self.words(x, y, "×n", "start", "bold")
        if kind == "map":
            place = f'x="{_n(x + 4)}" y="{_n(y - 7)}" width="14" height="14"'
            seven = f"M {_n(x + 8)},{_n(y - 4)} H {_n(x + 15)} L {_n(x + 11)},{_n(y + 5)}"
            return f'<rect class="capsule" {place}/><path class="drawn" d="{seven}"/>'
        if kind == "lines":
            return "".join(
                f'<path class="ribbon" d="M {_n(x)},{_n(y + at)} h {SAMPLE}" '
                f'stroke-width="{size}"/>'
                for at, size in ((-4, 1.5), (3, 6))
            )
        sizes = ((x + 3, 6.0, 5.0), (x + 12, 6.0, 14.0))
        return "".join(
            f'<rect class="slab" x="{_n(left)}" y="{_n(y - tall / 2)}" width="{_n(wide)}" '
            f'height="{_n(tall)}"/>'
            if self.horizontal
            else f'<rect class="slab" x="{_n(x)}" y="{_n(y - 5 + 7 * row)}" '
            f'width="{_n(6 + 14 * row)}" height="4"/>'
            for row, (left, wide, tall) in enumerate(sizes)
        )

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
