"""Ablation: run a network with some of its parts switched off.

A branch that is off gives zeros. So a sum x + F(x) without its skip is F(x), without its residual
it is x; a concatenation without a branch keeps its shape, with zeros in the channels of that
branch. Of a product, a branch that is off gives ones. In place of that, a branch can give its mean
over many images, which leaves what follows closer to what it is used to: then what is lost is what
the branch says of this image.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from explorer.data.loader import Split, evaluation_batch
from explorer.errors import ExplorerError
from explorer.inspection.intervene import Change, Target, intervening
from explorer.inspection.parts import Branch, Graph, branches, when_off
from explorer.inspection.tracing import Trace
from explorer.language import say
from explorer.modes import evaluating
from explorer.text import suggest

Means: TypeAlias = Mapping[Target, Tensor]

_CHANNEL = re.compile(r"(?P<name>.*):(?P<channel>\d+)")


class AblationError(ExplorerError, ValueError):
    """Nothing of that name can be switched off; the message says what can."""


@contextmanager
def ablated(
    model: nn.Module, seen: Trace[Any], off: Collection[str], means: Means | None = None
) -> Iterator[None]:
    """Switch some parts of `model` off until the `with` block is left.

    Args:
        model: Whoever else runs it within the block runs the changed network.
        seen: What was seen of it.
        off: Branches by their path, such as `block2.skip`, and single channels of any layer, branch
            or block by name and number, such as `conv1:3`.
        means: What the branches give in place of zeros, as `mean_outputs` returns it.

    Raises:
        AblationError: One of them is no branch, no part, or no channel of it.
        InterventionError: A run does not pass one of them.
    """
    with intervening(model, switched_off(seen, off, means)):
        yield


def switched_off(
    seen: Trace[Any], off: Collection[str], means: Means | None = None
) -> Mapping[Target, Change]:
    """Return the changes that switch branches and channels off; the arguments are `ablated`'s.

    Raises:
        AblationError: One of them is no branch, no part, or no channel of it.
    """
    known, outputs = branches(seen.parts), places(seen)
    changes: dict[Target, Change] = {}
    channels: dict[str, list[int]] = {}
    for name in off:
        if name in known:
            block, branch = known[name]
            for target in targets(seen.graph, branch):
                absent = torch.ones_like if when_off(block.kind) == "ones" else torch.zeros_like
                changes[target] = means[target] if means else absent
        elif (match := _CHANNEL.fullmatch(name)) and match["name"] in outputs:
            channels.setdefault(match["name"], []).append(int(match["channel"]))
        else:
            names = list(known) or [f"{name}:0" for name in outputs]
            raise AblationError(
                say("There is no branch {name!r}; {meant}", name=name, meant=suggest(name, names))
            )
    for name, numbers in channels.items():
        target, shape = outputs[name]
        _refuse_unknown(name, max(numbers), shape)
        # After what switches the whole branch off, if that is asked for too.
        changes.setdefault(target, _without(numbers, shape))
    return changes


def channels_of(shape: tuple[int, ...]) -> int:
    """Return how many channels of an output of this shape can be switched off."""
    return shape[0] if len(shape) in (1, 3) else 0


def _refuse_unknown(name: str, channel: int, shape: tuple[int, ...]) -> None:
    count = channels_of(shape)
    if not count:
        raise AblationError(say("{name} gives no channels to switch off.", name=name))
    if channel >= count:
        raise AblationError(
            say(
                "{name} has {count} channels, 0 to {last}, so there is no channel {channel}.",
                name=name,
                count=count,
                last=count - 1,
                channel=channel,
            )
        )


def mean_outputs(model: nn.Module, seen: Trace[Any], split: Split) -> Means:
    """Return what each branch gives to its merge on average over the images of `split`.

    Args:
        model: Unchanged afterwards.
        seen: What was seen of it.
        split: The images.

    Returns:
        Tensors `(1, …)` by target.

    Raises:
        AblationError: A branch gives something that is not for one image each.
        InterventionError: An image does not pass a branch.
    """
    sums: dict[Target, Tensor] = {}

    def summing(target: Target) -> Callable[[Tensor], Tensor]:
        def add(value: Tensor) -> Tensor:
            if len(value) != count:
                raise AblationError(
                    say("{name} mixes images, so it has no mean.", name=target.point.name)
                )
            total = value.sum(0, dtype=torch.float64 if value.device.type == "cpu" else None)
            sums[target] = sums[target] + total if target in sums else total
            return value

        return add

    ways = [branch for _, branch in branches(seen.parts).values()]
    found = [target for branch in ways for target in targets(seen.graph, branch)]
    with evaluating(model), torch.no_grad(), intervening(model, {t: summing(t) for t in found}):
        for images, _ in split.batches(evaluation_batch(split.device)):
            count = len(images)
            model(images)
    return {target: (total / len(split))[None] for target, total in sums.items()}


def targets(graph: Graph, branch: Branch) -> list[Target]:
    """Return where a branch meets its merge, and later ones that are drawn as going on from it."""
    return [
        Target(graph[number].point, (operand,))
        for number, operand in (*branch.operands, *branch.echoes)
    ]


def places(seen: Trace[Any]) -> dict[str, tuple[Target, tuple[int, ...]]]:
    """Return each part and branch by name: where its output is, and its shape for one image."""
    found: dict[str, tuple[Target, tuple[int, ...]]] = {}
    for branch_path, (_, branch) in branches(seen.parts).items():
        if len(branch.operands) == 1:
            found[branch_path] = (targets(seen.graph, branch)[0], branch.shape)
    found |= {name: (Target(node.point), node.shape) for name, node in seen.named.items()}
    return found


def _without(channels: Collection[int], shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """Return a function that replaces some channels of a tensor `(N, *shape)` by zeros."""

    def change(value: Tensor) -> Tensor:
        _, *sides = value.shape
        kept = torch.ones(shape[0], dtype=value.dtype, device=value.device)
        kept[list(channels)] = 0
        if tuple(sides) == shape:
            return value * kept.view(-1, *[1] * (value.ndim - 2))
        if sides and (sides[-1], *sides[:-1]) == shape:  # the channels are last
            return value * kept
        raise AblationError(say("Its channels cannot be switched off: the images are not first."))

    return change
