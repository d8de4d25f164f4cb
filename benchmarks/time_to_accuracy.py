"""Measure the time to the tutorial's accuracy: `python benchmarks/time_to_accuracy.py [--json]`.

For each of the tutorial's three nets: the tutorial's script trains for an epoch and scores the test
images, the explorer trains by its `fast` recipe, in turn, for five seeds. The recipe and its number
of epochs were chosen before, on a part of the training images (`choose_recipe.py`). The accuracy to
reach is that of ten epochs of the tutorial's recipe, the mean of three seeds; `--reference 3`
measures it again.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any, get_args

import torch
from common import NETS, Row, aside, machine, parser, show
from torch import nn
from torch.utils.data import DataLoader
from train_step import BATCH, mnist, script_loop, unpack

from explorer.data.loader import default_device, load_data
from explorer.data.mnist import MNIST
from explorer.plugin.registry import discover
from explorer.settings import read_settings
from explorer.training.events import Epoch
from explorer.training.loop import train
from explorer.training.recipe import Precision, preset

REFERENCE = {"plain": 98.70, "residual": 99.07, "inception": 98.78}
TUTORIAL_EPOCHS = 10
SEEDS = 5


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--nets", nargs="*", default=NETS, help="which architectures")
    options.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each")
    precisions = get_args(Precision)
    options.add_argument("--precision", choices=precisions, default="float32", help="of factors")
    options.add_argument("--reference", type=int, metavar="SEEDS", help="measure it again")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        unpack(Path(folder))
        with aside(_explorer, chosen.precision, prepared=True) as train_ours:
            rows = [
                _compare(net, train_ours, Path(folder), chosen.seeds, chosen.reference)
                for net in chosen.nets
            ]
    show({**machine(), f"Test accuracy by the fast recipe, {chosen.precision}": rows}, chosen.json)


def _compare(
    net: str, ask: Callable[..., Any], folder: Path, seeds: int, reference: int | None
) -> Row:
    wanted = REFERENCE[net]
    if reference:
        wanted = mean(ask("train", net, "tutorial", seed)[0] for seed in range(reference))
    script_seconds, runs = [], []
    with aside(_script, net, folder, prepared=False) as script:
        for seed in range(seeds):
            script_seconds.append(script("epoch"))
            runs.append(ask("train", net, "fast", seed))
    accuracies, seconds = zip(*runs, strict=True)
    return {
        "net": net,
        "to reach, %": round(wanted, 2),
        "reached, %": round(mean(accuracies), 2),
        "±": round(stdev(accuracies), 2) if seeds > 1 else 0.0,
        "seeds that reached it": f"{sum(a >= wanted for a in accuracies)} of {seeds}",
        "epochs": preset("fast").epochs,
        "seconds": mean(seconds),
        "script, 10 epochs": TUTORIAL_EPOCHS * mean(script_seconds),
        "× sooner": mean(
            TUTORIAL_EPOCHS * script / own
            for script, own in zip(script_seconds, seconds, strict=True)
        ),
    }


def _explorer(precision: Precision) -> dict[str, Callable[..., Any]]:
    data = load_data(MNIST, default_device(), read_settings().cache)

    def ours(net: str, recipe: str, seed: int) -> tuple[float, float]:
        """Train; return the last test accuracy in percent, and the seconds it took."""
        torch.manual_seed(seed)
        model = discover()[net].build(data.spec)
        chosen = preset(recipe).changed(seed=seed, precision=precision)
        events = train(model, data, chosen)
        epochs = [event for event in events if isinstance(event, Epoch)]
        return 100 * epochs[-1].test_accuracy, sum(epoch.seconds for epoch in epochs)

    return {"train": ours}


def _script(net: str, folder: Path) -> dict[str, Callable[[], float]]:
    device = default_device()
    model = discover()[net].build(MNIST.images)
    steps = script_loop(model, folder, device)
    tests = DataLoader(mnist(folder, train=False), batch_size=BATCH)
    number = -(-60_000 // BATCH)

    def epoch() -> float:
        """Train an epoch and score it; return the seconds it took."""
        began = perf_counter()
        model.train()
        for _ in range(number):
            next(steps)
        _score(model, tests, device)
        return perf_counter() - began

    return {"epoch": epoch}


@torch.no_grad()
def _score(model: nn.Module, tests: DataLoader[object], device: torch.device) -> float:
    model.eval()
    correct = total = 0
    for inputs, labels in tests:
        inputs, labels = inputs.to(device), labels.to(device)
        correct += (model(inputs).argmax(dim=1) == labels).sum().item()
        total += len(labels)
    return correct / total


if __name__ == "__main__":
    main()
