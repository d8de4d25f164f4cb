"""Finds the blocks of a graph: a split, the branches between, and their merge."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

from explorer.inspection.graph import IMAGE, KINDS, SAYS_NOTHING, Graph, Kind, Node

Operand: TypeAlias = tuple[int, int]  # the number of a node, and which of its tensors


@dataclass(frozen=True, slots=True)
class Branch:
    """One way from a block's split to its merge.

    Attributes:
        name: What its author calls it, or what it is.
        operands: The operands that it gives: of the merge, or of sums that are a part of it.
        source: The number of the node that gives them; the split itself if it is a skip.
        parts: What is on the way, in running order; empty for a skip.
        shared: The numbers of the nodes on the way that belong to another branch or part.
    """

    name: str
    operands: tuple[Operand, ...]
    source: int
    parts: tuple["Part", ...]
    shared: tuple[int, ...] = ()

    @property
    def is_skip(self) -> bool:
        """Whether it passes the split's output on unchanged."""
        return not self.parts and not self.shared


@dataclass(frozen=True, slots=True)
class Block:
    """A split, its branches and their merge.

    Attributes:
        name: What tells it from all other blocks, from run to run.
        kind: How the branches are merged.
        split: The number of the node at which the branches begin.
        merge: The merge; of `a + b + c` the last sum.
        inner: The sums that are a part of the merge, such as `a + b`.
        branches: The branches by name, in the order of the merge's operands.
    """

    name: str
    kind: Kind
    split: int
    merge: Node
    inner: tuple[Node, ...]
    branches: Mapping[str, Branch]


Part: TypeAlias = Node | Block


def find_parts(graph: Graph) -> tuple[Part, ...]:
    """Return what the image passes on its way to the answer: nodes, and blocks of them."""
    parts = _Finder(graph).parts()
    return _renamed(parts, _block_names(list(blocks(parts))))


def _block_names(found: Sequence[Block]) -> Mapping[int, str]:
    """Return a name for each block, by its merge: the module's, where it has no other block."""
    in_module = Counter(block.merge.point[:2] for block in found)
    return {
        block.merge.number: block.name
        if in_module[block.merge.point[:2]] == 1
        else block.merge.name
        for block in found
    }


def _renamed(parts: Sequence[Part], names: Mapping[int, str]) -> tuple[Part, ...]:
    def renamed(part: Part) -> Part:
        if not isinstance(part, Block):
            return part
        branches = {
            name: replace(branch, parts=_renamed(branch.parts, names))
            for name, branch in part.branches.items()
        }
        return replace(part, name=names[part.merge.number], branches=branches)

    return tuple(map(renamed, parts))


def blocks(parts: Sequence[Part]) -> Iterator[Block]:
    """Go through all blocks, those within branches after the one that holds them."""
    for part in parts:
        if isinstance(part, Block):
            yield part
            for branch in part.branches.values():
                yield from blocks(branch.parts)


def nodes(parts: Sequence[Part]) -> Iterator[Node]:
    """Go through all nodes, the merges included, each block's branches before its merge."""
    for part in parts:
        if isinstance(part, Block):
            for branch in part.branches.values():
                yield from nodes(branch.parts)
            yield from part.inner
            yield part.merge
        else:
            yield part


@dataclass(frozen=True, slots=True)
class _Group:
    """Operands of a merge that come from one place."""

    operands: tuple[Operand, ...]
    source: int


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.live = graph.live()
        self.order = sorted(self.live)
        self.users: Counter[int] = Counter()
        for number in self.order:
            self.users.update(set(graph[number].inputs))
        self.users[graph.output] += 1
        self.groups: dict[int, list[_Group]] = {}
        # The immediate dominator of each node, in one pass: inputs come before it.
        self.dominator, self.depth = {IMAGE: IMAGE}, {IMAGE: 0}
        concatenations: list[Node] = []
        for number in self.order[1:]:
            node = graph[number]
            self._dominate(number, set(node.inputs))
            self.groups[number] = self._groups(node, concatenations)
            if KINDS.get(node.kind) == "concat" and len(node.inputs) > 1:
                concatenations.append(node)
                # Where it begins with an earlier one, that is all that it needs to pass through.
                self._dominate(number, {group.source for group in self.groups[number]})
        self.listed: set[int] = set()

    def _groups(self, node: Node, concatenations: Sequence[Node]) -> list[_Group]:
        """Return the operands of a node by where they come from.

        A concatenation that begins with all operands of an earlier one begins with its output, as
        each layer of a dense block does (Huang et al. 2016, arXiv:1608.06993, eq. 2). A sum of a
        sum that nothing else uses is one sum.
        """
        found: list[_Group] = []
        for operand, source in zip(node.operands, node.inputs, strict=True):
            if self._is_one_sum(node, source):
                found += self.groups[source]
            else:
                found.append(_Group(((node.number, operand),), source))
        if KINDS.get(node.kind) != "concat":
            return found
        begins = [
            other
            for other in concatenations
            if len(other.inputs) < len(node.inputs)
            and node.inputs[: len(other.inputs)] == other.inputs
        ]
        if not begins:
            return found
        longest = max(begins, key=lambda other: len(other.inputs))
        first = len(longest.inputs)
        operands = tuple(operand for group in found[:first] for operand in group.operands)
        return [_Group(operands, longest.number), *found[first:]]

    def _is_one_sum(self, node: Node, source: int) -> bool:
        other = self.graph[source]
        return (
            node.kind == other.kind == "add"
            and self.users[source] == 1
            and len(set(other.inputs)) > 1
            and node.shape == other.shape
            and self.dominator[source] == self.dominator[node.number]
        )

    def _dominate(self, number: int, sources: set[int]) -> None:
        found, *others = sources
        for source in others:
            found = _common(found, source, self.dominator, self.depth)
        self.dominator[number] = found
        self.depth[number] = self.depth[found] + 1

    def parts(self) -> tuple[Part, ...]:
        return self.between(IMAGE, self.graph.output)[0]

    def between(self, start: int, end: int) -> tuple[tuple[Part, ...], tuple[int, ...]]:
        """Return the parts after `start` up to `end`, and the nodes that are listed elsewhere."""
        chain = []
        number = end
        while number != start:
            chain.append(number)
            number = self.dominator[number]
        found: list[Part] = []
        shared: list[int] = []
        for number in reversed(chain):
            if number in self.listed:
                shared.append(number)
                continue
            found += self.part(number)
        return tuple(found), tuple(shared)

    def part(self, number: int) -> list[Part]:
        node, split = self.graph[number], self.dominator[number]
        groups = self.groups[number]
        inner = sorted({n for group in groups for n, _ in group.operands} - {number})
        inner = [n for n in inner if self._belongs(n, number)]
        self.listed.update([number, *inner])
        if len({group.source for group in groups}) < 2:
            return [node]
        ways = []
        for group in groups:
            parts, shared = self.between(split, group.source)
            ways.append(_Way(group, parts, shared))
        merged = tuple(self.graph[n] for n in inner)
        learns = node.uses_parameters or any(
            n.uses_parameters for way in ways for n in nodes(way.parts)
        )
        if not learns and KINDS.get(node.kind) != "attention":
            flat = [part for way in ways for part in way.parts]
            return [*sorted([*flat, *merged], key=_order), node]
        names = _branch_names(node, split, ways, self.graph)
        branches = {
            name: Branch(name, way.group.operands, way.group.source, way.parts, way.shared)
            for name, way in zip(names, ways, strict=True)
        }
        path = node.point.path + (f"#{node.point.call}" if node.point.call > 1 else "")
        kind = KINDS.get(node.kind, "merge")
        return [Block(path or node.name, kind, split, node, merged, branches)]

    def _belongs(self, inner: int, number: int) -> bool:
        """Tell whether a node is one of the sums that a merge is made of."""
        return self.graph[inner].kind == "add" == self.graph[number].kind


@dataclass(frozen=True, slots=True)
class _Way:
    """What leads to one group of operands."""

    group: _Group
    parts: tuple[Part, ...]
    shared: tuple[int, ...]


def _branch_names(merge: Node, split: int, ways: Sequence[_Way], graph: Graph) -> list[str]:
    """Name the branches: as their author does, by their module, or by what they are."""
    modules = [_module_of(merge, way.parts) for way in ways]
    counts: Counter[str] = Counter()
    unique = []
    for way, module in zip(ways, modules, strict=True):
        name = _said(graph, way.group.operands)
        if not name and way.parts and module and modules.count(module) == 1:
            name = module
        name = name or _description(merge, way.group.source == split, way.parts, len(ways))
        counts[name] += 1
        unique.append(name if counts[name] == 1 else f"{name} {counts[name]}")
    return unique


def _said(graph: Graph, operands: Sequence[Operand]) -> str:
    """Return what the author calls an operand, or nothing."""
    if len(operands) != 1:
        return ""
    ((number, operand),) = operands
    node = graph[number]
    return dict(zip(node.operands, node.names, strict=True)).get(operand, "") if node.names else ""


def _module_of(merge: Node, inner: Sequence[Part]) -> str:
    """Return the part of the merge's module in which a whole branch runs, or nothing."""
    prefix = f"{merge.point.path}." if merge.point.path else ""
    first = set()
    for node in nodes(inner):
        if not node.is_layer and node.point.path == merge.point.path:
            continue  # an operation in the forward that merges
        if not node.point.path.startswith(prefix):
            return ""
        first.add(node.point.path[len(prefix) :].partition(".")[0])
    # `branch5x5_1` and `branch5x5_2` are `branch5x5`.
    first = {re.sub(r"_\d+$", "", name) for name in first}
    name = first.pop() if len(first) == 1 else ""
    return "" if name.isdecimal() or name in SAYS_NOTHING else name


def _description(merge: Node, is_skip: bool, parts: Sequence[Part], ways: int) -> str:
    """Say what a branch is that its author gave no name."""
    if is_skip:
        return "skip"
    if KINDS.get(merge.kind) == "sum" and ways == 2:
        return "residual"
    kernels = [n.text for n in nodes(parts) if n.kind.startswith("Conv")]
    if kernels:
        return max(kernels, key=_size).removeprefix("conv ").partition(",")[0]
    return "pool" if any("pool" in n.kind.lower() for n in nodes(parts)) else "branch"


def _size(text: str) -> int:
    """Return the area of the kernel that a layer's words begin with."""
    digits = text.removeprefix("conv ").partition(",")[0].split("×")
    return prod(int(digit) for digit in digits if digit.isdecimal())


def _common(one: int, other: int, dominator: Mapping[int, int], depth: Mapping[int, int]) -> int:
    while one != other:
        if depth[one] < depth[other]:
            one, other = other, one
        one = dominator[one]
    return one


def _order(part: Part) -> int:
    return part.merge.number if isinstance(part, Block) else part.number
