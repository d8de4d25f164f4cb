"""Why 1×1: the parts of the lesson about cost."""

import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from explorer.data.mnist import MNIST
from explorer.engines.bench import Bench
from explorer.inspection.parts import Node, nodes
from explorer.inspection.session import Session
from explorer.labs.cost import Design, Layer, behind_1x1, break_even, direct, macs, parameters
from explorer.labs.seeds import bar, by_seed, fields
from explorer.language import later, say
from explorer.lessons import (
    Area,
    Areas,
    Axis,
    Bars,
    Grid,
    Grids,
    Lesson,
    Line,
    Lines,
    Part,
    Shown,
    Source,
    Table,
    Trained,
)
from explorer.plugin.options import Range
from explorer.statistics.differences import difference
from explorer.statistics.verdicts import verdicts
from explorer.text import significant

HERE = Path(__file__).parent
RECORDS = HERE / "recorded" / "reductions.sqlite"
RESOLUTION = 1 / 10_000
ROUNDS = 7  # of a measurement of time, of which the median is shown
Size = Annotated[int, Range(7, 56, step=7), later("Height and width of the maps")]
Channels = Annotated[int, Range(16, 512, step=16), later("Channels of the input")]
Reduced = Annotated[int, Range(4, 512, step=4), later("Channels after the 1×1")]
Kernel = Annotated[int, Range(3, 7, step=2), later("Height and width of the window")]
Filters = Annotated[int, Range(8, 256, step=8), later("Filters, the channels of the output")]


def cheaper(
    bench: Bench,
    *,
    size: Size = 28,
    channels: Channels = 192,
    reduced: Reduced = 16,
    kernel: Kernel = 5,
    filters: Filters = 32,
) -> Shown:
    """Compare a convolution with the same one behind a 1×1 that reduces its channels."""
    design = Design(size, channels, kernel, filters, reduced)
    plain, behind = direct(design), behind_1x1(design)
    times = {"plain": _milliseconds(plain), "behind": _milliseconds(behind)}
    ratio = macs(plain) / macs(behind)
    window = f"{kernel}×{kernel}"
    role = window.replace("×", "x")
    return Shown(
        {
            "direct": f"{macs(plain):,}",
            "first": f"{behind[0].macs:,}",
            "second": f"{behind[1].macs:,}",
            "behind": f"{macs(behind):,}",
            "ratio": _ratio(ratio),
            "direct_ms": say("{time:.2f} ms", time=times["plain"]),
            "behind_ms": say("{time:.2f} ms", time=times["behind"]),
            "time_ratio": _ratio(times["plain"] / times["behind"]),
            "direct_parameters": f"{parameters(plain):,}",
            "behind_parameters": f"{parameters(behind):,}",
            "input": f"{size}×{size}×{channels}",
            "window": window,
            "filters": str(filters),
            "reduced": str(reduced),
        },
        Areas(
            say(
                "Multiply-adds of {filters} filters of {window} on {size}×{size}×{channels}, alone "
                "and behind a 1×1 to {reduced} channels: {alone:,} against {behind:,}. Areas are "
                "to scale.",
                filters=filters,
                window=window,
                size=size,
                channels=channels,
                reduced=reduced,
                alone=macs(plain),
                behind=macs(behind),
            ),
            [
                (say("{window} alone", window=window), [Area(window, macs(plain), role)]),
                (
                    say("behind a 1×1 to {reduced}", reduced=reduced),
                    [Area("1×1", behind[0].macs, "1x1"), Area(window, behind[1].macs, role)],
                ),
            ],
            say("multiply-adds"),
        ),
        say(
            "Computed now; times are measured on this machine, one image, the median of {rounds} "
            "runs.",
            rounds=ROUNDS,
        ),
        answer=ratio,
    )


def turns(
    bench: Bench,
    *,
    channels: Channels = 192,
    kernel: Kernel = 5,
    filters: Filters = 32,
) -> Shown:
    """Show from how many channels on a 1×1 costs more than it saves."""
    most = min(2 * channels, 512)
    at = list(range(4, most + 1, 4))
    base = Design(28, channels, kernel, filters, 4)
    whole = macs(direct(base))
    behind = [macs(behind_1x1(Design(28, channels, kernel, filters, r))) / whole for r in at]
    even = break_even(base)
    return Shown(
        {
            "even": f"{even:.1f}",
            "channels": str(channels),
            "window": f"{kernel}×{kernel}",
            "filters": str(filters),
        },
        Lines(
            say(
                "Multiply-adds behind a 1×1 over those of the {kernel}×{kernel} alone. They are "
                "equal at {even:.1f} reduced channels; with more, the 1×1 costs more than it "
                "saves.",
                kernel=kernel,
                even=even,
            ),
            [
                Line(say("behind a 1×1"), at, behind, role="1x1", marked=False),
                Line(
                    say("alone"),
                    [at[0], at[-1]],
                    [1.0, 1.0],
                    role="chain",
                    dashed=True,
                    marked=False,
                ),
            ],
            Axis(say("channels after the 1×1"), low=0, high=most),
            Axis(say("multiply-adds, relative"), low=0, high=max(1.2, behind[-1])),
            at=even,
        ),
        say("Computed now."),
    )


def modules(bench: Bench) -> Shown:
    """Compute what the reductions of GoogLeNet's module 3a save, and the tutorial's own block."""
    inputs, size = 192, 28
    with_them = [
        Layer(1, inputs, 64, size),
        *behind_1x1(Design(size, inputs, 3, 128, 96)),
        *behind_1x1(Design(size, inputs, 5, 32, 16)),
        Layer(1, inputs, 32, size),
    ]
    without = [
        Layer(1, inputs, 64, size),
        *direct(Design(size, inputs, 3, 128, 1)),
        *direct(Design(size, inputs, 5, 32, 1)),
    ]
    widens = behind_1x1(Design(12, 10, 5, 24, 16))
    alone = direct(Design(12, 10, 5, 24, 1))
    rows = [
        _row(say("GoogLeNet's 3a, with reductions"), with_them),
        _row(say("GoogLeNet's 3a, without"), without),
        _row(say("the tutorial's 5×5 branch of block 1, 1×1 from 10 to 16"), widens),
        _row(say("the same without its 1×1"), alone),
    ]
    return Shown(
        {
            "with": f"{sum(each.weights for each in with_them):,}",
            "without": f"{sum(each.weights for each in without):,}",
            "with_macs": f"{macs(tuple(with_them)):,}",
            "without_macs": f"{macs(tuple(without)):,}",
            "tutorial": f"{sum(each.weights for each in widens):,}",
            "tutorial_alone": f"{sum(each.weights for each in alone):,}",
        },
        Table(
            say("Weights, biases not counted, and multiply-adds for one image."),
            (say("what"), say("weights"), say("multiply-adds")),
            rows,
        ),
        say("Computed now."),
    )


def loses(bench: Bench) -> Shown:
    """Compare networks with and without reductions, at equal width and at equal cost."""
    found = bench.records(RECORDS)
    with_them = by_seed(found.of("googlenet", reduce=True, divisor=8))
    wide = by_seed(found.of("googlenet", reduce=False, divisor=8))
    equal = by_seed(found.of("googlenet", reduce=False, divisor=16))
    bars = [
        bar(say("with reductions"), with_them, "1x1"),
        bar(say("without, equal widths"), wide, "5x5"),
        bar(say("without, narrower: about equal cost"), equal, "3x3"),
    ]
    said = verdicts(
        [
            (
                say("the net with reductions"),
                say("the one of equal widths without them"),
                difference(with_them, wide, RESOLUTION),
            ),
            (
                say("the net with reductions"),
                say("the narrower one without them"),
                difference(with_them, equal, RESOLUTION),
            ),
        ]
    )
    seen = {
        name: bench.outline("googlenet", options, MNIST.images)
        for name, options in (
            ("with", {"reduce": True}),
            ("wide", {"reduce": False}),
            ("narrow", {"reduce": False, "divisor": 16}),
        )
    }
    return Shown(
        {
            "width": said[0],
            "cost": said[1],
            "seeds": str(len(with_them)),
            **{f"{name}_macs": f"{each.macs:,}" for name, each in seen.items()},
        },
        Bars(
            say(
                "Accuracy on MNIST's 10,000 test images of three GoogLeNet modules; {seeds} seeds "
                "each, and each dot is a seed.",
                seeds=len(wide),
            ),
            bars,
            Axis(say("accuracy"), percent=True),
            dots=True,
        ),
        found.origin,
        trains=[
            Trained(
                say("Train it with reductions") if reduce else say("Train it without reductions"),
                "googlenet",
                {"reduce": reduce},
                fields=fields(found.of("googlenet", reduce=reduce, divisor=8)[0]),
            )
            for reduce in (True, False)
        ],
    )


def mixes(
    bench: Bench,
    session: Session,
    *,
    row: Annotated[int, Range(0, 11), later("Row of the pixel")] = 5,
    column: Annotated[int, Range(0, 11), later("Column of the pixel")] = 5,
) -> Shown:
    """Show a 1×1 convolution at one pixel as what it is: a matrix times the pixel's channels."""
    layer = _one_by_one(session)
    filters = session.filters()[layer.path]
    matrix = filters.values[:, :, 0, 0]
    recording = session.record(session.test_image(0))
    given = _given(session, recording.arrays(), layer)
    row, column = min(row, given.shape[1] - 1), min(column, given.shape[2] - 1)
    pixel = given[:, row, column]
    bias = filters.bias if filters.bias is not None else np.zeros(len(matrix), np.float32)
    computed = matrix @ pixel + bias
    recorded = recording.arrays()[layer.name][:, row, column]
    strongest = int(np.abs(computed).argmax())
    into, out = say("channel in"), say("channel out")
    return Shown(
        {
            "layer": layer.path,
            "inputs": str(matrix.shape[1]),
            "outputs": str(matrix.shape[0]),
            "weights": f"{matrix.size:,}",
            "row": str(row),
            "column": str(column),
            "channel": str(strongest),
            "value": f"{recorded[strongest]:.4f}",
            "sum": f"{computed[strongest]:.4f}",
            "error": significant(np.abs(computed - recorded).max(), 1),
        },
        Grids(
            say(
                "{layer} at row {row}, column {column} of the first test image: "
                "{outputs}×{inputs} weights times the {inputs} channels there, plus biases, are "
                "the channels of the output there.",
                layer=layer.path,
                row=row,
                column=column,
                outputs=matrix.shape[0],
                inputs=matrix.shape[1],
            ),
            [
                Grid(say("weights"), matrix.tolist(), "weights", across=into, down=say("out")),
                Grid(say("× pixel"), pixel[:, None].tolist(), "signed", down=into),
                Grid(say("+ bias"), bias[:, None].tolist(), "weights", down=out),
                Grid(say("= output"), recorded[:, None].tolist(), "signed", down=out),
            ],
            shared=False,
            square=False,
        ),
        say("Computed now."),
    )


LESSON = Lesson(
    "one-by-one",
    texts=HERE / "texts",
    parts=[
        Part(cheaper, asks="number", low=0, high=50, unit=later("times")),
        Part(turns),
        Part(modules),
        Part(loses),
        Part(mixes, needs="conv1x1", network="inception"),
    ],
    uses=("googlenet",),
    sources={
        "szegedy-2014": Source(
            "Szegedy et al., Going Deeper with Convolutions, 2014, table 1",
            "https://arxiv.org/abs/1409.4842",
        ),
        "lin-2013": Source(
            "Lin, Chen & Yan, Network In Network, 2013", "https://arxiv.org/abs/1312.4400"
        ),
    },
)


def _milliseconds(layers: tuple[Layer, ...]) -> float:
    """Measure what the layers take for one image on this machine, the median of a few runs."""
    model = nn.Sequential(
        *(
            nn.Conv2d(each.channels, each.filters, each.kernel, padding=each.kernel // 2)
            for each in layers
        )
    )
    image = torch.randn(1, layers[0].channels, layers[0].size, layers[0].size)
    taken = []
    with torch.inference_mode():
        for _ in range(ROUNDS + 2):
            began = time.perf_counter()
            model(image)
            taken.append(1000 * (time.perf_counter() - began))
    return median(taken[2:])


def _one_by_one(session: Session) -> Node:
    return next(
        node for node in nodes(session.parts) if node.kind == "Conv2d" and "1×1" in node.text
    )


def _given(
    session: Session, maps: Mapping[str, NDArray[np.float32]], layer: Node
) -> NDArray[np.float32]:
    """Return what a layer was given: the output of the node before it."""
    before = {node.number: node.name for node in nodes(session.parts)}
    return maps[before[layer.inputs[0]]]


def _row(name: str, layers: "list[Layer] | tuple[Layer, ...]") -> tuple[str, str, str]:
    weights = sum(each.weights for each in layers)
    return name, f"{weights:,}", f"{macs(tuple(layers)):,}"


def _ratio(ratio: float) -> str:
    if ratio >= 1:
        return say("{ratio:.1f} times less", ratio=ratio)
    return say("{ratio:.1f} times more", ratio=1 / ratio)
