"""Runs a network with the tensors at named points of its graph replaced.

This is the one primitive under ablation, patching, logit attribution and linearity. It acts above
autograd, so that gradients are those of the changed network.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.inspection.parts import Point
from explorer.inspection.watching import Watch, run, with_tensors, write_count
from explorer.language import say
from explorer.outputs import tensors_in

Change: TypeAlias = Tensor | Callable[[Tensor], Tensor]


class InterventionError(ExplorerError, LookupError):
    """A point that a network does not have, or that a run does not pass."""


class Target(NamedTuple):
    """A tensor of a run.

    Attributes:
        point: Where it is.
        operands: Which of the operation's tensors; empty for what it returns.
    """

    point: Point
    operands: tuple[int, ...] = ()


@contextmanager
def intervening(model: nn.Module, changes: Mapping[Target, Change]) -> Iterator[None]:
    """Replace tensors in every run of `model` until the block is left.

    Args:
        model: Whoever else runs it in the block runs the changed network.
        changes: For each target its new value, or a function from the old value to the new one.

    Raises:
        InterventionError: A run does not pass a target, as where a network takes another path for
            other images.
    """
    if not changes:
        yield
        return
    with _Changing(model, changes).watching():
        yield


def intervene(model: nn.Module, images: Tensor, changes: Mapping[Target, Change]) -> Any:
    """Run `images` through `model` with some tensors replaced, and return its output.

    Args:
        model: In its present mode; otherwise left as it is.
        images: `(N, C, H, W)`, normalised, on the model's device.
        changes: As in `intervening`.

    Raises:
        InterventionError: The run does not pass a target.
    """
    with intervening(model, changes):
        return model(images)


class _Changing(Watch):
    def __init__(self, model: nn.Module, changes: Mapping[Target, Change]) -> None:
        super().__init__(model)
        self._changes: dict[Point, list[tuple[tuple[int, ...], Change]]] = {}
        for target, change in changes.items():
            self._changes.setdefault(target.point, []).append((target.operands, change))
        self._missing: set[Point] = set()

    def run_begins(self) -> None:
        self._missing = set(self._changes)

    def run_ends(self) -> None:
        if self._missing:
            raise InterventionError(
                say(
                    "These images take another path through the network, which does not pass "
                    "{name}.",
                    name=min(self._missing).name,
                )
            )

    def operation(self, point: Point, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if point not in self._changes:
            return run(func, args, kwargs)
        self._missing.discard(point)
        given = list(tensors_in((args, kwargs)))
        replaced = {
            number: _changed(given[number], change)
            for operands, change in self._changes[point]
            for number in operands
            if number < len(given)
        }
        (args, kwargs), _ = with_tensors((args, kwargs), replaced)
        written = _Writes([*tensors_in((args, kwargs))])
        output = run(func, args, kwargs)
        for number, tensor in replaced.items():
            if written.into(tensor):  # as `x += y` does, and the author goes on with `x`
                given[number].copy_(tensor)
                written.mark(given[number])
                if output is tensor:
                    output = given[number]
        return self._changed_output(point, output, written)

    def before_layer(self, point: Point, module: nn.Module, args: Any, kwargs: Any) -> None:
        if point in self._changes:
            self._written = _Writes([*tensors_in((args, kwargs))])

    def after_layer(
        self, point: Point, module: nn.Module, args: Any, kwargs: Any, output: Any
    ) -> Any:
        if point not in self._changes:
            return None
        self._missing.discard(point)
        return self._changed_output(point, output, self._written)

    def _changed_output(self, point: Point, output: Any, written: "_Writes") -> Any:
        for operands, change in self._changes[point]:
            first = next(tensors_in(output), None) if output is not None else written.first()
            if operands or first is None:
                continue
            changed = _changed(first, change)
            if written.into(first):
                first.copy_(changed)
            else:
                output, _ = with_tensors(output, {0: changed})
        return output


class _Writes:
    """Tells into which of some tensors an operation wrote."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._before = [(tensor, write_count(tensor)) for tensor in tensors]
        self._marked: list[Tensor] = []

    def mark(self, tensor: Tensor) -> None:
        """Say that it was written to."""
        self._marked.append(tensor)

    def into(self, tensor: Tensor) -> bool:
        """Tell whether it was written to."""
        return any(tensor is other for other in self._marked) or any(
            tensor is other and write_count(tensor) != count for other, count in self._before
        )

    def first(self) -> Tensor | None:
        """Return the first one that was written to."""
        written = (tensor for tensor, _ in self._before if self.into(tensor))
        return self._marked[0] if self._marked else next(written, None)


def _changed(value: Tensor, change: Change) -> Tensor:
    return change(value) if callable(change) else change.expand_as(value).to(value)
