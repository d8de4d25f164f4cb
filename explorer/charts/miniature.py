"""A network as a small drawing without words: stages are bars, branches are lanes and arcs."""

from collections.abc import Sequence

from explorer.charts.network import Box, Chain, Fork, Node, Repeat, network, walk
from explorer.inspection.parts import Part

WIDTH, HEIGHT = 120, 40  # pixels
_MIDDLE = HEIGHT / 2
_BAR, _GAP, _FAN = 5.0, 4.0, 7.0  # along the flow, before the drawing is made to fit
_TALLEST, _SHORTEST = 30.0, 7.0
_LANES = 26.0  # across, from the first lane to the last
_GREY = "#808080"


def miniature_svg(parts: Sequence[Part]) -> str:
    """Draw a network from left to right in 120 × 40 pixels, as an SVG element.

    Args:
        parts: What it is made of.
    """
    chain = network(parts)
    most = max((box.channels for box in walk(chain) if isinstance(box, Box)), default=1)
    length = _length(chain)
    pen = _Pen(min(1.0, WIDTH / length), max(1, most))
    start = max(0.0, (WIDTH - length) / 2)
    line = f'<path d="M 0,{_MIDDLE:g} H {WIDTH}" stroke="{_GREY}" stroke-opacity="0.5"/>'
    drawn = pen.chain(chain, start, _MIDDLE, _TALLEST, _GREY)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" fill="none" aria-hidden="true">{line}{drawn}</svg>'
    )


def _length(chain: Chain) -> float:
    return sum(map(_long, chain)) + _GAP * (len(chain) + 1)


def _long(node: Node) -> float:
    if isinstance(node, Repeat):
        return _length(node.chain)
    if isinstance(node, Fork):
        return 2 * _FAN + max((_length(lane.chain) for lane in node.lanes), default=0.0)
    return _BAR


class _Pen:
    """Draws at places along the flow that are scaled to fit, around a line across it."""

    def __init__(self, scale: float, most: int) -> None:
        self.scale, self.most = scale, most

    def chain(self, chain: Chain, x: float, y: float, room: float, hue: str) -> str:
        drawn, x = "", x + _GAP
        for node in chain:
            drawn += self.node(node, x, y, room, hue)
            x += _long(node) + _GAP
        return drawn

    def node(self, node: Node, x: float, y: float, room: float, hue: str) -> str:
        if isinstance(node, Repeat):
            # What comes several times in a row is drawn once, on a stack of cards.
            cards = "".join(
                f'<rect x="{self.at(x + 2 * n):.1f}" y="{y - room / 2 - 2 + 2 * n:.1f}" '
                f'width="{self.scale * _length(node.chain):.1f}" height="{room:.1f}" rx="3" '
                f'stroke="{_GREY}" stroke-opacity="0.45"/>'
                for n in range(2)
            )
            return cards + self.chain(node.chain, x, y, room, hue)
        if isinstance(node, Fork):
            return self.fork(node, x, y, room)
        if node.keeps_shape:
            return f'<circle cx="{self.at(x + _BAR / 2):.1f}" cy="{y:.1f}" r="2" fill="{hue}"/>'
        height = min(room, _SHORTEST + (_TALLEST - _SHORTEST) * node.channels / self.most)
        return (
            f'<rect x="{self.at(x):.1f}" y="{y - height / 2:.1f}" '
            f'width="{max(1.0, self.scale * _BAR):.1f}" height="{height:.1f}" rx="1" '
            f'fill="{hue}"/>'
        )

    def fork(self, fork: Fork, x: float, y: float, room: float) -> str:
        """Draw lanes beside one another, and a skip as an arc around them."""
        end, between = x + _long(fork), min(room, _LANES) / max(1, len(fork.lanes))
        drawn = ""
        for number, lane in enumerate(fork.lanes):
            across = y + between * (number - (len(fork.lanes) - 1) / 2)
            left, right = self.at(x + _FAN), self.at(end - _FAN)
            turns = self.at(x + _FAN / 2), self.at(end - _FAN / 2)
            drawn += (
                f'<path d="M {self.at(x):.1f},{y:.1f} C {turns[0]:.1f},{y:.1f} {turns[0]:.1f},'
                f"{across:.1f} {left:.1f},{across:.1f} H {right:.1f} C {turns[1]:.1f},"
                f'{across:.1f} {turns[1]:.1f},{y:.1f} {self.at(end):.1f},{y:.1f}" '
                f'stroke="{lane.hue}" stroke-width="1.5"/>'
            )
            drawn += self.chain(lane.chain, x + _FAN, across, between - 1, lane.hue)
        return drawn

    def at(self, x: float) -> float:
        return x * self.scale
