"""What one run of a network did: layers and operations as nodes, tensors as edges.

Nothing is asked of the author: `x + self.conv(x)` and `torch.cat([a, b], 1)` are found by watching
the tensors. A *merge* is an operation with two or more operands that come from the image. Its
*block* begins at the merge's immediate dominator, the last node through which everything that
reaches the merge must pass (Lengauer & Tarjan 1979, section 1); a *branch* is what is between the
two on the way to one operand, and an operand that is the dominator itself is a *skip*.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from explorer.inspection.describing import describe
from explorer.inspection.watching import (
    TRANSPARENT,
    Point,
    Watch,
    author_frame,
    tensors_in,
)

T = TypeVar("T")
Kind: TypeAlias = Literal[
    "sum", "concat", "stack", "product", "maximum", "attention", "write", "merge"
]

IMAGE = 0  # the number of the node that is the image itself

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
    "matmul": "attention",
    "bmm": "attention",
    "einsum": "attention",
    "baddbmm": "attention",
    "scaled_dot_product_attention": "attention",
    "setitem": "write",
    "merge_branches": "merge",
}
SAYS_NOTHING = frozenset(
    [
        "a",
        "b",
        "c",
        "h",
        "i",
        "o",
        "t",
        "u",
        "v",
        "w",
        "x",
        "y",
        "z",
        "fx",
        "hx",
        "out",
        "outs",
        "output",
        "outputs",
        "outputs",
        "res",
        "result",
        "results",
        "ret",
        "tmp",
        "inp",
        "inputs",
        "input",
        "feat",
        "feats",
        "feature",
        "features",
        "data",
        "img",
        "image",
        "images",
        "hidden",
        "self",
    ]
)
_MAKES_NEW = ("new_", "zeros_like", "ones_like", "empty_like", "full_like", "rand")


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
        parameters: Its trainable parameters; a parameter that is used twice counts where it is
            used first.
        uses_parameters: Whether any parameter is used in it, counted or not.
        names: What the author calls each operand; empty where there is no name.
        place: The file and line of an operation in the author's code; may be empty.
    """

    number: int
    point: Point
    kind: str
    text: str
    inputs: tuple[int, ...]
    operands: tuple[int, ...]
    input_shape: tuple[int, ...]
    shape: tuple[int, ...]
    parameters: int
    uses_parameters: bool
    names: tuple[str, ...] = ()
    place: str = ""

    @property
    def is_layer(self) -> bool:
        """Whether it is a module, and not an operation between modules."""
        return not self.point.operation

    @property
    def name(self) -> str:
        """What tells it from all other nodes, from run to run: `conv1`, `conv1#2`, `block.add`."""
        return point_name(self.point)


def point_name(point: Point) -> str:
    """Write a point as people read it, and as links carry it."""
    path = point.path + (f"#{point.call}" if point.call > 1 else "")
    if not point.operation:
        return path
    operation = point.operation + (f"@{point.ordinal}" if point.ordinal > 1 else "")
    return f"{path}.{operation}" if path else operation


@dataclass(frozen=True, slots=True)
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

    def live(self) -> frozenset[int]:
        """Return the nodes between the image and the answer."""
        reached: set[int] = set()
        waiting = [self.output]
        while waiting:
            number = waiting.pop()
            if number not in reached:
                reached.add(number)
                waiting += self.nodes[number].inputs
        return frozenset(reached)


@dataclass(slots=True)
class Seen:
    """What a tensor is known to be.

    Attributes:
        node: The node that made it; `None` if it does not come from the image.
        version: How often its memory had been written to then.
        parameters: The parameters that it depends on, if it does not come from the image.
    """

    node: int | None
    version: int
    parameters: tuple[nn.Parameter, ...] = ()


class Recorder(Watch):
    """Builds the graph while a network runs, and keeps what it is asked to keep."""

    def __init__(self, model: nn.Module, keep: Callable[[Tensor], T]) -> None:
        super().__init__(model)
        self.nodes: list[Node] = []
        self.kept: dict[int, T] = {}
        self.operands: dict[tuple[int, int], T] = {}
        self._keep = keep
        self._seen: dict[int, Seen] = {}  # by the tensor's id
        self._written: dict[int, int] = {}  # by its memory: the node that wrote there last
        self._alive: list[Tensor] = []  # an id and an address are known as long as these live
        self._counted: set[int] = set()

    def begin(self, images: Tensor) -> None:
        """Call the images node 0."""
        shape = tuple(images.shape[1:])
        self.nodes.append(
            Node(IMAGE, Point("", 1, "image", 1), "image", "image", (), (), (), shape, 0, False)
        )
        self.kept[IMAGE] = self._keep(images)
        self._remember(images, Seen(IMAGE, images._version))

    def source(self, tensor: Tensor) -> Seen | None:
        """Return what a tensor is known to be."""
        seen = self._seen.get(id(tensor))
        if seen is not None and seen.version == tensor._version:
            return seen
        written = self._written.get(_memory(tensor))
        if written is not None:
            return Seen(written, tensor._version)
        return seen

    def before_layer(self, point: Point, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Remember what goes in, before the layer writes into it."""
        self._inputs = [(t, self.source(t)) for t in tensors_in((args, kwargs))]
        self._versions = [(t, t._version) for t, _ in self._inputs]

    def after_layer(
        self, point: Point, module: nn.Module, args: Any, kwargs: Any, output: Any
    ) -> None:
        """Add a layer to the graph, if its output comes from the image."""
        sources = [(i, s.node) for i, (_, s) in enumerate(self._inputs) if s and s.node is not None]
        if not sources or isinstance(module, nn.Identity):
            return
        own = [p for p in module.parameters() if p.requires_grad]
        first = next(t for t, s in self._inputs if s and s.node is not None)
        self._add(
            point,
            type(module).__name__,
            describe(module),
            sources,
            tuple(first.shape[1:]),
            list(tensors_in(output)),
            own,
        )

    def operation(self, point: Point, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run an operation and add it to the graph, if it makes something of the image."""
        given = list(tensors_in((args, kwargs)))
        if not given:
            return func(*args, **kwargs)
        sources = [self.source(t) for t in given]
        versions = [t._version for t in given]
        shapes = [tuple(t.shape[1:]) for t in given]
        result = func(*args, **kwargs)
        made = list(tensors_in(result))
        if point.operation.startswith(_MAKES_NEW):  # of the image's shape, but not of its values
            sources = [None] * len(given)
        changed = [t for t, version in zip(given, versions, strict=True) if t._version != version]
        if not made and not changed:
            return result
        from_image = [
            (i, s.node) for i, s in enumerate(sources) if s is not None and s.node is not None
        ]
        parameters = _parameters(given, sources)
        if not from_image:
            for tensor in [*made, *changed]:
                self._remember(tensor, Seen(None, tensor._version, parameters))
        elif not changed and (point.operation in TRANSPARENT or _is_view(made, given)):
            node = from_image[0][1]
            for tensor in made:
                self._remember(tensor, Seen(node, tensor._version))
        elif any(t.is_floating_point() or t.is_complex() for t in [*made, *changed]):
            written = [t for t in changed if not any(t is m for m in made)]
            outputs = [*made, *written]
            self._add(
                point,
                point.operation,
                point.operation,
                from_image,
                shapes[from_image[0][0]],
                outputs,
                parameters,
                given,
            )
        return result

    def _add(
        self,
        point: Point,
        kind: str,
        text: str,
        sources: Sequence[tuple[int, int]],
        input_shape: tuple[int, ...],
        outputs: Sequence[Tensor],
        parameters: Sequence[nn.Parameter],
        given: Sequence[Tensor] = (),
    ) -> None:
        if not outputs:
            return
        number = len(self.nodes)
        fresh = [p for p in parameters if id(p) not in self._counted]
        self._counted.update(map(id, fresh))
        names: tuple[str, ...] = ()
        place = ""
        is_merge = bool(given) and len({node for _, node in sources}) > 1
        if is_merge:
            names, place = _author_names([given[i] for i, _ in sources])
            for index, _ in sources:
                self.operands[number, index] = self._keep(given[index])
        self.nodes.append(
            Node(
                number,
                point,
                kind,
                text,
                tuple(node for _, node in sources),
                tuple(index for index, _ in sources),
                input_shape,
                tuple(outputs[0].shape[1:]),
                sum(p.numel() for p in fresh),
                bool(parameters),
                names,
                place,
            )
        )
        self.kept[number] = self._keep(outputs[0])
        for tensor in outputs:
            self._remember(tensor, Seen(number, tensor._version))
            if tensor._version:
                self._written[_memory(tensor)] = number

    def _remember(self, tensor: Tensor, seen: Seen) -> None:
        self._seen[id(tensor)] = seen
        self._alive.append(tensor)


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _is_view(made: Sequence[Tensor], given: Sequence[Tensor]) -> bool:
    """Tell whether an operation only handed on its operands' memory."""
    known = {_memory(t) for t in given if t.numel()}
    return bool(made) and all(t.numel() and _memory(t) in known for t in made)


def _parameters(
    given: Sequence[Tensor], sources: Sequence[Seen | None]
) -> tuple[nn.Parameter, ...]:
    found: dict[int, nn.Parameter] = {}
    for tensor, seen in zip(given, sources, strict=True):
        if isinstance(tensor, nn.Parameter) and tensor.requires_grad:
            found[id(tensor)] = tensor
        elif seen is not None:
            found.update((id(p), p) for p in seen.parameters)
    return tuple(found.values())


def _author_names(operands: Sequence[Tensor]) -> tuple[tuple[str, ...], str]:
    """Return what the author's frame calls these tensors, and the line that merges them."""
    frame = author_frame()
    if frame is None:
        return ("",) * len(operands), ""
    names: dict[int, str] = {}
    for name, value in frame.f_locals.items():
        if isinstance(value, Tensor) and name not in SAYS_NOTHING:
            names.setdefault(id(value), name)
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return tuple(names.get(id(t), "") for t in operands), place


@torch.no_grad()
def record(
    model: nn.Module, images: Tensor, keep: Callable[[Tensor], T]
) -> tuple[Graph, "Recorder", Any]:
    """Run `images` through `model` in its present mode, and watch."""
    recorder = Recorder(model, keep)
    with recorder.watching():
        recorder.begin(images)
        output = model(images)
    outputs = []
    for tensor in tensors_in(output):
        seen = recorder.source(tensor)
        if seen and seen.node is not None and seen.node not in outputs:
            outputs.append(seen.node)
    if not outputs:
        raise ValueError("The network's output does not come from the image.")
    return Graph(tuple(recorder.nodes), outputs[0], tuple(outputs)), recorder, output
