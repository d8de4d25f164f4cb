"""Where everything in the drawing of a network is.

There is one layout for both directions. Places are given along the flow and across it, with the
middle line at 0; `svg` turns them into x and y. Only text has a direction of its own: its lines
always go down, so they take up flow in a vertical drawing and room across in a horizontal one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from explorer.charts.marks import (
    LINE,
    LONGEST,
    Anchor,
    Band,
    Circle,
    Group,
    Mark,
    Picture,
    Rectangle,
    Ribbon,
    Words,
    anchors,
    fitted,
    moved,
    text_width,
    wrapped,
)
from explorer.charts.network import Box, Chain, Fork, Lane, Node, Repeat, names_of, walk
from explorer.charts.thumbnails import IMAGE
from explorer.charts.words import merge_words, off_words
from explorer.language import listed, plural, say

Direction: TypeAlias = Literal["horizontal", "vertical"]

# Pixels.
BROADEST = 80  # slab, of the most channels
LEAST = 4
THICKEST = 14  # ribbon, of the most multiply-adds
THINNEST = 1.5
PLAIN = 2.5  # ribbon of a skip, and of what is summed
FRAME = 4  # from a stage to the frame around it
SLAB = 10  # along the flow
GAP = 18  # between two parts of the trunk
LANE_GAP = 10  # between two stages of a lane
BESIDE = 6  # between two lanes
SPACE = 5  # between a slab and its words
FAN = 26  # from a fork to its lanes, and from them to the merge
PAD = 7  # within a frame
ROW = LINE + 2  # for a name
RADIUS = 9  # of a sum
MARK = 8  # the coloured square beside a name
STACK = 4  # by which the frames of a repeat are shifted
THUMB = 34  # a picture of what a part of the trunk gives
SMALL = 24  # of what a lane gives
NEXT = 3  # from a slab or a merge to its picture

SIGNS = {"sum": "+", "product": "×"}

# Pixels of text, before it is wrapped.
TRUNK = {"horizontal": 70.0, "vertical": 232.0}
LONGEST_NAME = 110.0
NARROWEST = {"horizontal": 46.0, "vertical": 58.0}  # lane


@dataclass(frozen=True, slots=True)
class Piece:
    """Something laid out; it begins at flow 0.

    Attributes:
        length: How long it is.
        before: How far it reaches across to the first side: upwards, or to the left.
        after: How far it reaches across to the other side.
        marks: What is drawn first.
        parts: The groups that can be opened, which are drawn after all marks.
        entry: Where the ribbon ends that leads to it.
        exit: Where the ribbon begins that leads away.
        macs: The multiply-adds of what the ribbon leads to.
        slab: How broad the slab is in which it ends, if it does.
    """

    length: float
    before: float
    after: float
    marks: tuple[Mark, ...]
    parts: tuple[Group, ...] = ()
    entry: float = 0
    exit: float = 0
    macs: int = 0
    slab: float = 0


def lay_out(
    chain: Chain,
    image: str,
    classes: str,
    direction: Direction,
    pictures: Mapping[str, str] | None = None,
) -> Piece:
    """Return where everything of a network is.

    Args:
        chain: What it is made of.
        image: The shape of what goes in.
        classes: What comes out.
        direction: Of the flow: from left to right, or from top to bottom.
        pictures: Of what some parts and branches gave, by name, as `thumbnails` returns them.
    """
    channels, macs = largest(chain)
    layout = _Layout(direction == "horizontal", channels, macs, pictures or {})
    trunk = [layout.node(node, "", TRUNK[direction]) for node in chain]
    ends = classes.split(" ") if layout.horizontal else [classes]
    return layout.row([layout.image(image), *trunk, layout.caption(ends)], GAP)


def largest(chain: Chain) -> tuple[int, int]:
    """Return the most channels that anything has, and the most multiply-adds of a ribbon."""
    found = list(walk(chain))
    channels = max((item.channels for item in found), default=1)
    macs = max((item.macs for item in found if not isinstance(item, Fork)), default=1)
    return max(1, channels), max(1, macs)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Lays out nodes as pieces, each with all that is in it.

    Attributes:
        horizontal: Whether the flow goes from left to right.
        channels: The most channels that anything has.
        macs: The most multiply-adds that a ribbon leads to.
        pictures: Of what parts and branches gave, by name.
    """

    horizontal: bool
    channels: int
    macs: int
    pictures: Mapping[str, str]

    def turned(self, x: float, y: float) -> tuple[float, float]:
        """Return along and across the flow what is `x` to the right and `y` down."""
        return (x, y) if self.horizontal else (y, x)

    def breadth(self, channels: int) -> float:
        return max(LEAST, BROADEST * channels / self.channels)

    def thickness(self, macs: int) -> float:
        return max(THINNEST, THICKEST * macs / self.macs)

    def lines(self, x: float, y: float, lines: Sequence[str], style: str = "") -> list[Mark]:
        """Return lines of text below `y`, with their middle at `x`."""
        return [
            Words(*self.turned(x, y + LINE * (row + 0.5)), line, style=style)
            for row, line in enumerate(lines)
        ]

    def caption(self, lines: Sequence[str]) -> Piece:
        """Lay out words on the middle line."""
        width, height = max(map(text_width, lines)), LINE * len(lines)
        length, breadth = self.turned(width, height)
        x, y = (width / 2, -height / 2) if self.horizontal else (0.0, 0.0)
        marks = self.lines(x, y, lines, "faint")
        return Piece(length, breadth / 2, breadth / 2, tuple(marks), exit=length)

    def image(self, shape: str) -> Piece:
        """Lay out what goes in: its picture on the middle line, if there is one, and its shape."""
        words = [say("image"), shape]
        if IMAGE not in self.pictures:
            return self.caption(words)
        width, height = max(map(text_width, words)), LINE * len(words)
        if self.horizontal:
            length = max(width, THUMB)
            start, before = (length - THUMB) / 2, THUMB / 2
            x, y, after = length / 2, before + SPACE, before + SPACE + height
        else:
            length, start = height + SPACE + THUMB, height + SPACE
            x, y, before, after = 0, 0, max(width, THUMB) / 2, max(width, THUMB) / 2
        marks = (self.picture(IMAGE, start, THUMB), *self.lines(x, y, words, "faint"))
        return Piece(length, before, after, marks, exit=start + THUMB)

    def picture(self, name: str, flow: float, side: float) -> Picture:
        """Lay out the picture of what a part gave, on the middle line."""
        return Picture(flow, -side / 2, side, self.pictures[name], name)

    def row(self, pieces: Sequence[Piece], gap: float, hue: str = "") -> Piece:
        """Put pieces one after the other, with a ribbon to each."""
        ribbons: list[Mark] = []
        marks: list[Mark] = []
        parts: list[Group] = []
        flow = leave = 0.0
        for place, piece in enumerate(pieces):
            if place:
                flow += gap
                points = ((leave, 0.0), (flow + piece.entry, 0.0))
                ribbons.append(Ribbon(points, self.thickness(piece.macs), hue, piece.macs))
            marks += moved(piece.marks, flow, 0)
            parts += moved(piece.parts, flow, 0)
            leave = flow + piece.exit
            flow += piece.length
        return Piece(
            length=flow,
            before=max((piece.before for piece in pieces), default=0),
            after=max((piece.after for piece in pieces), default=0),
            marks=(*ribbons, *marks),
            parts=tuple(parts),
            entry=pieces[0].entry if pieces else 0,
            exit=leave,
            macs=pieces[0].macs if pieces else 0,
            slab=pieces[-1].slab if pieces else 0,
        )

    def chain(self, nodes: Chain, hue: str, room: float) -> Piece:
        pieces = [self.node(node, hue, room) for node in nodes]
        return self.row(pieces, LANE_GAP if hue else GAP, hue)

    def node(self, node: Node, hue: str, room: float) -> Piece:
        if isinstance(node, Repeat):
            return self.repeat(node, hue, room)
        if isinstance(node, Fork):
            return self.fork(node, room)
        piece = self.capsule(node, room) if node.keeps_shape else self.box(node, hue, room)
        title = _title(node)
        if hue:  # within a block, which is opened as a whole
            return replace(piece, marks=(Group(piece.marks, title),))
        before, after = piece.before + FRAME, piece.after + FRAME
        length = piece.length + 2 * FRAME
        frame = Rectangle(-FRAME, -before, length, before + after, "frame", "", 6)
        style = _style("part", opened=node.is_opened)
        part = Group((frame, *piece.marks), title, style, node.names)
        return replace(piece, before=before, after=after, marks=(), parts=(part,))

    def box(self, box: Box, hue: str, room: float) -> Piece:
        """Lay out a slab as broad as its channels, and its words: below it, or before it."""
        words = wrapped([_short(word, room) for word in box.words] if hue else box.words, room)
        shape = [] if hue or not box.shape else [box.shape]
        width = max(map(text_width, (*words, *shape)), default=0)
        height = LINE * (len(words) + len(shape))
        slab = self.breadth(box.channels)
        name = box.holds[-1] if box.holds and not hue else ""
        side = THUMB if name and name in self.pictures else 0
        end = SLAB + (NEXT + side if side else 0)
        if self.horizontal:
            length = max(width, end)
            start, before = (length - end) / 2, max(slab, side, self.thickness(box.macs)) / 2
            x, y, after = length / 2, before + SPACE, before + SPACE + height
        else:
            length, start = height + SPACE + end, height + SPACE
            x, y, before = 0, 0, max(width, slab, side) / 2
            after = before
        marks = (
            Rectangle(start, -slab / 2, SLAB, slab, "" if hue else "slab", hue),
            *([self.picture(name, start + SLAB + NEXT, side)] if side else []),
            *self.lines(x, y, words),
            *self.lines(x, y + LINE * len(words), shape, "faint"),
            Anchor(start + end, 0, box.holds),
        )
        entry = start if self.horizontal else 0
        return Piece(length, before, after, marks, (), entry, start + end, box.macs, slab)

    def capsule(self, box: Box, room: float) -> Piece:
        """Lay out the words of a stage that changes no shape, on the middle line."""
        words = wrapped(box.words, room)
        width, height = max(map(text_width, words)) + 2 * FRAME, LINE * len(words) + 4
        length, breadth = self.turned(width, height)
        x, y = (width / 2, 2 - height / 2) if self.horizontal else (0.0, 2.0)
        frame = Rectangle(0, -breadth / 2, length, breadth, "capsule", "", 8)
        marks = (frame, *self.lines(x, y, words), Anchor(length, 0, box.holds))
        return Piece(length, breadth / 2, breadth / 2, marks, exit=length, macs=box.macs)

    def repeat(self, repeat: Repeat, hue: str, room: float) -> Piece:
        """Lay out once what is there several times, on a stack of frames."""
        inner = self.chain(repeat.chain, hue, room - 2 * PAD)
        text, style = f"×{repeat.times}", "times"
        width = text_width(text, style)
        start = float(PAD)
        length, before, after = inner.length + 2 * PAD, inner.before + PAD, inner.after + PAD
        if self.horizontal:
            length, before = max(length, width + 2 * PAD), before + ROW
        else:
            start, length, before = start + ROW, length + ROW, max(before, width + 2 * PAD)
        left, top = self.turned(0, -before)
        place = self.turned(left + PAD, top + PAD / 2 + LINE / 2)
        frames = [
            Rectangle(shift, shift - before, length, before + after, "repeat", "", 6)
            for shift in (2 * STACK, STACK, 0)
        ]
        title = say(
            "{times} times the same: {parts}",
            times=repeat.times,
            parts=listed(names_of(repeat), ","),
        )
        label = Group((Words(*place, text, "start", style),), title, "folded")
        group = Group((*frames, label), title)
        into = ((0.0, 0.0), (start + inner.entry, 0.0))
        out = ((start + inner.exit, 0.0), (length, 0.0))
        ribbons = (
            Ribbon(into, self.thickness(inner.macs), hue, inner.macs),
            Ribbon(out, THINNEST, hue),
        )
        return Piece(
            length=length + 2 * STACK,
            before=before,
            after=after + 2 * STACK,
            marks=(group, *ribbons, *moved(_still(inner.marks), start, 0)),
            parts=tuple(replace(p, marks=_still(p.marks)) for p in moved(inner.parts, start, 0)),
            exit=length + 2 * STACK,
            macs=inner.macs,
        )

    def fork(self, fork: Fork, room: float) -> Piece:
        """Lay out a block: lanes side by side from its split to its merge, in a frame."""
        lanes, sources = self.joined(fork, self.lanes(fork, room - 2 * PAD))
        middles, before, after = self.beside(fork, lanes)
        strip = self.strip(fork) if fork.merge == "concat" else {}
        output = fork.holds[0] if fork.holds else ""
        side = THUMB if output and output in self.pictures else 0
        half = max((high for _, high in strip.values()), default=float(RADIUS))
        half = max(half, side / 2)
        before, after = max(before, half) + PAD, max(after, half) + PAD
        between = max(lane.length for lane in lanes.values())
        merge_end = SLAB if strip else 2 * RADIUS
        end = merge_end + (NEXT + side if side else 0)
        length = 2 * (PAD + FAN) + between + end
        name, merge = (
            fork.names[0] + " …" * (len(fork.names) > 1),
            (fork.is_brief and fork.shape) or f"{merge_words(fork.merge)} {fork.shape}".rstrip(),
        )
        most = max(LONGEST_NAME, (length if self.horizontal else before + after) - 2 * PAD)
        name, merge = fitted(name, most, "bold"), fitted(merge, most)
        widths = text_width(name, "bold") + 2 * PAD, text_width(merge) + 2 * PAD
        split = float(PAD)
        if self.horizontal:
            length, before, after = max(length, *widths), before + ROW, after + ROW
        else:  # the name is beside the line that enters, the merge beside the one that leaves
            split, length = split + ROW, length + 2 * ROW
            before, after = max(before, widths[0]), max(after, widths[1])
        left, top = self.turned(0, -before)
        right, bottom = self.turned(length, after)
        row = (PAD + LINE) / 2
        marks: list[Mark] = [
            Rectangle(0, -before, length, before + after, "frame block", "", 6),
            Words(*self.turned(left + PAD, top + row), name, "start", "bold"),
            Words(*self.turned(right - PAD, bottom - row), merge, "end", "faint"),
        ]
        merged = split + 2 * FAN + between
        parts: list[Group] = []
        for lane in fork.lanes:
            piece, middle = lanes[lane.name], middles[lane.name]
            inner = moved(piece.marks, split + FAN, middle)
            begin = None
            if source := sources.get(lane.name):
                owner, flow, across = source
                begin = split + FAN + flow, middles[owner] + across
            stripe = strip.get(lane.name)
            routes = self.routes(lane, piece, middle, (split, merged), stripe, begin)
            style = _style("lane", off=lane.is_off)
            marks.append(Group((*routes, *inner), _lane_title(lane, fork.merge), style, lane.paths))
            nested = moved(piece.parts, split + FAN, middle)
            parts += [_switched_off(part) for part in nested] if lane.is_off else nested
        if not strip:
            sign = SIGNS.get(fork.merge, "●")
            marks.append(Circle(merged + RADIUS, 0, RADIUS, sign))
        if side:
            marks.append(self.picture(output, merged + merge_end + NEXT, side))
        marks.append(Anchor(merged + end, 0, fork.holds))
        style = _style("part", opened=fork.is_opened)
        own = Group(tuple(marks), _title(fork), style, fork.names)
        return Piece(length, before, after, (), (own, *parts), split, merged + end)

    def routes(
        self,
        lane: Lane,
        piece: Piece,
        middle: float,
        ends: tuple[float, float],
        stripe: tuple[float, float] | None,
        begin: tuple[float, float] | None,
    ) -> list[Mark]:
        """Return what leads from a fork's split to a lane, and from there to its merge.

        To a concatenation it is a band that ends in the stripe, to anything else a ribbon. A lane
        that goes on from a part of another lane begins there.
        """
        split, merged = ends
        start, end = split + FAN, merged - FAN
        entry = start + piece.entry
        thickness = PLAIN if lane.is_skip or not lane.chain else self.thickness(lane.macs)
        if begin:
            points = (begin, (begin[0] + FAN, middle), (entry, middle))
            there = Ribbon(points, PLAIN, lane.hue, lane.macs, "shared")
        else:
            points = ((split, 0.0), (start, middle), (entry, middle))
            there = Ribbon(points, thickness, lane.hue, lane.macs)
        leave = start + piece.exit
        if stripe is None:
            points = ((leave, middle), (end, middle), (merged, 0.0))
            return [there, Ribbon(points, PLAIN, lane.hue)]
        low, high = middle - piece.slab / 2, middle + piece.slab / 2
        edges = ((leave, low, high), (end, low, high), (merged, *stripe))
        breadth = stripe[1] - stripe[0]
        last = Rectangle(merged, stripe[0], SLAB, breadth, "stripe", lane.hue)
        return [there, Band(edges, lane.hue), last]

    def lanes(self, fork: Fork, room: float) -> dict[str, Piece]:
        """Lay out the lanes, by name; in a vertical drawing, they share the room."""
        concat = fork.merge == "concat"
        narrowest = NARROWEST["horizontal" if self.horizontal else "vertical"]
        lane_of = self.brief_lane if fork.is_brief else self.lane
        pieces = {lane.name: lane_of(lane, concat, 0) for lane in fork.lanes if lane.is_skip}
        others = [lane for lane in fork.lanes if not lane.is_skip]
        if others and not self.horizontal:
            room -= sum(piece.before + piece.after for piece in pieces.values())
            room = (room - BESIDE * (len(fork.lanes) - 1)) / len(others)
        room = narrowest if self.horizontal else max(room, narrowest)
        return pieces | {lane.name: lane_of(lane, concat, room) for lane in others}

    def joined(
        self, fork: Fork, lanes: dict[str, Piece]
    ) -> tuple[dict[str, Piece], dict[str, tuple[str, float, float]]]:
        """Shift each lane that goes on from a part of another one to where that part ends.

        Returns:
            The lanes; and for each of those the other lane, and the place in it.
        """
        joined = dict(lanes)
        sources: dict[str, tuple[str, float, float]] = {}
        waiting = [lane for lane in fork.lanes if lane.via]
        while waiting:
            open_ = {lane.name for lane in waiting}
            places = {
                part: (name, *place)
                for name, piece in joined.items()
                if name not in open_
                for part, place in anchors((*piece.marks, *piece.parts)).items()
            }
            lane = next((lane for lane in waiting if lane.via in places), waiting[0])
            waiting.remove(lane)
            piece = joined[lane.name]
            if source := places.get(lane.via):
                sources[lane.name] = source
                joined[lane.name] = _shifted(piece, source[1] + FAN)
            else:  # it is not in this block, or folded
                words = (say("via {part}", part=lane.via),)
                via = self.capsule(Box((), words, words, "", 0, 0, keeps_shape=True), LONGEST)
                joined[lane.name] = self.row([via, piece], LANE_GAP, lane.hue)
        return joined, sources

    def beside(self, fork: Fork, lanes: dict[str, Piece]) -> tuple[dict[str, float], float, float]:
        """Return the middle line of each lane, and how far all reach to both sides.

        Skips are outside, and so become arcs. The others are around the fork's middle line.
        """
        skips = [lane.name for lane in fork.lanes if lane.is_skip]
        inside = [name for name in lanes if name not in skips] or skips
        middles: dict[str, float] = {}
        across = 0.0
        for name in (lane.name for lane in fork.lanes if lane.name in inside):
            middles[name] = across + lanes[name].before
            across += lanes[name].before + lanes[name].after + BESIDE
        across -= BESIDE
        # A single one goes straight on.
        middle = middles[inside[0]] if len(inside) == 1 else across / 2
        middles = {name: place - middle for name, place in middles.items()}
        before, after = middle, across - middle
        for name in skips if inside != skips else ():
            middles[name] = -before - BESIDE - lanes[name].after
            before += BESIDE + lanes[name].before + lanes[name].after
        return middles, before, after

    def strip(self, fork: Fork) -> dict[str, tuple[float, float]]:
        """Return from where to where each lane's channels are in a concatenation."""
        breadths = {lane.name: self.breadth(lane.channels) for lane in fork.lanes}
        across = -sum(breadths.values()) / 2
        places = {}
        for name in fork.merged:
            places[name] = across, across + breadths[name]
            across += breadths[name]
        return places

    def lane(self, lane: Lane, concat: bool, room: float) -> Piece:
        """Lay out a branch: its name above what it is made of; of a skip, the name alone."""
        inner = self.inside(lane, lane.chain, concat, room)
        if lane.paths[0] in self.pictures and not lane.is_off:
            inner = self.shown(inner, lane)
        style = "bold struck" if lane.is_off else "bold"
        most = max(room, LONGEST_NAME if self.horizontal else NARROWEST["vertical"])
        name = lane.name if text_width(lane.name, style) <= most else lane.short
        name = fitted(name, max(most, LONGEST), style)
        width = MARK + SPACE + text_width(name, style)
        start = 0.0
        if self.horizontal:
            left, top = 0.0, -inner.before - ROW
            length, before, after = max(inner.length, width), -top, inner.after
        else:
            left, top = -width / 2, 0.0
            start = ROW + (LANE_GAP if inner.length else 0)
            length = start + inner.length
            before, after = max(inner.before, width / 2), max(inner.after, width / 2)
        corner = top + (LINE - MARK) / 2
        square = Rectangle(*self.turned(left, corner), MARK, MARK, "", lane.hue, 2)
        words = Words(*self.turned(left + MARK + SPACE, top + LINE / 2), name, "start", style)
        marks: list[Mark] = []
        if start and inner.length:
            points = ((ROW, 0.0), (start + inner.entry, 0.0))
            marks.append(Ribbon(points, self.thickness(inner.macs), lane.hue, inner.macs))
        marks += (*moved(inner.marks, start, 0), Group((square, words), style="name"))
        return Piece(
            length=length,
            before=before,
            after=after,
            marks=tuple(marks),
            parts=moved(inner.parts, start, 0),
            entry=inner.entry if self.horizontal else 0,
            exit=start + inner.exit,
            macs=lane.macs,
            slab=inner.slab,
        )

    def inside(self, lane: Lane, chain: Chain, concat: bool, room: float) -> Piece:
        """Lay out what a branch is made of; what is concatenated ends in a slab."""
        inner = self.chain(chain, lane.hue, room)
        if not concat or inner.slab:
            return inner
        slab = self.breadth(lane.channels)
        mark = Rectangle(0, -slab / 2, SLAB, slab, "", lane.hue)
        end = Piece(SLAB, slab / 2, slab / 2, (mark,), exit=SLAB, slab=slab)
        return self.row([end] if lane.is_skip else [inner, end], LANE_GAP, lane.hue)

    def brief_lane(self, lane: Lane, concat: bool, room: float) -> Piece:
        """Lay out a branch without words: its slabs alone."""
        chain = tuple(
            replace(node, words=()) if isinstance(node, Box) else node
            for node in lane.chain
            if not (isinstance(node, Box) and node.keeps_shape)
        )
        piece = self.inside(lane, chain, concat, room)
        return replace(piece, macs=lane.macs)

    def shown(self, piece: Piece, lane: Lane) -> Piece:
        """Put a picture of what a lane gives at its end."""
        flow = piece.length + NEXT if piece.length else 0.0
        picture = self.picture(lane.paths[0], flow, SMALL)
        there: list[Mark] = []
        if flow:
            there = [Ribbon(((piece.exit, 0.0), (flow, 0.0)), PLAIN, lane.hue)]
        return replace(
            piece,
            length=flow + SMALL,
            before=max(piece.before, SMALL / 2),
            after=max(piece.after, SMALL / 2),
            marks=(*there, *piece.marks, picture),
            exit=flow + SMALL,
        )


def _shifted(piece: Piece, by: float) -> Piece:
    """Return a lane that begins later."""
    return replace(
        piece,
        length=piece.length + by,
        marks=moved(piece.marks, by, 0),
        parts=moved(piece.parts, by, 0),
        entry=piece.entry + by,
        exit=piece.exit + by,
    )


def _still(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Return marks without anchors."""
    return tuple(
        replace(mark, marks=_still(mark.marks)) if isinstance(mark, Group) else mark
        for mark in marks
        if not isinstance(mark, Anchor)
    )


def _short(word: str, room: float) -> str:
    """Return a layer's words, shortened where they would not fit on a line of a lane."""
    if text_width(word) <= room:
        return word
    return word.removeprefix("conv ").replace("batch norm", "norm")


def _style(base: str, *, opened: bool = False, off: bool = False) -> str:
    return base + " opened" * opened + " off" * off


def _switched_off(part: Group) -> Group:
    return part if part.style.endswith(" off") else replace(part, style=f"{part.style} off")


def _title(node: Box | Fork) -> str:
    return "\n".join((listed(node.names, ","), *node.facts))


def _lane_title(lane: Lane, merge: str) -> str:
    does = (
        say("passes its input on unchanged")
        if lane.is_skip
        else plural("{n:,} multiply-add", "{n:,} multiply-adds", lane.macs)
    )
    off = [say("switched off: gives {values}", values=off_words(merge))] if lane.is_off else []
    gives = plural("{n} channel", "{n} channels", lane.channels)
    return "\n".join((listed(lane.paths, ","), *off, gives, does))
