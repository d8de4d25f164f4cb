"""Why Residual: the parts of the lesson about depth."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Literal, NamedTuple

import numpy as np

from explorer.engines.bench import Bench
from explorer.inspection.parts import Block, blocks
from explorer.inspection.session import Session
from explorer.labs.depth import path_lengths
from explorer.labs.seeds import fields
from explorer.labs.surface import random_plane
from explorer.language import later, plural, say
from explorer.lessons import (
    Axis,
    Bar,
    Bars,
    Grid,
    Grids,
    Lesson,
    Line,
    Lines,
    Look,
    Part,
    Shown,
    Source,
    Surface,
    Surfaces,
    Table,
    Trained,
)
from explorer.plugin.options import Range
from explorer.runs.record_files import Records
from explorer.runs.run import Run
from explorer.statistics.differences import difference
from explorer.statistics.intervals import Interval, mean
from explorer.statistics.verdicts import points, verdict
from explorer.text import percent, significant

HERE = Path(__file__).parent
RECORDS = HERE / "recorded" / "depth.sqlite"
Depth = Literal[4, 8, 14, 20, 32, 44, 56]
DEPTHS = (4, 8, 14, 20, 32, 44, 56)
Layers = Annotated[Depth, later("Layers with weights")]
Norm = Annotated[bool, later("Batch normalisation after every convolution")]
Init = Annotated[Literal["he", "torch"], later("He's initialisation, or torch's default")]
IMAGES = 1_000  # test images that are scored while a visitor waits
WAYS = {True: later("with skips"), False: later("without skips")}
TRAIN = {
    True: later("Train {layers} layers with skips"),
    False: later("Train {layers} layers without skips"),
}
ROLES = {True: "skip", False: "chain"}
# Of the images whose errors are shown.
ERRORS = {
    "training": later(
        "Error on training images by depth. At {layers} layers: {plain} without skips, {skip} with "
        "them. Bands are 95 % intervals of the mean."
    ),
    "test": later(
        "Error on test images by depth. At {layers} layers: {plain} without skips, {skip} with "
        "them. Bands are 95 % intervals of the mean."
    ),
}
AXES = {"training": later("error on training images"), "test": later("error on test images")}


class _Pair(NamedTuple):
    """An accuracy of both designs at one depth, by seed."""

    plain: dict[int, float]
    skip: dict[int, float]


def deeper(
    bench: Bench,
    *,
    layers: Layers = 56,
    norm: Norm = True,
    init: Init = "he",
    images: Annotated[
        Literal["training", "test"], later("Of which images the errors are")
    ] = "training",
) -> Shown:
    """Show the error of networks of all depths, with and without skips."""
    found = bench.records(RECORDS)
    pairs = {depth: _accuracies(found, depth, norm, init, images) for depth in DEPTHS}
    lines = [
        _errors(say(WAYS[skip]), [pair[skip] for pair in pairs.values()], ROLES[skip])
        for skip in (False, True)
    ]
    here, shallow = pairs[layers], pairs[DEPTHS[0]]
    plain, skip = (fmean(each.values()) for each in here)
    compared = difference(here.plain, here.skip, 1 / 10_000)
    best = max(pairs, key=lambda depth: fmean(pairs[depth].plain.values()))
    said = verdict(say("the network without skips"), say("the network with skips"), compared)
    return Shown(
        {
            "layers": str(layers),
            "plain": percent(plain),
            "skip": percent(skip),
            "shallow": percent(fmean(shallow.plain.values())),
            "gain": points(skip - plain),
            "better": say("more") if skip >= plain else say("fewer"),
            "best": str(best),
            "best_accuracy": percent(fmean(pairs[best].plain.values())),
            "verdict": said,
            "seeds": str(len(here.plain)),
        },
        Lines(
            say(ERRORS[images], layers=layers, plain=percent(1 - plain), skip=percent(1 - skip)),
            lines,
            Axis(say("layers with weights"), "steps"),
            Axis(say(AXES[images]), low=0, high=1, percent=True),
            at=layers,
        ),
        found.origin,
        trains=[
            Trained(
                say(TRAIN[skip], layers=layers),
                "deep",
                {"layers": layers, "skip": skip, "norm": norm, "init": init},
                fields=fields(found.of("deep", layers=layers, norm=norm, init=init, skip=skip)[-1]),
            )
            for skip in (False, True)
        ],
        guessed=say("without skips"),
    )


def arrives(
    bench: Bench,
    *,
    layers: Layers = 20,
    norm: Norm = False,
    init: Init = "torch",
) -> Shown:
    """Show how large the gradient is that arrives in each layer at each step."""
    found = bench.records(RECORDS)
    maps, ratios = [], {}
    for skip in (False, True):
        (run,) = found.of(
            "deep", layers=layers, norm=norm, init=init, skip=skip, gradients_every=10
        )
        norms = [_of_convolutions(each.norms) for each in found.store.gradients(run.id)]
        steps = [each.step for each in found.store.gradients(run.id)]
        ratios[skip] = norms[0][0] / norms[0][-1] if norms[0][-1] else math.nan
        maps.append(
            Grid(
                say(WAYS[skip]),
                [list(row) for row in zip(*norms, strict=True)],
                rows=[str(number) for number in range(1, len(norms[0]) + 1)],
                columns=list(map(str, steps)),
                across=say("step"),
                down=say("convolution, from the image"),
                role=ROLES[skip],
            )
        )
    return Shown(
        {
            "layers": str(layers),
            "plain": _times(ratios[False]),
            "skip": _times(ratios[True]),
            "what": _what(ratios[False]),
        },
        Grids(
            say(
                "Norm of the loss's gradient in each convolution at each recorded step. At the "
                "first one, the first convolution gets {plain} of what the last one gets without "
                "skips, {skip} with them. Where there is no colour, nothing that is a number "
                "arrives.",
                plain=_times(ratios[False]),
                skip=_times(ratios[True]),
            ),
            maps,
            unit=say("log₁₀ of the gradient's norm"),
            log=True,
            square=False,
        ),
        found.origin,
    )


def carries(bench: Bench, session: Session) -> Shown:
    """Switch off either side of each sum in a trained network."""
    intact = session.answers((), IMAGES)
    bars, values, looks = [], {"intact": percent(intact.accuracy)}, list[Look]()
    worst = 0.0
    for block in _with_skips(session):
        for branch in block.branches.values():
            off = session.answers((branch.path,), IMAGES)
            lost = intact.accuracy - off.accuracy
            kind = "skip" if branch.is_skip else "correction"
            side = "x" if branch.is_skip else "F(x)"
            label = say("{block} without {side}", block=block.name, side=side)
            bars.append(Bar(label, off.accuracy, role=kind, before=intact.accuracy))
            flipped = np.flatnonzero(intact.correct & ~off.correct)
            if lost >= worst and len(flipped):
                worst, first = lost, int(flipped[0])
                values |= {
                    "worst": label,
                    "accuracy": percent(off.accuracy),
                    "image": f"{first:,}",
                    "was": str(intact.predicted[first]),
                    "becomes": str(off.predicted[first]),
                }
                looks = [Look(say("Look at it yourself"), off=(branch.path,), image=first)]
    kinds = {
        kind: fmean([bar.value for bar in bars if bar.role == kind] or [math.nan])
        for kind in ("skip", "correction")
    }
    values |= {f"without_{kind}": percent(value) for kind, value in kinds.items()}
    return Shown(
        values,
        Bars(
            say(
                "Accuracy on the first {images:,} test images with one side of one sum replaced by "
                "zeros; the outline is the whole network, {accuracy}.",
                images=IMAGES,
                accuracy=percent(intact.accuracy),
            ),
            bars,
            Axis(say("accuracy"), low=0, high=1.12, percent=True),
        ),
        say("Computed now."),
        looks=looks,
    )


def removed(
    bench: Bench,
    *,
    blocks: Annotated[Literal[1, 2, 3, 4, 5, 6, 7, 8, 9], later("Blocks that are removed")] = 1,
) -> Shown:
    """Remove whole blocks from trained networks, without training again."""
    found = bench.records(RECORDS)
    lines, means = [], {}
    for skip in (False, True):
        runs = found.of("deep", layers=20, norm=True, init="he", skip=skip, epochs=3)
        seeds = [found.measured(run, "removals") for run in runs]
        count = len(seeds[0]["several"])
        curve = [
            mean(
                [
                    each["intact"] if not number else fmean(each["several"][number - 1])
                    for each in seeds
                ]
            )
            for number in range(count + 1)
        ]
        means[skip] = curve
        lines.append(_curve(say(WAYS[skip]), list(range(count + 1)), curve, ROLES[skip]))
    plain, within = (means[each][blocks].value for each in (False, True))
    return Shown(
        {
            "blocks": plural("one block", "{n} blocks", blocks),
            "plain": percent(plain),
            "skip": percent(within),
            "plain_intact": percent(means[False][0].value),
            "skip_intact": percent(means[True][0].value),
            "seeds": str(means[True][0].n),
        },
        Lines(
            say(
                "Accuracy on {images:,} test images after removing blocks at random from trained "
                "networks of 20 layers. Without {blocks}: {skip} with skips, {plain} without.",
                images=IMAGES,
                blocks=blocks,
                skip=percent(within),
                plain=percent(plain),
            ),
            lines,
            Axis(say("blocks removed"), "steps"),
            Axis(say("accuracy on test images"), low=0, high=1, percent=True),
            at=blocks,
        ),
        found.origin,
        guessed=say("with skips"),
    )


def paths(
    bench: Bench,
    *,
    layers: Layers = 20,
) -> Shown:
    """Count the paths through the blocks of a residual network by their length."""
    count = (layers - 2) // 2
    shares = path_lengths(count)
    middle = sum(shares[length] for length in range(count + 1) if abs(length - count / 2) <= 2)
    line = Line(say("paths"), list(range(count + 1)), shares, role="skip")
    return Shown(
        {
            "blocks": str(count),
            "paths": f"{2**count:,}",
            "middle": percent(middle),
            "half": f"{count / 2:g}",
        },
        Lines(
            say(
                "Share of the {paths:,} paths through {blocks} blocks, by how many blocks a path "
                "passes; {share} pass {half:g}, or at most 2 more or fewer.",
                paths=2**count,
                blocks=count,
                share=percent(middle),
                half=count / 2,
            ),
            [line],
            Axis(say("blocks that a path passes"), low=0, high=count),
            Axis(say("share of all paths"), percent=True),
        ),
        say("Computed now."),
    )


def ground(
    bench: Bench,
    *,
    seen: Annotated[Literal["contours", "solid"], later("How the surface is drawn")] = "contours",
    plane: Annotated[
        Literal["of the training", "random"], later("A random plane is computed now, coarsely")
    ] = "of the training",
    seed: Annotated[int, Range(0, 9), later("Of the random plane")] = 0,
) -> Shown:
    """Show the loss around both networks, and the way of their training."""
    found = bench.records(RECORDS)
    surfaces, spans = [], {}
    for skip in (False, True):
        (run,) = found.of("deep", skip=skip, epochs=SURFACE_EPOCHS)
        if plane == "random":
            model, data = bench.network(found, run)
            split = data.train.subset(run.spec.recipe.train_size).first(COARSE_IMAGES)
            one = random_plane(model, split, COARSE_POINTS, seed)
        else:
            one = found.measured(run, "surface")
        loss = np.asarray(one["loss"])
        spans[skip] = float(np.median(loss) / loss.min())
        way = [(float(x), float(y)) for x, y in one.get("path", [])]
        surfaces.append(Surface(say(WAYS[skip]), one["loss"], one["at"], one["at"], way))
    return Shown(
        {
            "layers": str(SURFACE_LAYERS),
            "plain": f"{spans[False]:.3g}",
            "skip": f"{spans[True]:.3g}",
            "epochs": str(SURFACE_EPOCHS),
        },
        Surfaces(
            say(
                "Loss on training images in a random plane, with directions scaled filter by "
                "filter."
            )
            if plane == "random"
            else say(
                "Loss on training images in the plane of the training's path, which is the orange "
                "line, epoch by epoch, with directions scaled filter by filter."
            ),
            surfaces,
            unit=say("loss"),
            solid=seen == "solid",
        ),
        say("Computed now.") if plane == "random" else found.origin,
    )


COARSE_POINTS, COARSE_IMAGES = 9, 100  # of a surface that a visitor waits for
SURFACE_LAYERS, SURFACE_EPOCHS = 32, 8


def paper(bench: Bench) -> Shown:
    """Set the paper's figures beside ours."""
    found = bench.records(RECORDS)
    rows = [
        [layers, plain, skip, cost, say("ImageNet, top-1 error of the validation images")]
        for layers, plain, skip, cost in PAPER
    ]
    for layers in DEPTHS:
        pair = _accuracies(found, layers, True, "he", "test")
        plain, skip = (percent(1 - fmean(each.values())) for each in pair)
        own = say("ours: 10,000 images of MNIST, one epoch")
        rows.append([f"{layers}", plain, skip, "", own])
    return Shown(
        {},
        Table(
            say(
                "Errors by depth, without and with skips: above as the paper has them (tables 1, 2 "
                "and 3), below ours on test images."
            ),
            (
                say("layers"),
                say("without skips"),
                say("with skips"),
                "GFLOPs",
                say("of what"),
            ),
            rows,
        ),
        found.origin,
    )


# He et al., arXiv:1512.03385: errors from tables 2 and 3, 10-crop testing; FLOPs from table 1.
PAPER = (
    ("18", "27.94 %", "27.88 %", "1.8"),
    ("34", "28.54 %", "25.03 %", "3.6"),
    ("50", "", "22.85 %", "3.8"),
    ("101", "", "21.75 %", "7.6"),
    ("152", "", "21.43 %", "11.3"),
)

LESSON = Lesson(
    "residual",
    texts=HERE / "texts",
    parts=[
        Part(deeper, asks="line", low=0, high=1),
        Part(arrives),
        Part(carries, needs="skip", network="residual"),
        Part(removed, asks="line", low=0, high=1),
        Part(paths),
        Part(ground),
        Part(paper),
    ],
    sources={
        "he-2016": Source(
            "He, Zhang, Ren & Sun, Deep Residual Learning for Image Recognition, 2015",
            "https://arxiv.org/abs/1512.03385",
        ),
        "he-init": Source(
            "He, Zhang, Ren & Sun, Delving Deep into Rectifiers, 2015",
            "https://arxiv.org/abs/1502.01852",
        ),
        "veit-2016": Source(
            "Veit, Wilber & Belongie, Residual Networks Behave Like Ensembles of Relatively "
            "Shallow Networks, 2016",
            "https://arxiv.org/abs/1605.06431",
        ),
        "li-2018": Source(
            "Li, Xu, Taylor, Studer & Goldstein, Visualizing the Loss Landscape of Neural Nets, "
            "2018",
            "https://arxiv.org/abs/1712.09913",
        ),
    },
    uses=("deep",),
)


def _accuracies(found: Records, layers: int, norm: bool, init: str, images: str) -> _Pair:
    both = []
    for skip in (False, True):
        runs = [
            run
            for run in found.of("deep", layers=layers, norm=norm, init=init, skip=skip)
            if run.spec.recipe.epochs == 1
        ]
        both.append({run.spec.recipe.seed: _accuracy(found, run, images) for run in runs})
    return _Pair(*both)


def _accuracy(found: Records, run: Run, images: str) -> float:
    if images == "training":
        return float(found.measured(run, "training_accuracy"))
    return run.epochs[-1].test_accuracy


def _errors(label: str, seeds: Sequence[dict[int, float]], role: str) -> Line:
    return _curve(label, DEPTHS, [mean([1 - each for each in by.values()]) for by in seeds], role)


def _curve(label: str, x: Sequence[float], y: Sequence[Interval], role: str) -> Line:
    return Line(
        label,
        x,
        [each.value for each in y],
        [max(0.0, each.low) for each in y],
        [min(1.0, each.high) for each in y],
        role,
    )


def _of_convolutions(norms: Mapping[str, float]) -> list[float]:
    """Return the norms of the convolutions' gradients, from the image on."""
    return [norm for path, norm in norms.items() if path.endswith(".0") or path == "stem.0"]


def _with_skips(session: Session) -> list[Block]:
    return [
        block
        for block in blocks(session.parts)
        if any(branch.is_skip for branch in block.branches.values())
    ]


def _times(ratio: float) -> str:
    if not math.isfinite(ratio):
        return say("no number")
    return say("{ratio} times", ratio=significant(ratio)) if ratio else say("0 times")


def _what(ratio: float) -> str:
    if not math.isfinite(ratio) or ratio > 10:
        return say("explodes")
    return say("vanishes") if ratio < 0.1 else say("stays of one size")
