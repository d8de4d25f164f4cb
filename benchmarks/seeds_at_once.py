"""Train several seeds together or one after the other: `python benchmarks/seeds_at_once.py`.

Four seeds of a net take the tutorial's steps: one after the other with all threads, two at a time
with half of the threads each (`EXPLORER_WORKERS=2` does so), and all four in one vectorised step
(`torch.func`: their parameters stacked, each convolution a grouped one). They take turns, round by
round; compared is the time of one step of one seed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from common import NETS, Row, aside, in_turn, machine, parser, show
from torch import Tensor, nn, optim
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from explorer.data.loader import Data, default_device, load_data
from explorer.data.mnist import MNIST
from explorer.plugin.registry import discover
from explorer.settings import read_settings

SEEDS, STEPS, ROUNDS, BATCH = 4, 20, 9, 64


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--nets", nargs="*", default=NETS, help="which architectures")
    chosen = options.parse_args()
    rows = [row for net in chosen.nets for row in _compare(net)]
    show({**machine(), f"{SEEDS} seeds, ms a step and seed": rows}, chosen.json)


def _compare(net: str) -> list[Row]:
    half = max(1, torch.get_num_threads() // 2)
    with (
        aside(_ways, net, torch.get_num_threads(), prepared=True) as whole,
        aside(_ways, net, half, prepared=True) as one,
        aside(_ways, net, half, prepared=True) as other,
        ThreadPoolExecutor(2) as both,
    ):

        def side_by_side() -> float:
            times: list[float] = list(both.map(lambda ask: ask("alone"), (one, other)))
            return max(times) / 2  # two seeds took a step in this time

        ways: dict[str, Callable[[], float]] = {
            "one after the other": lambda: whole("alone"),
            "two side by side": side_by_side,
            "in one vectorised step": lambda: whole("stacked"),
        }
        times = in_turn(ways, ROUNDS)
    first = times["one after the other"]
    return [
        {
            "net": net,
            "way": way,
            "ms": 1000 * median(own),
            "× one after the other": median(a / b for a, b in zip(first, own, strict=True)),
        }
        for way, own in times.items()
    ]


def _ways(net: str, threads: int) -> dict[str, Callable[[], float]]:
    torch.set_num_threads(threads)
    data = load_data(MNIST, default_device(), read_settings().cache)
    models, architecture = [], discover()[net]
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        model = architecture.build(data.spec)
        model.to(data.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        models.append(model.train())
    alone, stacked = _alone(models[0], data), _stacked(models, data)
    return {"alone": lambda: _seconds(alone, data), "stacked": lambda: _seconds(stacked, data)}


def _alone(model: nn.Module, data: Data) -> Callable[[], int]:
    optimiser = optim.SGD(model.parameters(), lr=0.01, momentum=0.5, fused=True)

    def step() -> int:
        inputs, labels = data.train.gather(torch.randint(60_000, (BATCH,), device=data.device))
        optimiser.zero_grad()
        F.cross_entropy(model(inputs), labels).backward()
        optimiser.step()
        return 1

    return step


def _stacked(models: list[nn.Module], data: Data) -> Callable[[], int]:
    weights, buffers = stack_module_state(models)
    momenta = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    shape = models[0]

    def loss(weights: Any, buffers: Any, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(shape, (weights, buffers), (inputs,)), labels)

    gradients = vmap(grad_and_value(loss), randomness="different")

    def step() -> int:
        chosen = torch.randint(60_000, (SEEDS * BATCH,), device=data.device)
        inputs, labels = data.train.gather(chosen)
        found, _ = gradients(
            weights, buffers, inputs.unflatten(0, (SEEDS, BATCH)), labels.view(SEEDS, BATCH)
        )
        with torch.no_grad():
            for name, weight in weights.items():
                weight -= 0.01 * momenta[name].mul_(0.5).add_(found[name])
        return SEEDS

    return step


def _seconds(step: Callable[[], int], data: Data) -> float:
    began = perf_counter()
    seeds = sum(step() for _ in range(STEPS))
    if data.device.type != "cpu":
        torch.accelerator.synchronize(data.device)
    return (perf_counter() - began) / seeds


if __name__ == "__main__":
    main()
