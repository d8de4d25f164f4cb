"""Finds the blocks of a graph: a split, the branches between, and their merge.

A *merge* is an operation with two or more operands that come from the image. Its *block* begins at
the merge's immediate dominator, the last node through which everything that reaches the merge must
pass (Lengauer & Tarjan 1979, section 1); a *branch* is what is between the two on the way to one
operand, and an operand that is the dominator itself is a *skip*.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from explorer.inspection.graph import SAYS_NOTHING
from explorer.inspection.parts import (
    IMAGE,
    Block,
    Branch,
    Graph,
    Kind,
    Node,
    Operand,
    Part,
    blocks,
    joined,
    nodes,
    run_name,
)
from explorer.language import english

KINDS: Mapping[str, Kind] = {
    "add": "sum",
    "sub": "sum",
    "cat": "concat",
    "concat": "concat",
    "concatenate": "concat",
    "hstack": "concat",
    "vstack": "concat",
    "dstack": "concat",
    "stack": "stack",
    "mul": "product",
    "multiply": "product",
    "div": "product",
    "truediv": "product",
    "maximum": "maximum",
    "max": "maximum",
    "minimum": "maximum",
    "matmul": "matrix product",
    "bmm": "matrix product",
    "einsum": "matrix product",
    "baddbmm": "matrix product",
    "scaled_dot_product_attention": "matrix product",
    "setitem": "write",
}


def find_parts(graph: Graph, shapes: Mapping[Operand, tuple[int, ...]]) -> tuple[Part, ...]:
    """Return what the image passes on its way to the answer: nodes, and blocks of them.

    Args:
        graph: One run of a network.
        shapes: The shape of each operand of a merge for one image, where it is not that of the node
            that it comes from.
    """
    parts = _Finder(graph, shapes).parts()
    names = _block_names(list(blocks(parts)))
    return _renamed(parts, names, {node.name: node.number for node in graph.nodes})


def _block_names(found: Sequence[Block]) -> Mapping[int, str]:
    """Return a name for each block, by its merge: the module's, where it has no other block."""
    in_module = Counter(block.merge.point[:2] for block in found)
    return {
        block.merge.number: block.name
        if in_module[block.merge.point[:2]] == 1
        else block.merge.name
        for block in found
    }


def _renamed(
    parts: Sequence[Part], names: Mapping[int, str], taken: Mapping[str, int]
) -> tuple[Part, ...]:
    """Return the parts with the final names of the blocks, and paths for the branches.

    Args:
        parts: The parts.
        names: The name of each block, by its merge.
        taken: The nodes by their names, which no branch may have unless it is that node.
    """

    def renamed(part: Part) -> Part:
        if not isinstance(part, Block):
            return part
        block = names[part.merge.number]
        branches = {}
        for name, branch in part.branches.items():
            path = joined(block, name)
            if taken.get(path, branch.source) != branch.source:
                path += " (branch)"
            inner = _renamed(branch.parts, names, taken)
            branches[name] = replace(branch, path=path, parts=inner)
        return replace(part, name=block, branches=branches)

    return tuple(map(renamed, parts))


@dataclass(frozen=True, slots=True)
class _Group:
    """Operands of a merge that come from one place."""

    operands: tuple[Operand, ...]
    source: int


class _Finder:
    def __init__(self, graph: Graph, shapes: Mapping[Operand, tuple[int, ...]]) -> None:
        self.graph, self.shapes = graph, shapes
        self.order = sorted(graph.live)
        self.users: Counter[int] = Counter()
        for number in self.order:
            self.users.update(set(graph[number].inputs))
        self.users[graph.output] += 1
        self.groups: dict[int, list[_Group]] = {}
        self.echoes: dict[Operand, list[Operand]] = defaultdict(list)
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
        sum that nothing else uses is one sum, if both are in one `forward`.
        """
        found: list[_Group] = []
        for operand, source in zip(node.operands, node.inputs, strict=True):
            if self._is_one_sum(node, source):
                found += self.groups[source]
            else:
                found.append(_Group(((node.number, operand),), source))
        if KINDS.get(node.kind) != "concat" or node.is_declared:
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
        for index, later in zip(longest.operands, operands, strict=True):
            self.echoes[longest.number, index].append(later)
        return [_Group(operands, longest.number), *found[first:]]

    def _is_one_sum(self, node: Node, source: int) -> bool:
        other = self.graph[source]
        return (
            node.kind == other.kind == "add"
            and node.point[:2] == other.point[:2]
            and self.users[source] == 1
            and (len(set(other.inputs)) > 1 or other.is_declared)
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
        sources = [group.source for group in groups]
        if len(sources if node.is_declared else set(sources)) < 2:
            return [node]
        ways = []
        for group in groups:
            parts, shared = self.between(split, group.source)
            ways.append(_Way(group, parts, shared))
        merged = tuple(self.graph[n] for n in inner)
        kind = KINDS.get(node.kind, "merge")
        passed = [n for way in ways for n in nodes(way.parts)]
        passed += [self.graph[n] for way in ways for n in way.shared]
        learns = node.weights or any(n.weights for n in passed)
        if not (learns or node.is_declared or kind == "matrix product"):
            flat = [part for way in ways for part in way.parts]
            return [*sorted([*flat, *merged], key=_order), node]
        names = _branch_names(node, split, ways, self.graph)
        branches = {
            name: Branch(
                name,
                "",
                way.group.operands,
                way.group.source,
                way.parts,
                tuple(self.graph[n].name for n in way.shared),
                self._shape(way.group),
                tuple(self._echoes(way.group.operands)),
            )
            for name, way in zip(names, ways, strict=True)
        }
        name = run_name(node.path, node.point.call) or node.name
        return [Block(name, kind, split, node, merged, branches, self.graph[split].shape)]

    def _shape(self, group: "_Group") -> tuple[int, ...]:
        source = self.graph[group.source].shape
        return self.shapes.get(group.operands[0], source) if len(group.operands) == 1 else source

    def _echoes(self, operands: Sequence[Operand]) -> Iterator[Operand]:
        """Go through the operands of later concatenations that are the same values."""
        for operand in operands:
            later = self.echoes.get(operand, [])
            yield from later
            yield from self._echoes(later)

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
    if not node.names:
        return ""
    name = dict(zip(node.operands, node.names, strict=True)).get(operand, "")
    says = node.is_declared or name not in SAYS_NOTHING
    is_of_attention = KINDS.get(node.kind) == "matrix product" and name in ("q", "k", "v")
    return name if says or is_of_attention else ""


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
    # In English, since the name is in addresses too.
    kernels = [english(n.text) for n in nodes(parts) if n.kind.startswith("Conv")]
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
