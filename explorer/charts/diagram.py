"""The diagram of a network: an image goes in at the top, the classes come out at the bottom.

Blocks show their branches as lanes side by side, each in its hue. A concatenation is a strip in
the lanes' hues, each as wide as its channels; a sum is a circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from explorer.charts.stages import Stage, stages
from explorer.charts.style import FAINT, LINE, branch_hues, figure, translucent
from explorer.inspection.parts import Block, Layer, Part, is_skip
from explorer.spec import ImageSpec

# Pixels. One unit of the y axis is one pixel; the x axis goes from 0 to 1 over whatever width.
GAP = 16
LINE_HEIGHT = 15
PADDING = 5
SPREAD = 26
STRIP = 9
RADIUS = 9
CHARACTERS = 46  # that fit side by side into a diagram of 300 pixels


def diagram(parts: Sequence[Part], images: ImageSpec) -> go.Figure:
    """Draw a network from its outline; about 300 pixels are wide enough for four lanes."""
    canvas = _Canvas()
    y = canvas.caption(0.5, 4, f"image {_shape((images.channels, images.size, images.size))}")
    for stage in stages(parts):
        y = canvas.arrow(0.5, y)
        y = canvas.draw(stage, 0.0, 1.0, y)
    y = canvas.arrow(0.5, y)
    y = canvas.caption(0.5, y, f"{images.num_classes} classes")
    return canvas.finish(y + 4)


@dataclass
class _Canvas:
    """Collects shapes and labels; y grows downwards."""

    shapes: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    spots: list[tuple[float, float, str]] = field(default_factory=list)

    def draw(self, stage: Stage, left: float, right: float, y: float) -> float:
        """Draw a stage between `left` and `right` from `y` on; return where it ends."""
        if isinstance(stage, Block):
            return self.block(stage, left, right, y)
        return self.box(stage, left, right, y)

    def box(self, layers: Sequence[Layer], left: float, right: float, y: float) -> float:
        narrow = right - left < 0.6
        words = [layer.text for layer in layers]
        shape = _shape(layers[-1].shape)
        if narrow:
            lines = [_fitting(word, right - left) for word in words]
        else:
            lines = [_wrapped(words), f"<span style='opacity:0.65'>{shape}</span>"]
        rows = sum(1 + line.count("<br>") for line in lines)
        bottom = y + rows * LINE_HEIGHT + 2 * PADDING
        inset = 0.03 if narrow else 0.06
        self.rectangle(left + inset * (right - left), right - inset * (right - left), y, bottom)
        middle = (left + right) / 2
        self.label(middle, (y + bottom) / 2, "<br>".join(lines))
        self.hover(middle, (y + bottom) / 2, "<br>".join(_details(layer) for layer in layers))
        return bottom

    def block(self, block: Block, left: float, right: float, y: float) -> float:
        hues = branch_hues(block.branches)
        middle = (left + right) / 2
        if right - left == 1:  # as wide as the boxes above and below it
            left, right = left + 0.04, right - 0.04
        lanes = {name: _lanes(parts) for name, parts in block.branches.items()}
        top = y + SPREAD
        ends: dict[str, tuple[float, float]] = {}
        start = left
        for name, parts in block.branches.items():
            hue, width = hues[name], (right - left) * lanes[name] / sum(lanes.values())
            centre = start + width / 2
            self.curve(middle, y, centre, top, hue)
            title = f"<b style='color:{hue}'>{_cut(name, width)}</b>"
            self.label(centre, top + LINE_HEIGHT / 2, title)
            self.hover(centre, top + LINE_HEIGHT / 2, f"branch <b>{name}</b>")
            end = top + LINE_HEIGHT + 2
            if not is_skip(parts):
                for number, stage in enumerate(stages(parts)):
                    if number:
                        end = self.arrow(centre, end, hue, length=8)
                    end = self.draw(stage, start, start + width, end)
            ends[name] = (centre, end)
            start += width
        bottom = max(end for _, end in ends.values())
        for name, (centre, end) in ends.items():
            self.curve(centre, end, centre, bottom + 4, hues[name])
        for name, (centre, _) in ends.items():
            self.curve(centre, bottom + 4, middle, bottom + SPREAD, hues[name])
        return self.merge(block, left, right, bottom + SPREAD)

    def merge(self, block: Block, left: float, right: float, y: float) -> float:
        middle = (left + right) / 2
        hues = branch_hues(block.branches)
        details = (
            f"<b>{block.path}</b><br>{block.merge} of {', '.join(block.branches)}<br>"
            f"{_shape(block.shape)}<br>{block.parameters:,} parameters"
        )
        if block.merge == "concat":
            total = sum(block.channels.values())
            start = left + 0.06 * (right - left)
            for name, channels in block.channels.items():
                end = start + 0.88 * (right - left) * channels / total
                self.rectangle(start, end, y, y + STRIP, fill=hues[name])
                start = end
            self.hover(middle, y + STRIP / 2, details)
            y += STRIP
        else:
            sign = "+" if block.merge == "add" else "●"
            self.shapes.append(
                {
                    "type": "circle",
                    "xsizemode": "pixel",
                    "xanchor": middle,
                    "x0": -RADIUS,
                    "x1": RADIUS,
                    "y0": y,
                    "y1": y + 2 * RADIUS,
                    "line": {"color": LINE, "width": 1.5},
                    "fillcolor": FAINT,
                }
            )
            self.label(middle, y + RADIUS, f"<b>{sign}</b>", size=14)
            self.hover(middle, y + RADIUS, details)
            y += 2 * RADIUS
        words = "" if block.merge in ("concat", "add") else f"{block.merge} · "
        return self.caption(middle, y + 1, f"{words}{_shape(block.shape)}")

    def caption(self, x: float, y: float, text: str) -> float:
        self.label(x, y + LINE_HEIGHT / 2, f"<span style='opacity:0.65'>{text}</span>")
        return y + LINE_HEIGHT

    def label(self, x: float, y: float, text: str, size: int = 11) -> None:
        font = {"size": size}
        self.labels.append({"x": x, "y": y, "text": text, "font": font, "showarrow": False})

    def hover(self, x: float, y: float, text: str) -> None:
        self.spots.append((x, y, text))

    def rectangle(
        self, left: float, right: float, top: float, bottom: float, fill: str = FAINT
    ) -> None:
        line = {"width": 1, "color": LINE} if fill == FAINT else {"width": 0}
        box = {"x0": left, "x1": right, "y0": top, "y1": bottom}
        self.shapes.append({"type": "rect", **box, "fillcolor": fill, "line": line})

    def curve(self, x0: float, y0: float, x1: float, y1: float, hue: str) -> None:
        half = (y0 + y1) / 2
        path = f"M {x0},{y0} C {x0},{half} {x1},{half} {x1},{y1}"
        line = {"color": translucent(hue, 0.85), "width": 2}
        self.shapes.append({"type": "path", "path": path, "line": line})

    def arrow(self, x: float, y: float, hue: str = "", length: int = GAP) -> float:
        line = {"color": hue or LINE, "width": 2 if hue else 1.5}
        end = {"x0": x, "x1": x, "y0": y, "y1": y + length}
        self.shapes.append({"type": "line", **end, "line": line})
        return y + length

    def finish(self, height: float) -> go.Figure:
        drawing = figure(round(height), "diagram")
        xs, ys, texts = zip(*self.spots, strict=True) if self.spots else ((), (), ())
        drawing.add_scatter(
            x=xs,
            y=ys,
            hovertext=texts,
            hoverinfo="text",
            mode="markers",
            marker={"size": 34, "opacity": 0},
        )
        drawing.update_layout(
            shapes=self.shapes,
            annotations=self.labels,
            xaxis={"range": [0, 1], "visible": False, "fixedrange": True},
            yaxis={"range": [height, 0], "visible": False, "fixedrange": True},
            dragmode=False,
        )
        return drawing


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _wrapped(words: Sequence[str]) -> str:
    """Join words with dots, breaking where a line would pass 38 characters."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) > 36:
            lines.append(word)
        else:
            lines[-1] += f" · {word}"
    return "<br>".join(lines)


def _lanes(parts: Sequence[Part]) -> int:
    """How many lanes run side by side at the widest place of a branch."""
    blocks = [part for part in parts if isinstance(part, Block)]
    return max((sum(map(_lanes, block.branches.values())) for block in blocks), default=1)


def _fitting(text: str, width: float) -> str:
    """A layer's words, shortened to what a lane of this width has room for."""
    text = text.replace("batch norm", "norm")
    if len(text) > CHARACTERS * width:
        for word in ("conv ", "-pool", " average"):
            text = text.replace(word, "")
    return _cut(text, width)


def _cut(name: str, width: float) -> str:
    room = max(3, int(CHARACTERS * width))
    return name if len(name) <= room else name[: room - 1] + "…"


def _details(layer: Layer) -> str:
    parameters = f"<br>{layer.parameters:,} parameters" if layer.parameters else ""
    return f"<b>{layer.path}</b> {layer.text}<br>{_shape(layer.shape)}{parameters}"
