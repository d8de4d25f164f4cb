"""Measure what *Look inside* costs: `python benchmarks/look_inside.py [--json]`.

Three tables: recording and drawing every block of each built-in (milliseconds in the server, bytes
sent to the page), scoring the test set, and what recording gradients costs a training. All times
are medians; what is compared runs in turn in this one process.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any

import torch
from common import NETS, machine, parser, show

from explorer.charts.lanes import View, lanes
from explorer.charts.stages import stages
from explorer.charts.svg import network_svg
from explorer.data.loader import default_device, load_data
from explorer.data.mnist import MNIST
from explorer.engines.machine import prepare
from explorer.inspection.activations import record
from explorer.inspection.answers import answers
from explorer.inspection.parts import Block, blocks
from explorer.inspection.receptive import receptive_fields
from explorer.plugin.registry import discover
from explorer.settings import read_settings
from explorer.training.events import Step
from explorer.training.gradient_norms import recorded_norms
from explorer.training.loop import train
from explorer.training.recipe import preset

RUNS, ROUNDS = 15, 9
MOST_MILLISECONDS, MOST_BYTES = 200, 300_000


def main() -> None:
    """Print the tables."""
    as_json = parser(__doc__).parse_args().json
    prepare()  # as the process that inspects is
    data = load_data(MNIST, default_device(), read_settings().cache)
    results = {
        **machine(),
        "A view: one image through the network, everything kept, one block drawn": [
            view for name in discover().architectures for view in _views(name, data)
        ],
        "Scoring all 10,000 test images, in seconds": [_scoring(name, data) for name in NETS],
        "Training with gradient norms recorded every 50 steps over training without, ms a step": [
            _gradients(name, data) for name in NETS
        ],
    }
    show(results, as_json)


def _views(name: str, data: Any) -> list[dict[str, Any]]:
    model = discover()[name].build(data.spec).to(data.device).eval()
    image = data.test.normalise(data.test.images[:1])
    pixels = data.test.images[0].cpu().numpy()
    size = (data.spec.channels, data.spec.size, data.spec.size)
    fields = receptive_fields(model, size)
    recording = record(model, image)
    opened = list(blocks(recording.parts)) or stages(recording.parts)[:1]

    def bare() -> None:
        with torch.inference_mode():
            model(image)

    def draw(part: Any) -> tuple[str, str]:
        found = record(model, image)
        view = lanes(View(part, found.arrays(), fields), pixels, "layer")
        return json.dumps(view), network_svg(found.parts, data.spec, "horizontal")

    rows = []
    for part in opened:
        forward, whole = _alternate(bare, functools.partial(draw, part))
        sent = sum(len(text.encode()) for text in draw(part))
        rows.append(
            {
                "network": name,
                "block": part.name if isinstance(part, Block) else part[0].name,
                "ms": round(whole, 1),
                "bare forward, ms": round(forward, 2),
                "kB to the page": round(sent / 1000, 1),
                "within the bars": whole < MOST_MILLISECONDS and sent < MOST_BYTES,
            }
        )
    return rows


def _scoring(name: str, data: Any) -> dict[str, Any]:
    model = discover()[name].build(data.spec)
    model.to(data.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    times = [_seconds(lambda: answers(model, data.test)) for _ in range(6)][1:]
    return {"network": name, "median": round(median(times), 3), "least": round(min(times), 3)}


def _gradients(name: str, data: Any) -> dict[str, Any]:
    """Train with and without, in turn."""
    recipe = preset("fast").changed(train_size=64 * 200, epochs=1)

    def run(recording: bool) -> float:
        torch.manual_seed(0)
        model = discover()[name].build(data.spec)
        asked = recipe if recording else replace(recipe, gradients_every=None)
        events = train(model, data, asked)
        next(events)
        began = perf_counter()
        for event in events:
            if isinstance(event, Step) and event.step == 200:
                break
        return 1000 * (perf_counter() - began) / 200

    run(True)
    pairs = []
    for round in range(ROUNDS):  # each is first in every other round
        first = run(bool(round % 2))
        second = run(not round % 2)
        pairs.append((second, first) if round % 2 else (first, second))
    without, with_them = (median(times) for times in zip(*pairs, strict=True))
    model = discover()[name].build(data.spec).to(data.device)
    images, labels = next(data.train.batches(64, seed=0))
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    one = median(1000 * _seconds(lambda: recorded_norms(model)) for _ in range(50))
    return {
        "network": name,
        "without": without,
        "with": with_them,
        "ratio": median(b / a for a, b in pairs),
        "one recording, ms": one,
        "of 50 steps, %": 100 * one / (50 * without),
    }


def _alternate(*functions: Callable[[], Any]) -> list[float]:
    """Run each in turn; return the median milliseconds of each."""
    times: list[list[float]] = [[] for _ in functions]
    for run in range(RUNS + 2):
        for place, function in enumerate(functions):
            taken = 1000 * _seconds(function)
            if run >= 2:
                times[place].append(taken)
    return [median(own) for own in times]


def _seconds(function: Callable[[], Any]) -> float:
    began = perf_counter()
    function()
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return perf_counter() - began


if __name__ == "__main__":
    main()
