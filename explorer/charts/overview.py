"""The whole network from left to right, as one SVG picture whose parts can be clicked.

Heights are channels: of a layer, of each lane in a block, of its share in the concat strip. Widths
of the ribbons are multiply-adds, of what they lead to. A skip is an arc over its block.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from explorer.charts.stages import Stage, stages
from explorer.charts.style import branch_hues
from explorer.inspection.parts import Block, Layer, Part, is_skip
from explorer.inspection.receptive import ReceptiveField, by_reach
from explorer.spec import ImageSpec

# Pixels.
TALLEST = 92  # of the channels of the widest part
LEAST = 6
WIDEST = 24  # ribbon
THINNEST = 1.5
GAP = 22  # between two parts
BOX = 74
BAR = 18
FAN = 38  # from a block's entry to its lanes, and from them to the merge
LANE = 112
STRIP = 9
LINE = 13
ARC = 34
CHARACTERS = 19  # of small print that fit into a lane


@dataclass
class _Scale:
    """From channels and multiply-adds to pixels."""

    channels: int
    macs: int

    def height(self, channels: int) -> float:
        return max(LEAST, TALLEST * channels / self.channels)

    def width(self, macs: int) -> float:
        return max(THINNEST, WIDEST * macs / self.macs)


def overview(
    parts: Sequence[Part],
    images: ImageSpec,
    fields: Mapping[str, ReceptiveField],
    opened: str = "",
    off: Collection[str] = (),
) -> str:
    """Draw a network.

    Args:
        parts: What it is made of.
        images: What goes in.
        fields: The receptive fields of the branches by name; lanes are ordered by them.
        opened: The name of the part that is open, which is marked.
        off: The paths of the branches that are switched off.

    Returns:
        An `<svg>` element. Whatever can be opened has its name in `data-name`.
    """
    found = stages(parts)
    scale = _Scale(
        channels=max(map(_channels, found), default=1),
        macs=max([1, *(macs for stage in found for macs in _ribbons(stage))]),
    )
    drawing = _Drawing(scale, fields, opened, off)
    x = drawing.caption(
        0, f"image<br>{'×'.join(map(str, (images.channels, images.size, images.size)))}"
    )
    for stage in found:
        x = drawing.block(stage, x) if isinstance(stage, Block) else drawing.box(stage, x)
    x = drawing.ribbon(x, 0)
    x = drawing.caption(x, f"{images.num_classes}<br>classes")
    return drawing.finish(x)


def _channels(stage: Stage) -> int:
    if isinstance(stage, Block):
        return max(stage.shape[0], *stage.channels.values(), 1)
    maps = [layer.shape[0] for layer in stage if len(layer.shape) == 3]
    return max(maps, default=1)


def _ribbons(stage: Stage) -> list[int]:
    if isinstance(stage, Block):
        return [sum(p.macs for p in inside) for inside in stage.branches.values()]
    return [sum(layer.macs for layer in stage)]


@dataclass
class _Drawing:
    """Collects shapes; the middle line is y = 0 until the picture is finished."""

    scale: _Scale
    fields: Mapping[str, ReceptiveField]
    opened: str
    off: Collection[str]
    shapes: list[str] = field(default_factory=list)
    top: float = -20
    bottom: float = 20

    def caption(self, x: float, text: str) -> float:
        """Text on the middle line; returns where it ends."""
        lines = text.split("<br>")
        for number, line in enumerate(lines):
            y = (number - (len(lines) - 1) / 2) * LINE + 4
            self.text(x + 26, y, line, "middle", faint=True)
        return x + 52

    def ribbon(self, x: float, macs: int, length: float = GAP) -> float:
        """A ribbon to the next part, as wide as that part's multiply-adds."""
        width = self.scale.width(macs)
        self.rectangle("ribbon", x, -width / 2, length, width, title=f"{macs:,} multiply-adds")
        return x + length

    def box(self, layers: Sequence[Layer], x: float) -> float:
        macs, parameters = sum(p.macs for p in layers), sum(p.parameters for p in layers)
        height = self.scale.height(_channels(list(layers)))
        words = [layer.text for layer in layers] + ["×".join(map(str, layers[-1].shape))]
        x += GAP
        middle, bottom = x + BOX / 2, height / 2 + 6 + LINE * len(words)
        title = f"{', '.join(words)}\n{parameters:,} parameters\n{macs:,} multiply-adds"
        self.begin(layers[0].name, title)
        self.frame(x - 3, -height / 2 - 4, BOX + 6, height / 2 + 4 + bottom)
        bar = self.ribbon(x - GAP, macs, GAP + BOX / 2 - BAR / 2)
        self.rectangle("layer", bar, -height / 2, BAR, height)
        self.ribbon(bar + BAR, 0, BOX / 2 - BAR / 2)
        for number, word in enumerate(words):
            y = height / 2 + LINE * (number + 1)
            self.text(middle, y, _cut(word, 14), "middle", faint=number == len(words) - 1)
        self.end()
        return x + BOX

    def block(self, block: Block, x: float) -> float:
        x = self.ribbon(x, 0)
        hues = branch_hues(block.branches)
        is_concat = block.merge == "concat"
        order = by_reach(block, self.fields)
        arcs = [name for name in order if not is_concat and is_skip(block.branches[name])]
        drawn = [name for name in order if name not in arcs]
        heights = {name: self.scale.height(block.channels[name]) for name in drawn}
        whole = sum(heights.values()) + (LINE + 5) * len(drawn)
        strip = sum(heights.values())
        half = max(whole, strip, 30) / 2
        top = -half - ARC * len(arcs) - LINE - 8
        end = x + FAN + LANE + FAN
        merge = "×".join(map(str, block.shape))
        self.begin(
            block.name,
            f"{block.path}: {block.merge} of {', '.join(block.branches)}\n{merge}\n"
            f"{block.parameters:,} parameters\n{block.macs:,} multiply-adds",
        )
        self.frame(x - 2, top, end - x + 2 * STRIP + 6, half + LINE + 10 - top)
        self.text(x + 6, top + LINE, _cut(block.path, CHARACTERS), "start", bold=True)
        self.text(
            x + FAN + LANE / 2, half + LINE + 3, f"{block.merge} {merge}", "middle", faint=True
        )

        y, ends = -whole / 2, {}
        for name in drawn:
            inside, hue = block.branches[name], hues[name]
            style = self.style(block.branch_path(name))
            words = " → ".join(filter(None, map(_word, inside)))
            short = _cut(name, CHARACTERS - 3)
            self.text(x + FAN, y + LINE - 2, short, "start", bold=True, hue=hue)
            beside, room = x + FAN + 6.6 * len(short) + 6, CHARACTERS - len(short)
            if room > 3:
                self.text(beside, y + LINE - 2, _cut(words, room), "start", faint=True)
            y += LINE + 2
            middle = y + heights[name] / 2
            macs = sum(part.macs for part in inside)
            entry = _curve(x, 0, x + FAN, middle)
            self.path(entry, hue, self.scale.width(macs), style, f"{macs:,} multiply-adds")
            self.rectangle(
                style,
                x + FAN,
                y,
                LANE,
                heights[name],
                hue,
                f"{name}: {block.channels[name]} channels",
            )
            ends[name] = (y, heights[name])
            y += heights[name] + 3
        place = -strip / 2
        for name in block.branches if is_concat else drawn:
            y, height = ends[name]
            style = self.style(block.branch_path(name))
            if is_concat:
                self.shapes.append(_band(x + FAN + LANE, y, end, place, height, hues[name], style))
                self.rectangle(style, end, place, STRIP, height, hues[name])
                place += height
            else:
                middle = y + height / 2
                self.path(_curve(x + FAN + LANE, middle, end, 0), hues[name], 3, style)
        for number, name in enumerate(arcs):
            peak = -half - ARC * (number + 1) * 4 / 3
            d = f"M {x:g},0 C {x:g},{peak:.1f} {end:g},{peak:.1f} {end:g},0"
            self.path(d, hues[name], 4, self.style(block.branch_path(name)), "hands its input on")
            self.text(
                x + FAN + LANE / 2,
                -half - ARC * number - 8,
                name,
                "middle",
                bold=True,
                hue=hues[name],
            )
        if not is_concat:
            sign = "+" if block.merge == "add" else "●"
            self.shapes.append(f'<circle class="sum" cx="{end + 4:g}" cy="0" r="9"/>')
            self.text(end + 4, 4.5, sign, "middle", bold=True)
        self.end()
        return end + STRIP + 4

    def begin(self, name: str, title: str) -> None:
        marked = " opened" if name == self.opened else ""
        self.shapes.append(
            f'<g class="part{marked}" data-name="{escape(name)}" tabindex="0" role="button" '
            f'aria-label="open {escape(name)}">{_title(title)}'
        )

    def end(self) -> None:
        self.shapes.append("</g>")

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        self.top, self.bottom = min(self.top, y), max(self.bottom, y + height)
        self.rectangle("frame", x, y, width, height, rounded=6)

    def rectangle(
        self,
        style: str,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str = "",
        title: str = "",
        rounded: float = 0,
    ) -> None:
        colour = f' fill="{fill}"' if fill else ""
        self.shapes.append(
            f'<rect class="{style}" x="{x:g}" y="{y:.1f}" width="{width:g}" height="{height:.1f}" '
            f'rx="{rounded:g}"{colour}>{_title(title)}</rect>'
        )

    def style(self, path: str) -> str:
        return "off" if path in self.off else "on"

    def path(self, d: str, hue: str, width: float, style: str, title: str = "") -> None:
        self.shapes.append(
            f'<path class="{style}" d="{d}" fill="none" stroke="{hue}" stroke-width="{width:.1f}">'
            f"{_title(title)}</path>"
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        anchor: str,
        *,
        bold: bool = False,
        faint: bool = False,
        hue: str = "",
    ) -> None:
        classes = " ".join(filter(None, ["bold" if bold else "", "faint" if faint else ""]))
        colour = f' style="fill: {hue}"' if hue else ""
        self.shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{classes}"{colour}>'
            f"{escape(words)}</text>"
        )

    def finish(self, width: float) -> str:
        height = self.bottom - self.top + 8
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'style="max-width: 100%; min-width: {0.75 * width:.0f}px; height: auto" '
            f'viewBox="0 {self.top - 4:.1f} {width:.0f} {height:.1f}">{"".join(self.shapes)}</svg>'
        )


def _curve(x0: float, y0: float, x1: float, y1: float) -> str:
    half = (x0 + x1) / 2
    return f"M {x0:g},{y0:.1f} C {half:g},{y0:.1f} {half:g},{y1:.1f} {x1:g},{y1:.1f}"


def _band(x0: float, y0: float, x1: float, y1: float, height: float, hue: str, style: str) -> str:
    half = (x0 + x1) / 2
    d = (
        f"M {x0:g},{y0:.1f} C {half:g},{y0:.1f} {half:g},{y1:.1f} {x1:g},{y1:.1f} "
        f"L {x1:g},{y1 + height:.1f} "
        f"C {half:g},{y1 + height:.1f} {half:g},{y0 + height:.1f} {x0:g},{y0 + height:.1f} Z"
    )
    return f'<path d="{d}" fill="{hue}" fill-opacity="0.35" class="{style}"/>'


def _cut(words: str, room: int) -> str:
    return words if len(words) <= room else words[: max(1, room - 1)] + "…"


def _title(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""


def _word(part: Part) -> str:
    """What a lane says of one of its parts; nothing of those that only follow a convolution."""
    if isinstance(part, Block):
        return part.path.rpartition(".")[2]
    if (not part.parameters and "ool" not in part.kind) or "Norm" in part.kind:
        return ""
    return part.text.removeprefix("conv ")
