"""What a network is made of, as a drawing or a list needs it. No torch needed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal, NamedTuple, TypeAlias

from explorer.errors import ExplorerError


class UnknownPartError(ExplorerError, LookupError):
    """A network has no part of that name; the message says which it has."""


IMAGE = 0  # the number of the node that is the image itself

Kind: TypeAlias = Literal[
    "sum", "concat", "stack", "product", "maximum", "matrix product", "write", "merge"
]
Operand: TypeAlias = tuple[int, int]  # the number of a node, and which of its tensors


class Point(NamedTuple):
    """Where in a network's run something happens.

    Attributes:
        path: The path of the module that runs, or in whose `forward` the operation is.
        call: Which call of that module, from 1.
        operation: The operation's name; empty for the module itself.
        ordinal: Which operation of that name in this call, from 1; 0 for the module itself.
    """

    path: str
    call: int
    operation: str = ""
    ordinal: int = 0

    @property
    def name(self) -> str:
        """The point as people read it, and as links carry it.

        `conv1` is a module and `conv1#2` its second call; `block.add()` is an operation in the
        `forward` of `block`, and `block.add()#2` the second one of that name.
        """
        module = run_name(self.path, self.call)
        if not self.operation:
            return module
        return joined(module, run_name(f"{self.operation}()", self.ordinal))


@dataclass(frozen=True, slots=True)
class Node:
    """One layer that ran, or one operation between layers.

    Attributes:
        number: Its place in the running order; the image is 0.
        point: Where it is found again in another run.
        kind: The layer's class, such as `Conv2d`, or the operation's name, such as `add`.
        text: What it is in a few words, such as `conv 5×5`.
        inputs: The numbers of the nodes that its operands come from, in their order; operands that
            do not come from the image are left out.
        operands: For each of `inputs`, which of the operation's tensors it is.
        input_shape: The shape of its first input for one image; empty if it has none.
        shape: The shape of its output for one image: `(C, H, W)` or `(features,)`.
        weights: The name and the size of each trainable parameter that it uses.
        macs: Multiply-adds for one image; 0 if they were not counted.
        names: What the author calls each operand of a merge; empty where there is no name.
        place: The file and line of a merge in the author's code; may be empty.
        is_declared: It merges the branches of a `Branches`.
        channels_last: The network has the channels on the last side of the output, `(H, W, C)`, as
            in front of a linear layer; its shape here and what is kept of it are `(C, H, W)`.
    """

    number: int
    point: Point
    kind: str
    text: str
    inputs: tuple[int, ...]
    operands: tuple[int, ...]
    input_shape: tuple[int, ...]
    shape: tuple[int, ...]
    weights: tuple[tuple[str, int], ...] = ()
    macs: int = 0
    names: tuple[str, ...] = ()
    place: str = ""
    is_declared: bool = False
    channels_last: bool = False

    @property
    def is_layer(self) -> bool:
        """Whether it is a module, and not an operation between modules."""
        return not self.point.operation

    @property
    def name(self) -> str:
        """What tells it from all other nodes, from run to run."""
        return self.point.name

    @property
    def path(self) -> str:
        """The path of the layer, or of the module in whose `forward` the operation is."""
        return self.point.path

    @property
    def parameters(self) -> int:
        """How many trainable parameters it uses."""
        return parameters([self])


@dataclass(frozen=True)
class Branch:
    """One way from a block's split to its merge.

    Attributes:
        name: What its author calls it, or what it is: `branch5x5`, `skip`.
        path: What tells it from all other branches and nodes, from run to run: `incep1.branch5x5`.
        operands: The operands that it gives: of the merge, or of sums that are a part of it.
        source: The number of the node that gives them; the split itself if it is a skip.
        parts: What is on the way, in running order; empty for a skip.
        shared: The names of the nodes on the way that belong to another branch or part.
        shape: The shape of what it gives to the merge, for one image.
        echoes: The operands of later concatenations that begin with all of this block's; they are
            drawn as its output.
    """

    name: str
    path: str
    operands: tuple[Operand, ...]
    source: int
    parts: tuple["Part", ...]
    shared: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    echoes: tuple[Operand, ...] = ()

    @property
    def is_skip(self) -> bool:
        """Whether it passes the split's output on unchanged."""
        return not self.parts and not self.shared

    @cached_property
    def parameters(self) -> int:
        """How many trainable parameters its own nodes use."""
        return parameters(nodes(self.parts))

    @cached_property
    def macs(self) -> int:
        """The multiply-adds of its own nodes, for one image."""
        return sum(part.macs for part in self.parts)


@dataclass(frozen=True)
class Block:
    """A split, its branches and their merge.

    Attributes:
        name: What tells it from all other blocks, from run to run.
        kind: How the branches are merged.
        split: The number of the node at which the branches begin.
        merge: The merge; of `a + b + c` the last sum.
        inner: The sums that are a part of the merge, such as `a + b`.
        branches: The branches by name, in the order of the merge's operands.
        input_shape: The shape of the split's output for one image.
    """

    name: str
    kind: Kind
    split: int
    merge: Node
    inner: tuple[Node, ...]
    branches: Mapping[str, Branch]
    input_shape: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the merged output for one image."""
        return self.merge.shape

    @property
    def path(self) -> str:
        """The path of the module in whose `forward` the branches are merged."""
        return self.merge.path

    @cached_property
    def parameters(self) -> int:
        """How many trainable parameters it uses."""
        return parameters(nodes([self]))

    @cached_property
    def macs(self) -> int:
        """Its multiply-adds for one image, the merge included."""
        return sum(node.macs for node in nodes([self]))

    @property
    def axis(self) -> int | None:
        """Along which side of its shape the branches are concatenated; `None` if they are not."""
        shapes = [branch.shape for branch in self.branches.values()]
        if self.kind != "concat" or len({len(shape) for shape in (*shapes, self.shape)}) > 1:
            return None
        for axis, size in enumerate(self.shape):
            others = {shape[:axis] + shape[axis + 1 :] for shape in (*shapes, self.shape)}
            if len(others) == 1 and sum(shape[axis] for shape in shapes) == size:
                return axis
        return None


Part: TypeAlias = Node | Block


@dataclass(frozen=True)
class Graph:
    """One run of a network.

    Attributes:
        nodes: The image, and then all nodes in the order in which they ran.
        output: The number of the node that gave the answer.
        outputs: The nodes of all outputs, if the network has several, the answer first.
    """

    nodes: tuple[Node, ...]
    output: int
    outputs: tuple[int, ...]

    def __getitem__(self, number: int) -> Node:
        return self.nodes[number]

    @cached_property
    def live(self) -> frozenset[int]:
        """The nodes between the image and the answer."""
        reached: set[int] = set()
        waiting = [self.output]
        while waiting:
            number = waiting.pop()
            if number not in reached:
                reached.add(number)
                waiting += self.nodes[number].inputs
        return frozenset(reached)

    @property
    def unused(self) -> tuple[Node, ...]:
        """The nodes whose results do not reach the answer."""
        return tuple(node for node in self.nodes if node.number not in self.live)

    def after(self, number: int) -> list[Node]:
        """Return the nodes on the way from a node to the answer, in running order."""
        reached = {number}
        found = []
        for node in self.nodes[number + 1 :]:
            if node.number in self.live and not reached.isdisjoint(node.inputs):
                reached.add(node.number)
                found.append(node)
        return found

    def between(self, start: int, end: int) -> list[Node]:
        """Return the nodes on the way from one node to another, the other included."""
        needed = {end}
        found = []
        for node in reversed(self.after(start)):
            if node.number in needed:
                needed.update(node.inputs)
                found.append(node)
        return found[::-1]


def joined(path: str, name: str) -> str:
    """Return the path of something by its name within the module at `path`."""
    return f"{path}.{name}" if path else name


def run_name(path: str, call: int) -> str:
    """Return the name of one run of a module or of an operation."""
    return path if call == 1 else f"{path}#{call}"


def blocks(parts: Iterable[Part]) -> Iterator[Block]:
    """Yield all blocks in the order in which they run, each before those within its branches."""
    for part in parts:
        if isinstance(part, Block):
            yield part
            for branch in part.branches.values():
                yield from blocks(branch.parts)


def nodes(parts: Iterable[Part]) -> Iterator[Node]:
    """Yield all nodes, the merges included, each block's branches before its merge."""
    for part in parts:
        if isinstance(part, Block):
            for branch in part.branches.values():
                yield from nodes(branch.parts)
            yield from part.inner
            yield part.merge
        else:
            yield part


def branches(parts: Iterable[Part]) -> dict[str, tuple[Block, Branch]]:
    """Return each branch and its block by the branch's path, in running order."""
    return {
        branch.path: (block, branch)
        for block in blocks(parts)
        for branch in block.branches.values()
    }


def when_off(kind: str) -> Literal["ones", "zeros"]:
    """Return what a branch that is off gives to a merge of this kind."""
    return "ones" if kind == "product" else "zeros"


def parameters(found: Iterable[Node]) -> int:
    """Return how many trainable parameters these nodes use; a shared one counts once."""
    return sum(dict(weight for node in found for weight in node.weights).values())


def channels(shape: Sequence[int]) -> int:
    """Return the number of maps `(C, H, W)`, of features `(F,)` or of a token's `(T, F)`."""
    if not shape:
        return 1
    return shape[0] if len(shape) == 3 else shape[-1]


def image_shape(shape: Sequence[int], images: int) -> tuple[int, ...]:
    """Return what a tensor of this shape holds for each of so many images.

    The images are along the first side, or else along another one, as in `(tokens, images,
    features)`; or each image is several entries of the first side, as where windows are cut.
    """
    sides = tuple(shape)
    if not sides or sides[0] == images:
        return sides[1:] or (1,)
    if images in sides:
        axis = sides.index(images)
        return sides[:axis] + sides[axis + 1 :]
    if images and sides[0] % images == 0:
        return (sides[0] // images, *sides[1:])
    return sides


def size(shape: Iterable[int]) -> int:
    """Return how many values a tensor of this shape has."""
    return prod(shape)


def in_running_order(paths: Iterable[str], begun: Sequence[str]) -> list[str]:
    """Sort the paths of modules by when they first run.

    Args:
        paths: Of modules. One that does not run by itself, such as one that computes a parameter,
            comes with the module that holds it; what belongs to the whole network comes last.
        begun: The paths of the modules in the order in which they began to run.
    """
    first: dict[str, int] = {}
    for number, path in enumerate(begun):
        first.setdefault(path, number)

    def place(path: str) -> int:
        while path and path not in first:
            path = path.rpartition(".")[0]
        return first[path] if path else len(begun)

    return sorted(paths, key=place)


def modules_of(found: Iterable[Node]) -> set[str]:
    """Return the paths of the modules that hold the parameters which these nodes use."""
    return {name.rpartition(".")[0] for node in found for name, _ in node.weights}
