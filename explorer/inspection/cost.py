"""Measures the milliseconds that every layer, branch and block takes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from explorer.inspection.parts import Node, Part, Point, blocks, branches, nodes
from explorer.inspection.watching import Watch, run
from explorer.modes import evaluating

RUNS = 9


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
