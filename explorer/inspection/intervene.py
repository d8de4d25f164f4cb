"""Runs a network with the tensors at named points of its graph replaced.

This is the one primitive under ablation, patching, logit attribution and linearity. It acts above
autograd, so that gradients are those of the changed network.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.inspection.blocks import Block, Branch, Part, blocks
from explorer.inspection.graph import Graph
from explorer.inspection.watching import Point, Watch, tensors_in, with_tensors
from explorer.text import suggest

Change: TypeAlias = Tensor | Callable[[Tensor], Tensor]
_CHANNEL = re.compile(r"(?P<name>.*):(?P<channel>\d+)")


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


def zero(value: Tensor) -> Tensor:
    """Replace a tensor by zeros."""
    return torch.zeros_like(value)


def one(value: Tensor) -> Tensor:
    """Replace a tensor by ones, which switches a factor of a product off."""
    return torch.ones_like(value)


def without_channels(channels: Collection[int]) -> Callable[[Tensor], Tensor]:
    """Return a function that replaces some channels of a tensor `(N, C, …)` by zeros."""

    def change(value: Tensor) -> Tensor:
        kept = torch.ones(value.shape[1], dtype=value.dtype, device=value.device)
        kept[list(channels)] = 0
        return value * kept.view(-1, *[1] * (value.ndim - 2))

    return change


def branch_names(parts: Sequence[Part]) -> Mapping[str, tuple[Block, Branch]]:
    """Return the branches that can be switched off, by name, such as `mix1.5x5`."""
    return {
        f"{block.name}.{name}": (block, branch)
        for block in blocks(parts)
        for name, branch in block.branches.items()
    }


def at_branch(graph: Graph, branch: Branch, change: Change) -> Mapping[Target, Change]:
    """Return the changes that apply `change` to what a branch gives to its merge."""
    operands: dict[Point, list[int]] = {}
    for number, operand in branch.operands:
        operands.setdefault(graph[number].point, []).append(operand)
    return {Target(point, tuple(which)): change for point, which in operands.items()}


def off(graph: Graph, parts: Sequence[Part], names: Collection[str]) -> Mapping[Target, Change]:
    """Return the changes that switch branches and channels off.

    Args:
        graph: Of the network.
        parts: Its parts.
        names: Branches, such as `mix1.5x5`, and channels of any node, such as `conv1:3`.

    Raises:
        InterventionError: There is no branch, node or channel of a name.
    """
    branches, outputs = branch_names(parts), {node.name: node for node in graph.nodes}
    changes: dict[Target, Change] = {}
    channels: dict[str, list[int]] = {}
    for name in names:
        if name in branches:
            block, branch = branches[name]
            changes |= at_branch(graph, branch, one if block.kind == "product" else zero)
        elif (match := _CHANNEL.fullmatch(name)) and match["name"] in outputs:
            node, channel = outputs[match["name"]], int(match["channel"])
            count = node.shape[0] if node.shape else 0
            if channel >= count:
                raise InterventionError(
                    f"{node.name} has {count} channels, 0 to {count - 1}; there is no channel "
                    f"{channel}."
                )
            channels.setdefault(node.name, []).append(channel)
        else:
            known = list(branches) or [f"{name}:0" for name in outputs]
            raise InterventionError(f"There is no branch {name!r}; {suggest(name, known)}")
    for name, numbers in channels.items():
        changes[Target(outputs[name].point)] = without_channels(numbers)
    return changes


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
            point = min(self._missing)
            raise InterventionError(
                f"These images take another path through the network: {point.path or 'it'} does "
                f"not run {point.operation or 'as it did'} there."
            )

    def operation(self, point: Point, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if point not in self._changes:
            return func(*args, **kwargs)
        self._missing.discard(point)
        args, kwargs = self._changed_inputs(point, args, kwargs)
        return self._changed_output(point, func(*args, **kwargs))

    def after_layer(
        self, point: Point, module: nn.Module, args: Any, kwargs: Any, output: Any
    ) -> Any:
        if point not in self._changes:
            return None
        self._missing.discard(point)
        return self._changed_output(point, output)

    def _changed_inputs(self, point: Point, args: Any, kwargs: Any) -> tuple[Any, Any]:
        given = list(tensors_in((args, kwargs)))
        replaced = {
            number: _changed(given[number], change)
            for operands, change in self._changes[point]
            for number in operands
            if number < len(given)
        }
        (args, kwargs), _ = with_tensors((args, kwargs), replaced)
        return args, kwargs

    def _changed_output(self, point: Point, output: Any) -> Any:
        for operands, change in self._changes[point]:
            first = next(tensors_in(output), None)
            if not operands and first is not None:
                output, _ = with_tensors(output, {0: _changed(first, change)})
        return output


def _changed(value: Tensor, change: Change) -> Tensor:
    return change(value) if callable(change) else change.expand_as(value).to(value)
