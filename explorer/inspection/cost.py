"""Cost: parameters, multiply-adds and milliseconds of every layer, branch and block."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

import torch
from torch import Tensor, nn

from explorer.inspection.parts import Block, Layer, Part, run_name
from explorer.inspection.tracing import evaluating, watched

RUNS = 9


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one part of a network.

    Attributes:
        name: The part's name.
        kind: Whether it is a layer, a branch or a block.
        depth: How many blocks and branches it is nested in.
        text: What it is, in a few words.
        parameters: How many trainable parameters it has.
        macs: Multiply-adds for one image.
        milliseconds: Of a forward pass of the measured batch; `None` if none was measured.
    """

    name: str
    kind: Literal["layer", "branch", "block"]
    depth: int
    text: str
    parameters: int
    macs: int
    milliseconds: float | None


def costs(parts: Sequence[Part], milliseconds: Mapping[str, float] | None = None) -> list[Cost]:
    """Return the cost of each part, each block before its branches, each branch before its layers.

    Args:
        parts: The parts of a network, in running order.
        milliseconds: Those of each part by name, as `measure` returns them.
    """
    return list(_rows(parts, milliseconds or {}, 0))


def _rows(parts: Sequence[Part], times: Mapping[str, float], depth: int) -> Iterable[Cost]:
    for part in parts:
        time = times.get(part.name)
        if not isinstance(part, Block):
            yield Cost(part.name, "layer", depth, part.text, part.parameters, part.macs, time)
            continue
        words = f"{part.merge} of {len(part.branches)}"
        yield Cost(part.name, "block", depth, words, part.parameters, part.macs, time)
        for branch, inside in part.branches.items():
            name = part.branch_name(branch)
            yield Cost(
                name,
                "branch",
                depth + 1,
                ", ".join(p.name if isinstance(p, Block) else p.text for p in inside),
                sum(inner.parameters for inner in inside),
                sum(inner.macs for inner in inside),
                times.get(name),
            )
            # A branch of one layer is that layer.
            if [part.name for part in inside if isinstance(part, Layer)] != [name]:
                yield from _rows(inside, times, depth + 2)


def measure(model: nn.Module, images: Tensor) -> Mapping[str, float]:
    """Measure the milliseconds that each module takes for `images`, by name.

    The minimum of several forward passes in evaluation mode, since other work of the machine can
    only make one slower.

    Args:
        model: Unchanged afterwards.
        images: `(N, C, H, W)`, normalised, on the model's device.
    """
    taken: dict[str, list[float]] = defaultdict(list)
    running: list[tuple[str, float]] = []
    calls: Counter[str] = Counter()

    def now() -> float:
        if images.device.type != "cpu":
            torch.accelerator.synchronize(images.device)
        return perf_counter()

    def begin(path: str, _: nn.Module, __: Any) -> None:
        calls[path] += 1
        running.append((run_name(path, calls[path]), now()))

    def end(_: str, __: nn.Module, ___: Any) -> None:
        name, began = running.pop()
        taken[name].append(1000 * (now() - began))

    with evaluating(model), torch.random.fork_rng(devices=[]), torch.no_grad():
        model(images)
        with watched(model, begin, end):
            for _ in range(RUNS):
                calls.clear()
                model(images)
    return {name: min(times) for name, times in taken.items()}
