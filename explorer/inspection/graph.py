"""Records what one run of a network does: layers and operations as nodes, tensors as edges.

Nothing is asked of the author: `x + self.conv(x)` and `torch.cat([a, b], 1)` are found by watching
the tensors. A tensor is known by its identity, and by the memory that it shares with others: what
was written in place is known by the count of writes that torch keeps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import type_before_parametrizations

from explorer.errors import ExplorerError
from explorer.inspection.describing import describe, describe_operation
from explorer.inspection.macs import MacCounter
from explorer.inspection.parts import IMAGE, Graph, Node, Point, image_shape
from explorer.inspection.watching import (
    TRANSPARENT,
    Watch,
    author_frame,
    plain,
    run,
    unseen,
    with_tensors,
    write_count,
)
from explorer.language import say
from explorer.outputs import tensors_in

T = TypeVar("T")

# Names that mostly say nothing about what they hold.
SAYS_NOTHING = frozenset(
    """
    a b c h i k o q t u v w x y z fx hx out outs output outputs res result results ret tmp inp
    inputs input feat feats feature features data img image images hidden self
    """.split()  # noqa: SIM905
)
_MAKES_NEW = ("new_", "zeros_like", "ones_like", "empty_like", "full_like", "rand")
# What works along the last side, where the channels then are.
_ALONG_CHANNELS = ("Linear", "LayerNorm", "linear", "layer_norm")
_JOINS = ("cat", "concat", "concatenate")
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


class GraphError(ExplorerError, ValueError):
    """The run of a network cannot be followed; the message says where it is lost."""


@dataclass(slots=True)
class Seen:
    """What a tensor is known to be.

    Attributes:
        node: The node that made it; `None` if it does not come from the image.
        version: How often its memory had been written to then.
        parameters: The parameters that it depends on, if it does not come from the image.
        is_output: It is the node's first output itself, and not a view or another one of it.
        channels_last: It is maps `(N, H, W, C)`.
    """

    node: int | None
    version: int
    parameters: tuple[nn.Parameter, ...] = ()
    is_output: bool = False
    channels_last: bool = False


class _Given(NamedTuple):
    """An operand, as it is before the operation."""

    tensor: Tensor
    version: int
    shape: tuple[int, ...]
    seen: Seen | None


class Recorder(Watch, Generic[T]):
    """Builds the graph while a network runs, and keeps what it is asked to keep.

    Args:
        model: The network.
        keep: Called with the output of each node, and with each operand of a merge, at the moment
            at which it is there.
        counter: Counts the multiply-adds of the run, if they are wanted.

    Attributes:
        nodes: The image, and the nodes so far.
        kept: What was kept of each node's output.
        operands: What was kept of the operands of each merge, by node and operand.
        begun: The path of each module that began to run.
    """

    def __init__(
        self, model: nn.Module, keep: Callable[[Tensor], T], counter: MacCounter | None = None
    ) -> None:
        super().__init__(model)
        self.nodes: list[Node] = []
        self.kept: dict[int, T] = {}
        self.operands: dict[tuple[int, int], T] = {}
        self.begun: list[str] = []
        self._keep = keep
        self._counter = counter
        self._images = 1
        self._parameters = {id(p): name for name, p in model.named_parameters()}
        self._seen: dict[int, Seen] = {}  # by the tensor's id
        self._memory: dict[int, int] = {}  # which node wrote there last
        self._alive: list[Tensor] = []  # ids and addresses are known as long as these live
        self._names: dict[int, list[str]] = {}  # of what a `Branches` merges, by the tensor's id

    def begin(self, images: Tensor) -> None:
        """Call the images node 0."""
        self._images = len(images)
        shape = image_shape(images.shape, self._images)
        point = Point("", 1, "image", 1)
        self.nodes.append(Node(IMAGE, point, "image", "image", (), (), (), shape))
        self.kept[IMAGE] = self._keep(images)
        self._remember(images, Seen(IMAGE, write_count(images), is_output=True))
        self._memory[_memory(images)] = IMAGE

    def source(self, tensor: Tensor) -> Seen | None:
        """Return what a tensor is known to be."""
        seen = self._seen.get(id(tensor))
        if seen is not None and seen.version == write_count(tensor):
            return seen
        # Written to since, or made by code that no one sees, such as an autograd function.
        node = self._memory.get(_memory(tensor))
        return seen if node is None else Seen(node, write_count(tensor))

    def named(self, outputs: Sequence[Tensor], names: Sequence[str]) -> None:
        """Remember what the branches of a `Branches` are called."""
        self._names = {}
        for output, name in zip(outputs, names, strict=True):
            self._names.setdefault(id(output), []).append(name)
        self._alive += outputs

    def module_begins(self, path: str, is_layer: bool) -> None:
        """Remember the order in which modules run."""
        self.begun.append(path)

    def before_layer(self, point: Point, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Remember what goes in, before the layer writes into it."""
        self._inputs = self._given(args, kwargs)
        self._is_merge = self._is_declared = False

    def after_layer(
        self, point: Point, module: nn.Module, args: Any, kwargs: Any, output: Any
    ) -> Any:
        """Add a layer to the graph, if its output comes from the image."""
        inputs = self._inputs
        sources = [
            (i, g.seen.node) for i, g in enumerate(inputs) if g.seen and g.seen.node is not None
        ]
        own = [p for p in module.parameters() if p.requires_grad]
        if not sources:
            used = _parameters(inputs)
            for tensor in tensors_in(output):
                self._remember(tensor, Seen(None, write_count(tensor), (*used, *own)))
            return None
        untouched = {id(g.tensor) for g in inputs if write_count(g.tensor) == g.version}
        outputs = list(tensors_in(output))
        changed = None
        if new := [tensor for tensor in outputs if id(tensor) not in untouched]:
            outputs = new
        elif outputs:
            if not isinstance(module, _DROPOUTS):
                return None  # it passes on what it is given
            # A tensor of its own, so that whoever uses the input of the layer is told apart.
            changed, _ = with_tensors(output, {0: outputs[0].view_as(outputs[0])})
            outputs = list(tensors_in(changed))
        outputs += [g.tensor for g in inputs if id(g.tensor) not in untouched]
        self._add(
            point,
            type_before_parametrizations(module).__name__,
            describe(module),
            sources,
            inputs[sources[0][0]].shape,
            outputs,
            own,
            inputs,
        )
        return changed

    def operation(self, point: Point, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run an operation and add it to the graph, if it makes something of the image."""
        given = self._given(args, kwargs)
        self._expect_merge(given)
        result = run(func, args, kwargs)
        if given:
            self._operated(point, args, kwargs, given, result)
        return result

    @unseen
    def _given(self, args: Any, kwargs: Any) -> list[_Given]:
        """Return what a layer or an operation is given, as it is before it."""
        given = [
            _Given(t, write_count(t), (), None)  # it has no shape yet, and no memory
            if is_lazy(t)
            else _Given(t, write_count(t), plain(t).shape, self.source(t))
            for t in tensors_in((args, kwargs))
        ]
        self._macs_before = self._macs()
        return given

    @unseen
    def _expect_merge(self, given: Sequence[_Given]) -> None:
        """Keep the operands of a merge before the operation, which may write into one of them."""
        nodes = {each.seen.node for each in given if each.seen} - {None}
        self._is_declared = any(id(each.tensor) in self._names for each in given)
        self._is_merge = len(nodes) > 1 or (self._is_declared and bool(nodes))
        if self._is_merge:
            self._merged = [self._operand(each, given) for each in given]

    @unseen
    def _operated(
        self, point: Point, args: Any, kwargs: Any, given: Sequence[_Given], result: Any
    ) -> None:
        made = list(tensors_in(result))
        changed = [each.tensor for each in given if write_count(each.tensor) != each.version]
        if not made and not changed:
            return
        is_new = point.operation.startswith(_MAKES_NEW)  # of its operand's shape, not its values
        from_image = [
            (place, each.seen.node)
            for place, each in enumerate(given)
            if each.seen is not None and each.seen.node is not None and not is_new
        ]
        parameters = _parameters(given)
        if not from_image:
            for tensor in [*made, *changed]:
                self._remember(tensor, Seen(None, write_count(tensor), parameters))
        elif not changed and _hands_on(point.operation, made, given):
            node = from_image[0][1]
            for tensor in made:
                last = _still_last(tensor, given)
                self._remember(tensor, Seen(node, write_count(tensor), channels_last=last))
                self._memory.setdefault(_memory(tensor), node)
        elif any(t.is_floating_point() or t.is_complex() for t in [*made, *changed]):
            self._add(
                point,
                point.operation,
                describe_operation(point.operation, args, kwargs),
                from_image,
                given[from_image[0][0]].shape,
                [*made, *(t for t in changed if not any(t is m for m in made))],
                parameters,
                given,
            )

    def _add(
        self,
        point: Point,
        kind: str,
        text: str,
        sources: Sequence[tuple[int, int]],
        input_shape: Sequence[int],
        outputs: Sequence[Tensor],
        parameters: Sequence[nn.Parameter],
        given: Sequence[_Given],
    ) -> None:
        if not outputs:
            return
        number = len(self.nodes)
        names: tuple[str, ...] = ()
        place = ""
        if self._is_merge:
            frame = author_frame(_run.__code__)
            names = self._called([given[i].tensor for i, _ in sources], frame)
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
            for index, _ in sources:
                if (kept := self._merged[index]) is not None:
                    self.operands[number, index] = kept
        output = plain(outputs[0])
        last = _still_last(output, given) or (output.ndim == 4 and kind in _ALONG_CHANNELS)
        kept_output = output.movedim(-1, 1) if last else output
        self.nodes.append(
            Node(
                number,
                point,
                kind,
                text,
                tuple(node for _, node in sources),
                tuple(index for index, _ in sources),
                image_shape(input_shape, self._images),
                image_shape(kept_output.shape, self._images),
                tuple((self._parameters.get(id(p), f"?{id(p)}"), p.numel()) for p in parameters),
                (self._macs() - self._macs_before) // self._images,
                names,
                place,
                self._is_declared,
                last,
            )
        )
        self.kept[number] = self._keep(kept_output)
        for place_, tensor in enumerate(outputs):
            seen = Seen(number, write_count(tensor), (), not place_, last and not place_)
            self._remember(tensor, seen)
            self._memory[_memory(tensor)] = number

    def _operand(self, operand: _Given, others: Sequence[_Given]) -> T | None:
        """Return what is kept of an operand: often a node's output, which is kept already."""
        seen = operand.seen
        if seen is None or seen.node is None:
            return None
        if seen.is_output:
            return self.kept[seen.node]
        tensor = plain(operand.tensor)
        return self._keep(tensor.movedim(-1, 1) if _still_last(tensor, others) else tensor)

    def _called(self, operands: Sequence[Tensor], frame: FrameType | None) -> tuple[str, ...]:
        """Return what the author calls these tensors; empty where there is no name."""
        local: dict[int, str] = {}
        for name, value in frame.f_locals.items() if frame else ():
            if isinstance(value, Tensor) and local.get(id(value), "x") in SAYS_NOTHING:
                local[id(value)] = name
        found = []
        for tensor in operands:
            given = self._names.get(id(tensor))
            found.append(given[0] if given else local.get(id(tensor), ""))
            if given and len(given) > 1:  # one tensor that is several branches
                given.pop(0)
        return tuple(found)

    def _macs(self) -> int:
        return self._counter.total if self._counter else 0

    def _remember(self, tensor: Tensor, seen: Seen) -> None:
        self._seen[id(tensor)] = seen
        self._alive.append(tensor)


def _memory(tensor: Tensor) -> int:
    """Return what tells a tensor's memory from all other memory."""
    tensor = plain(tensor)
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else id(tensor)


def _still_last(tensor: Tensor, given: Sequence[_Given]) -> bool:
    """Tell whether something made of operands is maps with the channels last, as one of them is."""
    return any(
        each.seen is not None and each.seen.channels_last and each.shape == tensor.shape
        for each in given
    )


def _hands_on(operation: str, made: Sequence[Tensor], given: Sequence[_Given]) -> bool:
    """Tell whether an operation only hands on the values of its operands."""
    if operation in TRANSPARENT or (operation in _JOINS and len(given) == 1):
        return True
    known = {_memory(each.tensor) for each in given if each.tensor.numel()}
    return bool(made) and all(t.numel() and _memory(t) in known for t in made)


def _parameters(given: Sequence[_Given]) -> tuple[nn.Parameter, ...]:
    """Return the trainable parameters among operands, and those that these were made of."""
    found: dict[int, nn.Parameter] = {}
    for each in given:
        if isinstance(each.tensor, nn.Parameter) and each.tensor.requires_grad:
            found[id(each.tensor)] = each.tensor
        elif each.seen is not None:
            found.update((id(p), p) for p in each.seen.parameters)
    return tuple(found.values())


def record(
    model: nn.Module,
    images: Tensor,
    keep: Callable[[Tensor], T],
    counter: MacCounter | None = None,
) -> tuple[Graph, Recorder[T], Any]:
    """Run `images` through `model` in its present mode, without gradients, and watch.

    Returns:
        The graph, what was kept, and what the network returned.

    Raises:
        GraphError: What the network returns cannot be followed back to the images.
    """
    recorder = Recorder(model, keep, counter)
    # Not inference mode: a network may cache a table at its first run and train with it later.
    with torch.no_grad(), recorder.watching():
        recorder.begin(images)
        output = _run(model, images)
    outputs = []
    for tensor in tensors_in(output):
        seen = recorder.source(tensor)
        if seen and seen.node is not None and seen.node not in outputs:
            outputs.append(seen.node)
    if not outputs:
        raise GraphError(
            say(
                "Its answer cannot be followed back to the image: compute it from the image, with "
                "operations of torch and not of numpy."
            )
        )
    return Graph(tuple(recorder.nodes), outputs[0], tuple(outputs)), recorder, output


def _run(model: nn.Module, images: Tensor) -> Any:
    return model(images)
