"""Captures what operations of a run are called with, and those that a layer is made of."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from explorer.inspection.parts import Point
from explorer.inspection.watching import (
    TRANSPARENT,
    Watch,
    operation_name,
    plain,
    run,
    with_tensors,
    write_count,
)
from explorer.outputs import tensors_in


class Call(NamedTuple):
    """One call of a torch function.

    Attributes:
        name: The operation's name, such as `conv2d`.
        func: The function.
        args: What it was called with, as it was before.
        kwargs: What it was called with by name, likewise.
        output: What it gave: its first tensor, or else the one that it wrote into.
        given: The tensors among the arguments themselves.
        made: The tensors that it gave themselves.
    """

    name: str
    func: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    output: Tensor
    given: tuple[Tensor, ...]
    made: tuple[Tensor, ...]


class Layer(NamedTuple):
    """One run of a layer.

    Attributes:
        whole: The call of the layer itself.
        calls: The operations in it that work on what it was given, without those that only hand it
            on in another shape.
    """

    whole: Call
    calls: tuple[Call, ...]


class Capture(Watch):
    """Keeps the calls at some points of a run.

    Args:
        model: The network.
        points: Of operations and of layers.

    Attributes:
        operations: The call of each operation.
        layers: The run of each layer.
    """

    def __init__(self, model: nn.Module, points: Collection[Point]) -> None:
        super().__init__(model)
        self._points = set(points)
        self.operations: dict[Point, Call] = {}
        self.layers: dict[Point, Layer] = {}
        self._inside: Point | None = None
        self._inputs: tuple[Tensor, ...] = ()
        self._given: tuple[Tensor, ...] = ()
        self._called: dict[Point, list[Call]] = defaultdict(list)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self._inside is None:
            return super().__torch_function__(func, types, args, kwargs)
        return self._kept(func, args, kwargs or {}, self._called[self._inside].append)

    def operation(self, point: Point, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run an operation, and keep the call if it was asked for."""
        if point not in self._points:
            return run(func, args, kwargs)

        def keep(call: Call) -> None:
            self.operations[point] = call

        return self._kept(func, args, kwargs, keep)

    def before_layer(self, point: Point, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Begin to keep the calls of a layer, if it was asked for."""
        if point in self._points:
            self._inside, self._inputs = point, tuple(tensors_in((args, kwargs)))
            self._given = tuple(plain(tensor).clone() for tensor in self._inputs)

    def after_layer(
        self, point: Point, module: nn.Module, args: Any, kwargs: Any, output: Any
    ) -> None:
        """Keep what a layer gave."""
        self._inside = None
        first = next(tensors_in(output), None)
        if point in self._points and first is not None:
            calls = tuple(_working(self._called[point], self._inputs))
            whole = Call("", module, self._given, {}, plain(first).clone(), self._inputs, (first,))
            self.layers[point] = Layer(whole, calls)

    def _kept(
        self, func: Callable[..., Any], args: Any, kwargs: Any, keep: Callable[[Call], object]
    ) -> Any:
        given = tuple(tensors_in((args, kwargs)))
        copies = {
            place: plain(tensor).clone()
            for place, tensor in enumerate(given)
            if not isinstance(tensor, nn.Parameter)
        }
        (before, named), _ = with_tensors((args, kwargs), copies)
        counts = [write_count(tensor) for tensor in given]
        result = run(func, args, kwargs)
        written = (t for t, count in zip(given, counts, strict=True) if write_count(t) != count)
        if made := tuple(tensors_in(result)) or tuple(written):
            name = operation_name(func)
            keep(Call(name, func, before, named, plain(made[0]).clone(), given, made))
        return result


def _working(calls: Sequence[Call], inputs: Sequence[Tensor]) -> list[Call]:
    """Return the calls that work on what comes from the inputs."""
    known = {id(tensor) for tensor in inputs}
    found = []
    for call in calls:
        if any(id(tensor) in known for tensor in call.given):
            known |= {id(tensor) for tensor in call.made}
            if call.name not in TRANSPARENT and call.output.is_floating_point():
                found.append(call)
    return found
