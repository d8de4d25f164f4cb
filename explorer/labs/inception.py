"""Why Inception: the parts of the lesson about windows."""

from pathlib import Path
from statistics import fmean
from typing import Annotated, Literal

import numpy as np

from explorer.data.mnist.scales import MNIST_SCALES
from explorer.engines.bench import Bench
from explorer.inspection.parts import Block, blocks
from explorer.inspection.session import Session
from explorer.labs.seeds import bar, by_seed, fields
from explorer.labs.words import together
from explorer.language import later, say
from explorer.lessons import (
    Axis,
    Bar,
    Bars,
    Box,
    Grid,
    Grids,
    Lesson,
    Line,
    Lines,
    Look,
    Part,
    Shown,
    Source,
    Trained,
)
from explorer.plugin.options import Range
from explorer.runs.record_files import Records
from explorer.statistics.differences import difference
from explorer.statistics.intervals import mean
from explorer.statistics.verdicts import points, verdict, verdicts
from explorer.text import percent, significant

HERE = Path(__file__).parent
RECORDS = HERE / "recorded" / "windows.sqlite"
DESIGNS = ("several", "3x3", "5x5", "7x7", "3x3 twice")
NAMES = {
    "several": later("several windows"),
    "3x3": "3×3",
    "5x5": "5×5",
    "7x7": "7×7",
    "3x3 twice": later("3×3 twice"),
}
SETS = {"mnist": "MNIST", "mnist-scales": later("MNIST at many scales")}
PLACES = (later("first"), later("second"), later("third"), later("fourth"), later("last"))
Instead = Annotated[Literal["zero", "mean"], later("What the branch gives when it is off")]
RESOLUTION = 1 / 10_000  # one of the test images
IMAGES = 200  # on which a layer is compared with the network it is built from


def looks(
    bench: Bench,
    session: Session,
    *,
    image: Annotated[int, Range(0, 99), later("Which test image")] = 0,
) -> Shown:
    """Show what each branch of the first block sees of an image, and what excites it most."""
    block = _first(session)
    pixels = session.test_image(image)
    recording = session.record(pixels)
    maps, fields = recording.arrays(), session.fields
    grey = pixels.mean(axis=0)
    boxes, grids, sizes = [], [], {}
    for branch in block.branches.values():
        if branch.path not in maps or maps[branch.path].ndim != 3:
            continue
        own, field = maps[branch.path], fields.get(branch.path)
        channel, row, column = np.unravel_index(int(own.argmax()), own.shape)
        role = role_of(branch.name)
        if field is not None:
            (top, bottom), (left, right) = field.rows.spans[row], field.columns.spans[column]
            boxes.append(Box(top, left, bottom - top + 1, right - left + 1, role))
            sizes[branch.name] = field.rows.size or field.rows.widest
        grids.append(
            Grid(
                say("{branch}\nchannel {channel}", branch=branch.name, channel=int(channel)),
                own[channel].tolist(),
                "signed" if (own < 0).any() else "positive",
                [Box(int(row), int(column), 1, 1, role)],
                role=role,
            )
        )
    smallest, largest = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    predicted = int(recording.logits[0].argmax())
    return Shown(
        {
            "block": block.name,
            "count": str(len(grids)),
            "smallest": smallest,
            "smallest_size": _square(sizes[smallest]),
            "largest": largest,
            "largest_size": _square(sizes[largest]),
            "predicted": str(predicted),
        },
        Grids(
            say(
                "Test image {image}, with a frame around what each branch of {block} sees where it "
                "answers most strongly; and the channel in which it does.",
                image=image,
                block=block.name,
            ),
            [Grid(say("the image"), grey.tolist(), "grey", boxes), *grids],
            unit=say("activation"),
        ),
        say("Computed now."),
        looks=[Look(say("Look at all channels"), part=block.name, image=image)],
    )


def worth(
    bench: Bench,
    *,
    instead: Instead = "zero",
    block: Annotated[Literal["incep1", "incep2"], later("Of which block")] = "incep2",
) -> Shown:
    """Show what is lost without each branch of the trained network, over seeds."""
    found = bench.records(RECORDS)
    runs = found.of("inception")
    measured = [found.measured(run, "branches") for run in runs]
    bars = []
    for path in (each for each in measured[0]["without"] if each.startswith(f"{block}.")):
        lost = [one["accuracy"] - one["without"][path][instead]["accuracy"] for one in measured]
        known = mean(lost)
        name = path.rpartition(".")[2]
        bars.append(Bar(name, known.value, known.low, known.high, lost, role_of(name)))
    bars.sort(key=lambda bar: -bar.value)
    first, last = bars[0], bars[-1]
    return Shown(
        {
            "seeds": str(len(runs)),
            "first": first.label,
            "first_worth": points(first.value),
            "first_least": points(min(first.each)),
            "first_most": points(max(first.each)),
            "last": last.label,
            "last_worth": points(last.value),
        },
        Bars(
            say(
                "Accuracy lost when a branch of {block} gives zeros, on 10,000 test images: mean "
                "of {seeds} seeds with its 95 % interval; each dot is a seed.",
                block=block,
                seeds=len(runs),
            )
            if instead == "zero"
            else say(
                "Accuracy lost when a branch of {block} gives its mean, on 10,000 test images: "
                "mean of {seeds} seeds with its 95 % interval; each dot is a seed.",
                block=block,
                seeds=len(runs),
            ),
            bars,
            Axis(say("accuracy lost"), percent=True),
        ),
        found.origin,
    )


def classes(
    bench: Bench,
    *,
    instead: Instead = "zero",
) -> Shown:
    """Show for which digits each branch matters."""
    found = bench.records(RECORDS)
    measured = [found.measured(run, "branches") for run in found.of("inception")]
    paths = list(measured[0]["without"])
    rows = [
        np.mean(
            [
                np.subtract(one["intact"], one["without"][path][instead]["classes"])
                for one in measured
            ],
            axis=0,
        )
        for path in paths
    ]
    place = np.unravel_index(int(np.argmax(rows)), np.shape(rows))
    return Shown(
        {
            "branch": paths[int(place[0])],
            "digit": str(place[1]),
            "lost": points(float(rows[int(place[0])][int(place[1])])),
        },
        Grids(
            say(
                "Share of each digit's test images that are no longer classified correctly "
                "without each branch, mean over seeds."
            ),
            [
                Grid(
                    say("lost without it"),
                    [row.tolist() for row in rows],
                    "signed",
                    rows=paths,
                    columns=[str(digit) for digit in range(10)],
                    across=say("digit"),
                )
            ],
            unit=say("share of its images"),
            square=False,
        ),
        found.origin,
    )


def left_out(bench: Bench) -> Shown:
    """Compare networks that were trained without a branch."""
    found = bench.records(RECORDS)
    whole = _accuracies(found, "mnist-scales", "several")
    bars, pairs = [bar(say("all windows"), whole, "several")], []
    for branch in ("1x1", "3x3", "5x5", "pool"):
        runs = found.of("windows", dataset="mnist-scales", windows="several", without=branch)
        own = by_seed(runs)
        window = branch.replace("x", "×")
        bars.append(bar(say("without {window}", window=window), own, branch))
        without = say("that without {window}", window=window)
        pairs.append((say("the whole net"), without, difference(whole, own, RESOLUTION)))
    return Shown(
        {
            "verdicts": together(verdicts(pairs)),
            "whole": percent(fmean(whole.values())),
            "seeds": str(len(whole)),
        },
        Bars(
            say(
                "Accuracy of networks that were trained without one of the windows, on 10,000 test "
                "images of MNIST at many scales; {seeds} seeds each.",
                seeds=len(whole),
            ),
            bars,
            Axis(say("accuracy"), percent=True),
            dots=True,
        ),
        found.origin,
    )


def designs(
    bench: Bench,
    *,
    dataset: Annotated[Literal["mnist-scales", "mnist"], later("The images")] = "mnist-scales",
) -> Shown:
    """Compare several windows with windows of one size, at equal size or equal cost."""
    found = bench.records(RECORDS)
    by = {each: _accuracies(found, dataset, each) for each in DESIGNS}
    bars = sorted(
        (bar(say(NAMES[each]), own, each) for each, own in by.items()), key=lambda bar: -bar.value
    )
    place = [bar.role for bar in bars].index("several")
    others = [each for each in DESIGNS if each != "several"]
    best = max(others, key=lambda each: fmean(by[each].values()))
    single = max(("3x3", "5x5", "7x7"), key=lambda each: fmean(by[each].values()))
    pairs = [
        (
            say("the net with {design}", design=say(NAMES[each])),
            say("the net with {design}", design=say(NAMES["several"])),
            difference(by[each], by["several"], RESOLUTION),
        )
        for each in others
    ]
    several = found.of("windows", dataset=dataset, windows="several", without="nothing")
    return Shown(
        {
            "set": say(SETS[dataset]),
            "several": percent(fmean(by["several"].values())),
            "best": say(NAMES[best]),
            "best_accuracy": percent(fmean(by[best].values())),
            "single": say(NAMES[single]),
            "single_accuracy": percent(fmean(by[single].values())),
            "twice_accuracy": percent(fmean(by["3x3 twice"].values())),
            "place": say(PLACES[place]),
            "verdicts": together(verdicts(pairs)),
            "seeds": str(len(several)),
            "spread": points(max(bar.value for bar in bars) - min(bar.value for bar in bars)),
        },
        Bars(
            say(
                "Accuracy on the test images of {set} of networks of equal size: mean of {seeds} "
                "seeds with its 95 % interval; each dot is a seed.",
                set=say(SETS[dataset]),
                seeds=len(several),
            ),
            bars,
            Axis(say("accuracy"), percent=True),
            dots=True,
        ),
        found.origin,
        trains=[
            Trained(
                say("Train {design}", design=say(NAMES[each])),
                "windows",
                {"windows": each},
                dataset,
                fields=fields(found.of("windows", dataset=dataset, windows=each)[0]),
            )
            for each in ("several", best)
        ],
        answer=float(place),
    )


def sizes(bench: Bench) -> Shown:
    """Count the parameters and the multiply-adds of the designs, on the images of many scales."""
    parameters, macs = [], []
    for design in DESIGNS:
        seen = bench.outline("windows", {"windows": design}, MNIST_SCALES.images)
        parameters.append(seen.parameters)
        macs.append(seen.macs)
    return Shown(
        {
            "least": f"{min(parameters):,}",
            "most": f"{max(parameters):,}",
            "least_macs": f"{min(macs):,}",
            "most_macs": f"{max(macs):,}",
        }
    )


def linear(bench: Bench, session: Session) -> Shown:
    """Build one linear layer that computes what the last block and the classifier do."""
    block = _last(session)
    verdict_on = next(each for each in session.linearity() if each.block == block.name)
    one = session.as_one_layer(block.name, IMAGES)
    agreeing = float((one.logits.argmax(1) == one.rebuilt.argmax(1)).mean())
    of_one = one.logits[0], one.rebuilt[0]
    is_affine = verdict_on.tail_replacement is not None
    return Shown(
        {
            "block": block.name,
            "many": f"{verdict_on.tail_parameters:,}",
            "few": f"{one.parameters:,}",
            "layer": f"Linear({one.weight.shape[1]:,}, {one.weight.shape[0]})",
            "error": significant(one.error),
            "agreeing": say("all") if agreeing == 1 else percent(agreeing),
            "is": say("is") if is_affine else say("is not"),
            "images": f"{IMAGES:,}",
        },
        Lines(
            say(
                "Logits of the first test image: those of the network, and those of one layer of "
                "{parameters:,} parameters that was built from its weights. The largest "
                "difference on {images:,} images is {error}.",
                parameters=one.parameters,
                images=IMAGES,
                error=significant(one.error),
            ),
            [
                Line(
                    say("the network"),
                    list(range(len(of_one[0]))),
                    of_one[0].tolist(),
                    role="several",
                ),
                Line(
                    say("one linear layer"),
                    list(range(len(of_one[1]))),
                    of_one[1].tolist(),
                    role="chain",
                    dashed=True,
                ),
            ],
            Axis(say("class"), "steps"),
            Axis(say("logit")),
        ),
        say("Computed now."),
    )


def activation(bench: Bench) -> Shown:
    """Compare the tutorial's net with the one that has activations, over seeds."""
    found = bench.records(RECORDS)
    by = {name: by_seed(found.of(name)) for name in ("inception", "inception-relu")}
    without, within = by["inception"], by["inception-relu"]
    said = verdict(
        say("the tutorial's net"),
        say("the net with activations in its blocks"),
        difference(without, within, RESOLUTION),
    )
    return Shown(
        {
            "verdict": said,
            "without": percent(fmean(without.values())),
            "within": percent(fmean(within.values())),
            "seeds": str(len(without)),
        },
        Bars(
            say("Accuracy on MNIST's 10,000 test images; each dot is a seed."),
            [
                bar(say("as the tutorial has it"), without, "chain"),
                bar(say("with a ReLU after each convolution"), within, "several"),
            ],
            Axis(say("accuracy"), percent=True),
            dots=True,
        ),
        found.origin,
    )


LESSON = Lesson(
    "inception",
    texts=HERE / "texts",
    uses=("windows",),
    parts=[
        Part(looks, needs="branches", network="inception"),
        Part(worth),
        Part(classes),
        Part(left_out),
        Part(designs, asks="choice"),
        Part(sizes),
        Part(linear, needs="branches", network="inception"),
        Part(activation),
    ],
    sources={
        "szegedy-2014": Source(
            "Szegedy et al., Going Deeper with Convolutions, 2014",
            "https://arxiv.org/abs/1409.4842",
        ),
        "simonyan-2014": Source(
            "Simonyan & Zisserman, Very Deep Convolutional Networks, 2014, section 2.3",
            "https://arxiv.org/abs/1409.1556",
        ),
        "mnih-2014": Source(
            "Mnih, Heess, Graves & Kavukcuoglu, Recurrent Models of Visual Attention, 2014",
            "https://arxiv.org/abs/1406.6247",
        ),
    },
)


def role_of(branch: str) -> str:
    """Return what a branch is, by its name: its window, pooling, or a skip."""
    for role in ("1x1", "3x3", "5x5", "7x7", "pool", "skip"):
        if role in branch.replace("×", "x"):
            return role
    return ""


def _first(session: Session) -> Block:
    return next(block for block in blocks(session.parts) if block.kind == "concat")


def _last(session: Session) -> Block:
    return [block for block in blocks(session.parts) if block.kind == "concat"][-1]


def _square(size: int) -> str:
    return f"{size}×{size}"


def _accuracies(found: Records, dataset: str, design: str) -> dict[int, float]:
    runs = found.of("windows", dataset=dataset, windows=design, without="nothing")
    return by_seed(runs)
