"""A training step against other ways to take it: `python benchmarks/train_step.py [--json]`.

For the tutorial's three nets and its recipe (SGD at 0.01, momentum 0.5, batch 64): the tutorial's
own way (PIL images, `ToTensor`, `Normalize`, `DataLoader`, `loss.item()` at each step), a bare loop
over resident tensors, the explorer's `train`, and Lightning and skorch where they are installed
(`pip install lightning skorch`). All take slices of steps in turn, in this one process, so that
what the machine does beside is shared; ratios are of the medians.
"""

import argparse
import contextlib
import gzip
import importlib.util
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from explorer.data.decoded import CHECKSUMS, MNIST
from explorer.data.resident import Data, default_device, resident
from explorer.events import Step
from explorer.inspection.outline import outline
from explorer.recipe import preset
from explorer.registry import discover
from explorer.settings import read_settings
from explorer.training import train

NETS = ("plain", "residual", "inception")
BATCH = 64
STEPS = 60  # of a slice
ROUNDS = 9

Slice = Callable[[], float]  # takes a slice of steps, and tells how many seconds each took


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--nets", nargs="*", default=NETS, help="which architectures")
    options = parser.parse_args()
    data = resident("mnist", default_device(), read_settings().cache)
    peak = _peak(data.device)
    with tempfile.TemporaryDirectory() as folder:
        _unpack(Path(folder))
        rows = [row for net in options.nets for row in _compare(net, data, Path(folder), peak)]
    results = {
        "torch": torch.__version__,
        "device": str(data.device),
        "threads": torch.get_num_threads(),
        "peak, GFLOP/s": round(peak / 1e9),
        "steps": rows,
    }
    if options.json:
        print(json.dumps(results, indent=2))
        return
    print(
        f"torch {results['torch']} on {results['device']}, {results['threads']} threads, peak "
        f"{results['peak, GFLOP/s']} GFLOP/s (float32, by a convolution)\n"
    )
    print("net          way             ms/step    the script's    the bare's   of peak")
    for row in rows:
        print(
            f"{row['net']:12} {row['way']:14} {row['ms']:8.2f} {row['speed-up']:13.2f}× "
            f"{row['of the bare loop']:11.3f}× {100 * row['share of peak']:5.1f}%"
        )


def _compare(net: str, data: Data, folder: Path, peak: float) -> Iterator[dict[str, Any]]:
    architecture = discover()[net]
    parts = outline(architecture.build(data.spec), data.spec)
    # Forward once, backward twice as much; two operations a multiply-add.
    work = 2 * 3 * BATCH * sum(part.macs for part in parts)
    build = lambda: architecture.build(data.spec)  # noqa: E731
    ways: dict[str, Slice] = {
        "script": _script(build(), folder, data.device),
        "bare loop": _bare(build(), data),
        "explorer": _explorer(build(), data),
    }
    if importlib.util.find_spec("lightning"):
        ways["lightning"] = _lightning(build, folder)
    if importlib.util.find_spec("skorch"):
        ways["skorch"] = _skorch(build, folder, data.device)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for round in range(ROUNDS + 1):
        for way, take in ways.items():
            taken = take()
            if round:  # the first one warms up
                times[way].append(taken)
    middle = {way: median(own) for way, own in times.items()}
    for way, seconds in middle.items():
        yield {
            "net": net,
            "way": way,
            "ms": 1000 * seconds,
            "speed-up": middle["script"] / seconds,
            "of the bare loop": median(
                own / bare for own, bare in zip(times[way], times["bare loop"], strict=True)
            ),
            "share of peak": work / seconds / peak,
        }


def _steps(loop: Iterator[None]) -> Slice:
    def take() -> float:
        began = perf_counter()
        for _ in range(STEPS):
            next(loop)
        return (perf_counter() - began) / STEPS

    return take


def _script(model: nn.Module, folder: Path, device: torch.device) -> Slice:
    """As the tutorial's script does it."""
    loader = DataLoader(_dataset(folder), batch_size=BATCH, shuffle=True)
    model.to(device)
    optimiser = optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    criterion = nn.CrossEntropyLoss()

    def loop() -> Iterator[None]:
        running = 0.0
        while True:
            for inputs, labels in loader:
                inputs, labels = inputs.to(device), labels.to(device)
                optimiser.zero_grad()
                loss = criterion(model(inputs), labels)
                loss.backward()
                optimiser.step()
                running += loss.item()
                yield

    return _steps(loop())


def _bare(model: nn.Module, data: Data) -> Slice:
    """The least that trains: resident images, channels last, nothing recorded."""
    model.to(data.device, memory_format=torch.channels_last).train()
    optimiser = optim.SGD(model.parameters(), lr=0.01, momentum=0.5)

    def loop() -> Iterator[None]:
        seed = 0
        while True:
            for inputs, labels in data.train.batches(BATCH, seed=seed):
                optimiser.zero_grad()
                F.cross_entropy(model(inputs), labels).backward()
                optimiser.step()
                yield
            seed += 1

    return _steps(loop())


def _explorer(model: nn.Module, data: Data) -> Slice:
    """As the worker does it, events and all, the test set left out of the slices."""
    events = train(model, data, replace(preset("tutorial"), epochs=1000))

    def take() -> float:
        start = next(event.step for event in events if isinstance(event, Step))
        began = perf_counter()
        for event in events:
            if isinstance(event, Step):
                if event.step < start or event.step % (60_000 // BATCH) < STEPS:
                    start, began = event.step, perf_counter()  # an epoch was scored meanwhile
                elif event.step >= start + STEPS:
                    return (perf_counter() - began) / (event.step - start)
        raise AssertionError("training ended")

    return take


def _lightning(build: Callable[[], nn.Module], folder: Path) -> Slice:
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = build()
            self.times: list[float] = []

        def training_step(self, batch: Any, _: int) -> Any:
            self.times.append(perf_counter())
            return F.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return optim.SGD(self.parameters(), lr=0.01, momentum=0.5)

    loader = DataLoader(_dataset(folder), batch_size=BATCH, shuffle=True)

    def take() -> float:
        module = Module()
        with warnings.catch_warnings(), contextlib.redirect_stdout(None):
            warnings.simplefilter("ignore")
            lightning.Trainer(
                max_steps=STEPS + 5,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            ).fit(module, loader)
        return (module.times[-1] - module.times[4]) / (len(module.times) - 5)

    return take


def _skorch(build: Callable[[], nn.Module], folder: Path, device: torch.device) -> Slice:
    import skorch

    class Clock(skorch.callbacks.Callback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_batch_end(self, _: Any, **__: Any) -> None:
            self.times.append(perf_counter())

    images = torch.utils.data.Subset(_dataset(folder), range((STEPS + 5) * BATCH))

    def take() -> float:
        clock = Clock()
        net = skorch.NeuralNet(
            build(),
            criterion=nn.CrossEntropyLoss,
            optimizer=optim.SGD,
            lr=0.01,
            optimizer__momentum=0.5,
            batch_size=BATCH,
            iterator_train__shuffle=True,
            max_epochs=1,
            train_split=None,
            callbacks=[clock],
            verbose=0,
            device=str(device),
        )
        net.fit(images)
        return (clock.times[-1] - clock.times[4]) / (len(clock.times) - 5)

    return take


def _dataset(folder: Path) -> datasets.MNIST:
    normalise = transforms.Normalize((0.1307,), (0.3081,))
    return datasets.MNIST(folder, transform=transforms.Compose([transforms.ToTensor(), normalise]))


def _unpack(folder: Path) -> None:
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in CHECKSUMS:
        with gzip.open(MNIST / f"{name}.gz") as packed, open(raw / name, "wb") as file:
            shutil.copyfileobj(packed, file)


def _peak(device: torch.device) -> float:
    """Operations a second of a convolution that fills the machine."""
    layer = nn.Conv2d(128, 128, 3, padding=1, bias=False).to(device)
    layer.to(memory_format=torch.channels_last)
    images = torch.randn(32, 128, 32, 32, device=device).to(memory_format=torch.channels_last)
    best = 0.0
    with torch.inference_mode():
        for _ in range(12):
            began = perf_counter()
            layer(images)
            if device.type != "cpu":
                torch.accelerator.synchronize(device)
            best = max(best, 2 * 128 * 128 * 9 * 32 * 32 * 32 / (perf_counter() - began))
    return best


if __name__ == "__main__":
    main()
