"""What the drawing of a network shows: a chain of boxes, forks and repeats, without positions.

The chain is all that the layout needs; here it is built from a network's parts. Equal neighbours
are folded: a `Repeat` represents as many equal groups as it says. Two nodes are equal if they
differ in nothing but their names.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias

from explorer.charts.hues import branch_hues
from explorer.charts.stages import stages
from explorer.charts.words import detailed, merge_words
from explorer.inspection.parts import Block, Part, blocks, channels
from explorer.inspection.parts import Node as Step
from explorer.language import again, listed, plural, say
from explorer.text import dimensions

LONGEST_GROUP = 8  # nodes that are folded together
MOST_FORKS = 5  # that are drawn with all their words

Names: TypeAlias = tuple[str, ...]
Chain: TypeAlias = "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Box:
    """A stage: a layer with parameters and the layers that follow it.

    Attributes:
        names: The name by which it is opened; of several equal ones that are folded, all names.
        words: What it does, such as `("conv 5×5", "ReLU")`.
        facts: One line of details for each layer.
        shape: The shape of its output.
        channels: The maps, or features, that it gives.
        macs: Multiply-adds for one image.
        keeps_shape: It has no parameters and its output has the shape of its input.
        is_opened: It is marked.
        holds: The names of all that is in it.
    """

    names: Names = field(compare=False)
    words: tuple[str, ...]
    facts: tuple[str, ...]
    shape: str
    channels: int
    macs: int
    keeps_shape: bool = False
    is_opened: bool = False
    holds: Names = field(compare=False, default=())


@dataclass(frozen=True, slots=True)
class Lane:
    """A branch of a fork.

    Attributes:
        paths: The branch's path; of folded ones, all paths.
        name: Its name in the block.
        short: Its name without the beginning that all lanes of the block share.
        hue: Its colour.
        channels: The maps that it gives.
        macs: Multiply-adds for one image.
        chain: What it is made of; nothing for a skip.
        is_off: It is switched off.
        via: The name of a part in another lane, in place of the block's split, with which it
            begins; empty if there is none.
    """

    paths: Names = field(compare=False)
    name: str
    short: str
    hue: str
    channels: int
    macs: int
    chain: Chain
    is_off: bool = False
    via: str = ""

    @property
    def is_skip(self) -> bool:
        """Whether it passes its input on unchanged."""
        return not self.chain and not self.via


@dataclass(frozen=True, slots=True)
class Fork:
    """A block: its input takes every lane, and their outputs are merged.

    Attributes:
        names: The name by which it is opened; of several equal ones that are folded, all names.
        merge: How its lanes are merged, such as `concat` or `sum`.
        lanes: In the order in which they are drawn.
        merged: The names of the lanes in the order in which they are merged.
        facts: Lines of details.
        shape: The shape of its output.
        channels: The maps that it gives.
        is_opened: It is marked.
        holds: The names of its merge.
        is_brief: It is drawn without the words in its lanes, as one of many.
    """

    names: Names = field(compare=False)
    merge: str
    lanes: tuple[Lane, ...]
    merged: Names
    facts: tuple[str, ...]
    shape: str
    channels: int
    is_opened: bool = False
    holds: Names = field(compare=False, default=())
    is_brief: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """A chain that represents `times` equal ones, one after the other."""

    times: int
    chain: Chain


Node: TypeAlias = Box | Fork | Repeat


def network(
    parts: Sequence[Part],
    order: Callable[[Block], Sequence[str]] = lambda block: list(block.branches),
    opened: str | None = None,
    off: Collection[str] = (),
    folded: bool = True,
) -> Chain:
    """Return what a drawing of these parts shows.

    Args:
        parts: What the network is made of.
        order: Returns a block's branches in the order in which their lanes are drawn.
        opened: The name of the part that is open.
        off: The paths of the branches that are switched off.
        folded: Whether equal groups that follow one another are drawn once.
    """
    # What another lane begins with ends its stage, so that the other can begin there.
    ends = {
        branch.shared[-1]
        for block in blocks(parts)
        for branch in block.branches.values()
        if branch.shared
    }

    def box(stage: Sequence[Step]) -> Box:
        first, last = stage[0], stage[-1]
        return Box(
            names=(first.name,),
            words=tuple(again(layer.text) for layer in stage),
            facts=tuple(map(_layer_facts, stage)),
            shape=dimensions(last.shape),
            channels=channels(last.shape),
            macs=sum(layer.macs for layer in stage),
            keeps_shape=first.input_shape == last.shape and not any(p.parameters for p in stage),
            is_opened=first.name == opened,
            holds=tuple(layer.name for layer in stage),
        )

    def lane(block: Block, name: str, hue: str) -> Lane:
        branch = block.branches[name]
        return Lane(
            paths=(branch.path,),
            name=name,
            short=short_name(name, block.branches),
            hue=hue,
            channels=channels(branch.shape),
            macs=branch.macs,
            chain=chain(branch.parts),
            is_off=branch.path in off,
            via=branch.shared[-1] if branch.shared else "",
        )

    def fork(block: Block) -> Fork:
        hues = branch_hues(block)
        return Fork(
            names=(block.name,),
            merge=block.kind,
            lanes=tuple(lane(block, name, hues[name]) for name in order(block)),
            merged=tuple(block.branches),
            facts=(
                merge_of(block),
                dimensions(block.shape),
                plural("{n:,} parameter", "{n:,} parameters", block.parameters),
                plural("{n:,} multiply-add", "{n:,} multiply-adds", block.macs),
                *_place(block.merge.place),
            ),
            shape=dimensions(block.shape),
            channels=channels(block.shape),
            is_opened=block.name == opened,
            holds=(block.name, block.merge.name),
        )

    def chain(parts: Sequence[Part]) -> Chain:
        found: list[Node] = []
        for stage in stages(parts):
            if isinstance(stage, Block):
                found.append(fork(stage))
            else:
                found += map(box, _split(stage, ends))
        return fold(found) if folded else tuple(found)

    whole = chain(parts)
    forks = sum(isinstance(node, Fork) for node in walk(whole))
    return _brief(whole) if forks > MOST_FORKS else whole


def _brief(chain: Chain) -> Chain:
    """Return a chain in which each fork is brief, unless it, or one within, is open or changed."""
    return tuple(map(_briefly, chain))


def _briefly(node: Node) -> Node:
    if isinstance(node, Repeat):
        return replace(node, chain=_brief(node.chain))
    if isinstance(node, Box):
        return node
    for inner in walk((node,)):
        if inner.is_off if isinstance(inner, Lane) else inner.is_opened:
            return node
    lanes = [replace(lane, chain=_brief(lane.chain)) for lane in node.lanes]
    return replace(node, lanes=tuple(lanes), is_brief=True)


def fold(nodes: Sequence[Node]) -> Chain:
    """Replace equal groups that follow one another by one `Repeat` each, the longest first."""
    if not (found := _longest_repeat(nodes)):
        return tuple(nodes)
    start, length, times = found
    end = start + length * times
    groups = [nodes[place : place + length] for place in range(start, end, length)]
    alike = [_named_together(group) for group in zip(*groups, strict=True)]
    return (*fold(nodes[:start]), Repeat(times, fold(alike)), *fold(nodes[end:]))


def _longest_repeat(nodes: Sequence[Node]) -> tuple[int, int, int] | None:
    """Return start, length and number of the equal groups whose folding saves the most nodes.

    Of equally good ones, the shortest group, then one that begins with a fork, then the first.
    """
    best: tuple[tuple[int, int, bool, int], tuple[int, int, int]] | None = None
    for length in range(1, min(LONGEST_GROUP, len(nodes) // 2) + 1):
        same = 0  # nodes up to here that equal the node one group earlier
        for place in range(length, len(nodes)):
            same = same + 1 if nodes[place] == nodes[place - length] else 0
            if times := same // length:
                start = place + 1 - length * (times + 1)
                rank = times * length, -length, isinstance(nodes[start], Fork), -start
                if best is None or rank > best[0]:
                    best = rank, (start, length, times + 1)
    return best[1] if best else None


def walk(chain: Chain) -> Iterator["Box | Fork | Lane"]:
    """Yield all boxes, forks and lanes, each fork before its lanes, each lane before its nodes."""
    for node in chain:
        if isinstance(node, Repeat):
            yield from walk(node.chain)
            continue
        yield node
        for lane in node.lanes if isinstance(node, Fork) else ():
            yield lane
            yield from walk(lane.chain)


def summary(chain: Chain) -> str:
    """Return what a chain is made of, in words."""
    return say("; ").join(map(_in_words, chain))


def table_of(parts: Iterable[Part], branch: str = "") -> Iterator[tuple[str | int, ...]]:
    """Yield a row for each layer and each merge, in running order.

    A row is its name, what it is, the path of its branch, the shape of its output, its parameters,
    and its multiply-adds; the last is empty where they are none or were not counted.
    """
    for part in parts:
        node = part.merge if isinstance(part, Block) else part
        what = merge_of(part) if isinstance(part, Block) else again(part.text)
        if isinstance(part, Block):
            for own in part.branches.values():
                if own.is_skip:
                    unchanged = say("passes its input on unchanged")
                    yield own.path, unchanged, own.path, dimensions(own.shape), 0, ""
                yield from table_of(own.parts, own.path)
        yield (
            part.name,
            what,
            branch,
            dimensions(part.shape),
            node.parameters,
            node.macs or "",
        )


def merge_of(block: Block) -> str:
    """Return what a block merges, such as `sum of skip, residual`."""
    return say(
        "{merge} of {branches}",
        merge=merge_words(block.kind),
        branches=listed(list(block.branches), ","),
    )


def _in_words(node: Node) -> str:
    if isinstance(node, Repeat):
        return say("{times} times ({what})", times=node.times, what=summary(node.chain))
    if isinstance(node, Fork):
        return detailed([node.names[0], node.facts[0]])
    return listed(node.words, ",")


def names_of(node: Node) -> Names:
    """Return the names by which what a node represents is opened, from first to last."""
    if not isinstance(node, Repeat):
        return node.names
    return tuple(name for inner in node.chain for name in names_of(inner))


def _named_together(alike: Sequence[Node]) -> Node:
    """Return the first of these equal nodes, with the names of all of them."""
    first = alike[0]
    if isinstance(first, Repeat):
        chains = [node.chain for node in alike if isinstance(node, Repeat)]
        return replace(first, chain=_together(chains))
    names = tuple(name for node in alike for name in names_of(node))
    if isinstance(first, Box):
        return replace(first, names=names)
    forks = [node for node in alike if isinstance(node, Fork)]
    lanes = [_lanes_together(lanes) for lanes in zip(*(f.lanes for f in forks), strict=True)]
    return replace(first, names=names, lanes=tuple(lanes))


def _lanes_together(alike: Sequence[Lane]) -> Lane:
    paths = tuple(path for lane in alike for path in lane.paths)
    return replace(alike[0], paths=paths, chain=_together([lane.chain for lane in alike]))


def _together(chains: Sequence[Chain]) -> Chain:
    return tuple(_named_together(nodes) for nodes in zip(*chains, strict=True))


def _place(place: str) -> list[str]:
    """Return the line of code that merges, if it is known: `merged in net.py, line 12`."""
    file, _, line = place.rpartition(":")
    return [say("merged in {file}, line {line}", file=Path(file).name, line=line)] if file else []


def short_name(name: str, names: Iterable[str]) -> str:
    """Return a branch's name without the beginning that all of these names share.

    `branch5x5` beside `branch1x1` and `branch_pool` is `5x5`.
    """
    first, *others = names
    shared = "".join(takewhile(str.isalpha, first))
    while not all(other.startswith(shared) for other in others):
        shared = shared[:-1]
    return name[len(shared) :].lstrip("_") or name


def _split(stage: Sequence[Step], ends: Collection[str]) -> Iterator[list[Step]]:
    """Yield the pieces of a stage, each up to one of the layers with these names."""
    piece: list[Step] = []
    for layer in stage:
        piece.append(layer)
        if layer.name in ends:
            yield piece
            piece = []
    if piece:
        yield piece


def _layer_facts(layer: Step) -> str:
    shapes = " → ".join(map(dimensions, filter(None, (layer.input_shape, layer.shape))))
    facts = [f"{again(layer.text)}: {shapes}"]
    if layer.parameters:
        facts.append(plural("{n:,} parameter", "{n:,} parameters", layer.parameters))
    if layer.macs:
        facts.append(plural("{n:,} multiply-add", "{n:,} multiply-adds", layer.macs))
    return detailed(facts)
