"""Cost: parameters, multiply-adds and milliseconds of every layer, branch and block."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

import torch
from torch import Tensor, nn

from explorer.inspection.parts import Block, Node, Part, Point, blocks, branches, nodes
from explorer.inspection.watching import Watch, run
from explorer.modes import evaluating

RUNS = 9


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one part of a network.

    Attributes:
        name: The part's name.
        kind: Whether it is a layer (or an operation between layers), a branch or a block.
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


def costs(
    parts: Sequence[Part],
    milliseconds: Mapping[str, float] | None = None,
    unused: Sequence[Node] = (),
) -> list[Cost]:
    """Return the cost of each part, each block before its branches, each branch before its layers.

    Args:
        parts: The parts of a network, in running order.
        milliseconds: Those of each part by name, as `measure` returns them.
        unused: What is computed and does not reach the answer; it comes last.
    """
    times = milliseconds or {}
    wasted = [_row(node, times, 0, f"{node.text}, never used") for node in unused]
    return [*_rows(parts, times, 0), *wasted]


def _rows(parts: Sequence[Part], times: Mapping[str, float], depth: int) -> Iterable[Cost]:
    for part in parts:
        if not isinstance(part, Block):
            yield _row(part, times, depth, part.text)
            continue
        words = f"{part.kind} of {len(part.branches)}"
        time = times.get(part.name)
        yield Cost(part.name, "block", depth, words, part.parameters, part.macs, time)
        for branch in part.branches.values():
            inside = branch.parts
            words = ", ".join(p.name if isinstance(p, Block) else p.text for p in inside)
            time = times.get(branch.path)
            yield Cost(
                branch.path, "branch", depth + 1, words, branch.parameters, branch.macs, time
            )
            # A branch of one layer is that layer.
            if [part.name for part in inside if isinstance(part, Node)] != [branch.path]:
                yield from _rows(inside, times, depth + 2)


def _row(node: Node, times: Mapping[str, float], depth: int, text: str) -> Cost:
    time = times.get(node.name)
    return Cost(node.name, "layer", depth, text, node.parameters, node.macs, time)


def measure(model: nn.Module, images: Tensor, parts: Sequence[Part]) -> Mapping[str, float]:
    """Measure the milliseconds that each part takes for `images`, by name.

    The minimum of several forward passes in evaluation mode, since other work of the machine can
    only make one slower. A block or a branch takes as long as its layers and operations together.

    Args:
        model: Unchanged afterwards.
        images: `(N, C, H, W)`, normalised, on the model's device.
        parts: What the network is made of.
    """
    timer = _Timer(model, images.device)
    with evaluating(model), torch.random.fork_rng(devices=[]), torch.no_grad():
        model(images)
        with timer.watching():
            for _ in range(RUNS):
                model(images)
    taken = {point.name: min(times) for point, times in timer.taken.items()}

    def together(found: Iterable[Node]) -> float:
        return sum(taken.get(node.name, 0.0) for node in found)

    inside = {block.name: together(nodes([block])) for block in blocks(parts)}
    ways = {path: together(nodes(branch.parts)) for path, (_, branch) in branches(parts).items()}
    return taken | inside | ways


class _Timer(Watch):
    """Takes the time of each layer and each operation."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        super().__init__(model)
        self.taken: dict[Point, list[float]] = defaultdict(list)
        self._device = device
        self._began = 0.0

    def operation(self, point: Point, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        began = self._now()
        output = run(func, args, kwargs)
        self.taken[point].append(1000 * (self._now() - began))
        return output

    def before_layer(self, point: Point, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._began = self._now()

    def after_layer(
        self, point: Point, module: nn.Module, args: Any, kwargs: Any, output: Any
    ) -> None:
        self.taken[point].append(1000 * (self._now() - self._began))

    def _now(self) -> float:
        if self._device.type != "cpu":
            torch.accelerator.synchronize(self._device)
        return perf_counter()
