"""What is often said of these networks, or printed, and is not so: a counter-example each."""

from pathlib import Path
from statistics import fmean
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import nn

from explorer.data.mnist import MNIST
from explorer.engines.bench import Bench
from explorer.language import later, listed, say
from explorer.lessons import (
    Axis,
    Bar,
    Bars,
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
from explorer.runs.recorded import FILE
from explorer.text import significant

HERE = Path(__file__).parent
DEPTH = HERE / "recorded" / "depth.sqlite"
PRINTED_EVERY = 300  # steps, as the tutorial prints its loss
SEED = 0


def thrown_away(bench: Bench) -> Shown:
    """Count the parameters of the printed Residual net that never get a gradient."""
    model = bench.build("residual-as-printed", {}, MNIST.images)
    generator = torch.Generator().manual_seed(SEED)
    images = torch.randn(8, *MNIST.images.shape, generator=generator)
    F.cross_entropy(model(images), torch.arange(8)).backward()
    bars, dead, idle = [], 0, list[str]()
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if not own:
            continue
        count = sum(each.numel() for each in own)
        gets = any(each.grad is not None and bool(each.grad.any()) for each in own)
        if not gets:
            dead += count
            idle.append(name)
        label = name if gets else say("{layer}: no gradient", layer=name)
        bars.append(Bar(label, count, role="input" if gets else "chain"))
    return Shown(
        {
            "dead": f"{dead:,}",
            "all": f"{sum(each.numel() for each in model.parameters()):,}",
            "layers": listed(idle),
        },
        Bars(
            say("Parameters of each layer; {count:,} of them get no gradient.", count=dead),
            bars,
            Axis(say("parameters")),
        ),
        say("Computed now."),
    )


def never_reset(
    bench: Bench,
    *,
    network: Annotated[Literal["residual", "inception"], later("Which net")] = "residual",
) -> Shown:
    """Compare the loss that the tutorial prints with the loss."""
    found = bench.records(FILE)
    (run,) = found.of(network)
    steps = [step for step in found.store.steps(run.id) if step.epoch == 1]
    at, printed, true, total, block = [], [], [], 0.0, []
    batch = run.spec.recipe.batch_size
    for step in steps:
        total += step.loss * step.images / batch
        block.append(step.loss)
        if step.step % PRINTED_EVERY == 0:
            at.append(step.step)
            printed.append(total / PRINTED_EVERY)
            true.append(fmean(block))
            block = []
    return Shown(
        {
            "first": f"{printed[0]:.3f}",
            "last": f"{printed[-1]:.3f}",
            "true_first": f"{true[0]:.3f}",
            "true_last": f"{true[-1]:.3f}",
        },
        Lines(
            say(
                "In the first epoch the printed number goes from {printed:.3f} to "
                "{last_printed:.3f}, while the loss falls from {loss:.3f} to {last_loss:.3f}.",
                printed=printed[0],
                last_printed=printed[-1],
                loss=true[0],
                last_loss=true[-1],
            ),
            [
                Line(say("as printed"), at, printed, role="chain"),
                Line(say("the loss of these steps"), at, true, role="skip"),
            ],
            Axis(say("step")),
            Axis(say("loss")),
        ),
        say("From the recorded run of the tutorial's net."),
    )


def extra(bench: Bench) -> Shown:
    """Count what skips cost in parameters where shapes agree and where they do not."""
    counts = {
        name: sum(p.numel() for p in bench.build(architecture, options, MNIST.images).parameters())
        for name, architecture, options in (
            (say("equal shapes, no skips"), "deep", {"skip": False}),
            (say("equal shapes, skips"), "deep", {"skip": True}),
            (say("shapes that change, no skips"), "resnet", {"skip": False}),
            (say("shapes that change, 1×1 shortcuts"), "resnet", {"shortcut": "projection"}),
        )
    }
    even, same, plain, projected = counts.values()
    return Shown(
        {"same": f"{same - even:,}", "projected": f"{projected - plain:,}"},
        Table(
            say("Parameters of networks with and without skips."),
            (say("network"), say("parameters")),
            [(name, f"{count:,}") for name, count in counts.items()],
        ),
        say("Computed now."),
    )


def googlenet(bench: Bench) -> Shown:
    """Compare the tutorial's Inception net with GoogLeNet's modules."""
    rows = []
    for title, architecture, options in (
        (say("the tutorial's Inception net"), "inception", {}),
        (
            say("three of GoogLeNet's nine modules, at an eighth of their width"),
            "googlenet",
            {},
        ),
        (say("all nine, at an eighth"), "googlenet", {"modules": 9}),
    ):
        seen = bench.outline(architecture, options, MNIST.images)
        blocks = sum(part.kind == "concat" for part in seen.parts)
        rows.append((title, str(blocks), f"{seen.parameters:,}", f"{seen.macs:,}"))
    return Shown(
        {"blocks": rows[0][1], "modules": rows[2][1]},
        Table(
            say("Blocks, parameters and multiply-adds on MNIST."),
            (say("network"), say("blocks"), say("parameters"), say("multiply-adds")),
            rows,
        ),
        say("Computed now."),
    )


def perceptron(
    bench: Bench,
    *,
    channels: Annotated[int, Range(2, 32), later("Channels between the two")] = 8,
) -> Shown:
    """Show that two 1×1 convolutions without an activation are one."""
    generator = torch.Generator().manual_seed(SEED)
    first, second = nn.Conv2d(10, channels, 1), nn.Conv2d(channels, 16, 1)
    image = torch.randn(1, 10, 12, 12, generator=generator)
    with torch.no_grad():
        matrix = second.weight[:, :, 0, 0] @ first.weight[:, :, 0, 0]
        zero = torch.zeros(1, 10, 1, 1)
        bias = second(first(zero)).flatten()
        one = F.conv2d(image, matrix[:, :, None, None], bias)
        linear = float((second(first(image)) - one).abs().max())
        active = float((second(F.relu(first(image))) - one).abs().max())
    return Shown(
        {
            "linear": significant(linear, 1),
            "active": significant(active),
            "channels": str(channels),
        },
        Bars(
            say(
                "Largest difference to a single 1×1 convolution, whose matrix is the product of "
                "both."
            ),
            [
                Bar(say("two 1×1 in a row"), linear, role="chain"),
                Bar(say("the same with a ReLU between them"), active, role="1x1"),
            ],
            Axis(say("largest difference")),
        ),
        say("Computed now."),
    )


def nearest(bench: Bench) -> Shown:
    """Show in which layers a vanishing gradient is small."""
    found = bench.records(DEPTH)
    (run,) = found.of("deep", layers=20, norm=False, init="torch", skip=False, gradients_every=10)
    norms = [
        norm for path, norm in found.store.gradients(run.id)[0].norms.items() if path != "head"
    ]
    places = list(range(1, len(norms) + 1))
    first, last = significant(norms[0], 1), significant(norms[-1], 1)
    return Shown(
        {
            "first": first,
            "last": last,
            "layers": str(len(norms)),
        },
        Lines(
            say(
                "Norm of the gradient at the first step, by convolution: {first} in the first, "
                "{last} in the last.",
                first=first,
                last=last,
            ),
            [Line(say("without skips"), places, norms, role="chain")],
            Axis(say("convolution, from the image")),
            Axis(say("norm of its gradient"), "log"),
        ),
        found.origin,
    )


def truncated(bench: Bench) -> Shown:
    """Show what `%d` makes of accuracies."""
    rows = []
    found = bench.records(FILE)
    for name in ("plain", "inception", "residual"):
        (run,) = found.of(name)
        accuracy = run.epochs[-1].test_accuracy
        rows.append((name, f"{100 * accuracy:.2f} %", f"{int(100 * accuracy)} %"))
    return Shown(
        {"one": rows[0][1], "other": rows[1][1], "printed": rows[0][2]},
        Table(
            say("Accuracy after ten epochs, as it is and as %d prints it."),
            (say("network"), say("accuracy"), say("printed")),
            rows,
        ),
        say("From the recorded runs of the tutorial's nets."),
    )


def comparable(bench: Bench) -> Shown:
    """Compare the size and the cost of the tutorial's two nets."""
    rows = []
    for name in ("inception", "residual"):
        seen = bench.outline(name, {}, MNIST.images)
        rows.append((name, f"{seen.parameters:,}", f"{seen.macs:,}"))
    return Shown(
        {
            "inception": rows[0][1],
            "inception_macs": rows[0][2],
            "residual": rows[1][1],
            "residual_macs": rows[1][2],
        },
        Table(
            say("The tutorial's two nets on MNIST."),
            (say("network"), say("parameters"), say("multiply-adds")),
            rows,
        ),
        say("Computed now."),
        trains=[
            Trained(
                say("Train {network} as the tutorial does", network=name), name, recipe="tutorial"
            )
            for name in ("inception", "residual")
        ],
    )


LESSON = Lesson(
    "errata",
    texts=HERE / "texts",
    parts=[
        Part(part)
        for part in (
            *(thrown_away, never_reset, truncated, comparable),
            *(nearest, extra, googlenet, perceptron),
        )
    ],
    sources={
        "he-2016": Source(
            "He, Zhang, Ren & Sun, Deep Residual Learning for Image Recognition, 2015, section 4.1",
            "https://arxiv.org/abs/1512.03385",
        ),
        "szegedy-2014": Source(
            "Szegedy et al., Going Deeper with Convolutions, 2014",
            "https://arxiv.org/abs/1409.4842",
        ),
        "lin-2013": Source(
            "Lin, Chen & Yan, Network In Network, 2013", "https://arxiv.org/abs/1312.4400"
        ),
    },
    uses=("residual-as-printed", "residual", "inception", "resnet", "googlenet", "deep"),
)
