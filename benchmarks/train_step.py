"""Compare a training step with other ways to take it: `python benchmarks/train_step.py [--json]`.

For the tutorial's three nets and its recipe (SGD at 0.01, momentum 0.5, batch 64): the tutorial's
own way (PIL images, `ToTensor`, `Normalize`, `DataLoader`, `loss.item()` at each step) in a process
as its reader would start it, and in one set up as the explorer's; a bare loop over resident
tensors; the explorer's `train`, also in bfloat16; and Lightning and skorch where they are installed
(`pip install lightning skorch`). All take slices of steps in turn, so that other load on the
machine slows all of them; ratios are of what was measured in the same round.
"""

import contextlib
import functools
import gzip
import importlib.util
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from common import NETS, Row, aside, in_turn, machine, parser, show
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from explorer.data.loader import Data, default_device, load_data
from explorer.data.mnist import CHECKSUMS, FOLDER, MNIST
from explorer.inspection.outline import outline
from explorer.plugin.registry import discover
from explorer.settings import read_settings
from explorer.training.events import Step
from explorer.training.loop import train
from explorer.training.recipe import Recipe, preset

BATCH = 64
STEPS = 60  # of a slice
ROUNDS = 11

Slice = Callable[[], float]  # takes a slice of steps and returns the seconds of one

# In a process set up as the explorer's worker; the others are set up as their users have them.
OURS = ("script, here", "bare loop", "explorer", "in bfloat16")


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--nets", nargs="*", default=NETS, help="which architectures")
    chosen = options.parse_args()
    data = load_data(MNIST, default_device(), read_settings().cache)
    peak = _peak(data.device)
    with tempfile.TemporaryDirectory() as folder:
        unpack(Path(folder))
        rows = [row for net in chosen.nets for row in _compare(net, data, Path(folder), peak)]
    results = {**machine(), "peak, GFLOP/s": round(peak / 1e9), "A training step, batch 64": rows}
    show(results, chosen.json)


def _compare(net: str, data: Data, folder: Path, peak: float) -> Iterator[Row]:
    parts = outline(discover()[net].build(data.spec), data.spec).parts
    # Forward once, backward twice as much; two operations a multiply-add.
    work = 2 * 3 * BATCH * sum(part.macs for part in parts)
    others = [way for way in ("lightning", "skorch") if importlib.util.find_spec(way)]
    with contextlib.ExitStack() as stack:
        ways: dict[str, Slice] = {}
        for names in (["script"], list(OURS), *([way] for way in others)):
            ours = names == list(OURS)
            ask = stack.enter_context(aside(_slices, net, names, folder, prepared=ours))
            ways.update({name: functools.partial(ask, name) for name in names})
        times = in_turn(ways, ROUNDS)

    def ratio(one: str, other: str) -> float:
        return median(a / b for a, b in zip(times[one], times[other], strict=True))

    def row(way: str, seconds: float, of_script: float, of_bare: float) -> Row:
        return {
            "net": net,
            "way": way,
            "ms/step": 1000 * seconds,
            "× the script": of_script,
            "of the bare loop": of_bare,
            "of the peak, %": 100 * work / seconds / peak,
        }

    for way, own in times.items():
        yield row(way, median(own), ratio("script", way), ratio(way, "bare loop"))
    if data.device.type == "cuda":
        busy = _kernels(net, data)
        script, bare = median(times["script"]), median(times["bare loop"])
        yield row("kernels' own time", busy, script / busy, busy / bare)


def _slices(net: str, ways: Sequence[str], folder: Path) -> dict[str, Slice]:
    device = default_device()
    data = load_data(MNIST, device, read_settings().cache)
    architecture = discover()[net]

    def build() -> nn.Module:
        torch.manual_seed(0)
        return architecture.build(data.spec)

    tutorial = preset("tutorial")
    makers: dict[str, Callable[[], Slice]] = {
        "script": lambda: _script(build(), folder, device),
        "script, here": lambda: _script(build(), folder, device),
        "bare loop": lambda: _bare(build(), data),
        "explorer": lambda: _explorer(build(), data, tutorial),
        "in bfloat16": lambda: _explorer(build(), data, replace(tutorial, precision="bfloat16")),
        "lightning": lambda: _lightning(build, folder),
        "skorch": lambda: _skorch(build, folder, device),
    }
    return {way: makers[way]() for way in ways}


def _steps(loop: Iterator[None], device: torch.device) -> Slice:
    def take() -> float:
        began = perf_counter()
        for _ in range(STEPS):
            next(loop)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        return (perf_counter() - began) / STEPS

    return take


def _script(model: nn.Module, folder: Path, device: torch.device) -> Slice:
    return _steps(script_loop(model, folder, device), device)


def script_loop(model: nn.Module, folder: Path, device: torch.device) -> Iterator[None]:
    """Train as the tutorial's script does, step by step, without end."""
    loader = DataLoader(mnist(folder), batch_size=BATCH, shuffle=True)
    model.to(device).train()
    optimiser = optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    criterion = nn.CrossEntropyLoss()
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


def _bare(model: nn.Module, data: Data) -> Slice:
    """Train with the least code: resident images, channels last, a fused update, no record."""
    return _steps(_bare_loop(model, data), data.device)


def _bare_loop(model: nn.Module, data: Data) -> Iterator[None]:
    model.to(data.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    optimiser = optim.SGD(model.parameters(), lr=0.01, momentum=0.5, fused=True)
    seed = 0
    while True:
        for inputs, labels in data.train.batches(BATCH, seed=seed):
            optimiser.zero_grad()
            F.cross_entropy(model(inputs), labels).backward()
            optimiser.step()
            yield
        seed += 1


def _explorer(model: nn.Module, data: Data, recipe: Recipe) -> Slice:
    """Train as the worker does, with all events; scoring the test set is left out of the slices."""
    events = train(model, data, replace(recipe, epochs=1000))

    def take() -> float:
        start = next(event.step for event in events if isinstance(event, Step))
        began = perf_counter()
        for event in events:
            if isinstance(event, Step):
                if event.step < start or event.step % (60_000 // BATCH) < STEPS:
                    start, began = event.step, perf_counter()  # an epoch was scored in between
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

    loader = DataLoader(mnist(folder), batch_size=BATCH, shuffle=True)

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

    images = torch.utils.data.Subset(mnist(folder), range((STEPS + 5) * BATCH))

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


def _kernels(net: str, data: Data) -> float:
    """Return how long the GPU itself is busy in a step of the bare loop, in seconds."""
    loop = _bare_loop(discover()[net].build(data.spec), data)
    for _ in range(STEPS):
        next(loop)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(STEPS):
            next(loop)
        torch.accelerator.synchronize(data.device)
    busy: float = sum(event.self_device_time_total for event in profile.key_averages())  # in µs
    return busy / 1e6 / STEPS


def mnist(folder: Path, train: bool = True) -> datasets.MNIST:
    """Open MNIST as the tutorial does."""
    normalise = transforms.Normalize((0.1307,), (0.3081,))
    whole = transforms.Compose([transforms.ToTensor(), normalise])
    return datasets.MNIST(folder, train=train, transform=whole)


def unpack(folder: Path) -> None:
    """Put MNIST's files where torchvision looks for them."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in CHECKSUMS:
        with gzip.open(FOLDER / f"{name}.gz") as packed, open(raw / name, "wb") as file:
            shutil.copyfileobj(packed, file)


def _peak(device: torch.device) -> float:
    """Return the operations a second of a convolution that fills the machine."""
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
