"""Checks of what a network is made of: options, shapes, logits, weights, branches."""

import torch
import torch.nn.functional as F
from torch import Tensor

from explorer.branches import Branches
from explorer.checks.examined import (
    IMAGES,
    Examined,
    corners,
    listed,
    noise,
    same,
    shape,
)
from explorer.checks.findings import Found, place_of
from explorer.errors import explain, place
from explorer.inspection.linearity import linearity
from explorer.inspection.parts import branch_path, layers
from explorer.inspection.tracing import evaluating, trace


def options(examined: Examined) -> Found:
    """Can each option be set by someone who has not read the code?"""
    declared = examined.architecture.options
    for option in declared:
        line = examined.place(option.name)
        kind = option.type.__name__
        if option.type in (int, float) and not option.range and not option.choices:
            yield (
                "note",
                f"The option {option.name} has no limits: write `Annotated[{kind}, "
                "Range(low, high)]`, and it becomes a slider whose ends are tried out here.",
                line,
            )
        if not option.help:
            yield (
                "note",
                f"The option {option.name} is not explained: write "
                f'`Annotated[{kind}, …, "what it is"]`.',
                line,
            )
    told = [f"{p.name}: {p.expected()}, by default {p.default}" for p in declared]
    yield "ok", ("; ".join(told) or "There are none") + "."


def size(examined: Examined) -> Found:
    """How large is it?"""
    parts = examined.parts
    yield (
        "ok",
        f"{examined.architecture.parameters:,} parameters in {len(list(layers(parts)))} layers, "
        f"{sum(part.macs for part in parts):,} multiply-adds for an image of {shape(IMAGES[0])}.",
    )


def ranges(examined: Examined) -> Found:
    """Does it answer, and learn, at both ends of every option, on grey and coloured images?"""
    tried, told = 0, set()
    location = examined.architecture.location
    for values in corners(examined.architecture.options):
        for images in IMAGES:
            tried += 1
            chosen = ", ".join(f"{name}={value}" for name, value in values.items()) or "defaults"
            where = f"With {chosen} on images of {shape(images)}"
            try:
                model = examined.build(images, values)
                logits = model(noise(images))
                if not isinstance(logits, Tensor) or logits.shape != (4, images.num_classes):
                    given = tuple(getattr(logits, "shape", ())) or type(logits).__name__
                    yield (
                        "error",
                        f"{where}, it answers four images with {given} where (4, num_classes) = "
                        f"(4, {images.num_classes}) is expected.",
                    )
                    continue
                loss = F.cross_entropy(logits, torch.arange(4) % images.num_classes)
                loss.backward()
                if not loss.isfinite():
                    yield "error", f"{where}, its loss is {loss.item()} before it has learned."
            except (Exception, SystemExit) as error:
                reason = explain(error, location)
                if reason not in told:  # the same slip shows at many ends
                    yield "error", f"{where}: {reason}", place(error, location)
                told.add(reason)
    if not told:
        yield "ok", f"It answers and can be differentiated in {tried} settings."


def logits(examined: Examined) -> Found:
    """Does it answer with logits, whatever the batch?"""
    model, images = examined.build(), noise(IMAGES[0])
    with evaluating(model), torch.inference_mode():
        answers = model(images)
    if bool((answers >= 0).all()) and same(answers.sum(1), torch.ones(4)):
        yield (
            "error",
            "It answers with probabilities: leave the softmax at its end out, for the loss "
            "(cross-entropy) takes logits.",
        )
    elif bool((answers >= 0).all()) and bool((answers == 0).any()):
        yield (
            "note",
            "All its logits are 0 or above, as after a ReLU: leave out what comes after the last "
            "linear layer.",
        )
    else:
        yield "ok", "It answers with logits."
    try:
        model.train()(images[:1])
    except Exception as error:
        location = examined.architecture.location
        yield (
            "note",
            "It cannot learn from a batch of one image, which the last of an epoch may be: "
            + explain(error, location),
            place(error, location),
        )


def gradients(examined: Examined) -> Found:
    """Does every weight learn?"""
    model = examined.build()
    F.cross_entropy(model(noise(IMAGES[0])), torch.arange(4)).backward()
    named = [(name, p.grad) for name, p in model.named_parameters() if p.requires_grad]
    unused = [name for name, grad in named if grad is None]
    silent = [name for name, grad in named if grad is not None and not grad.any()]
    if unused:
        yield (
            "note",
            f"No gradient reaches {listed(unused)}: what it gives is not used in `forward`.",
            examined.home,
        )
    if silent:
        yield "note", f"The gradient of {listed(silent)} is zero on random images."
    if not unused and not silent:
        yield "ok", f"A gradient reaches each of its {len(named)} weight and bias tensors."


def branches(examined: Examined) -> Found:
    """Are branches named, and merged as they are declared?"""
    model = examined.build()
    found = [(name, part) for name, part in model.named_modules() if isinstance(part, Branches)]
    if not found:
        yield (
            "note",
            "It names no branches, so there is none to switch off: put paths that run side by "
            "side, skips too, into `Branches`.",
        )
        return
    heard = trace(model, noise(IMAGES[0]), keep=Tensor.clone).kept
    well = []
    for name, block in found:
        paths = [branch_path(name, branch) for branch in block]
        given = [heard[path] for path in paths if path in heard]
        if name not in heard or len(given) < len(block):
            yield "note", f"The block {name} is not run, or not all of its branches are."
        elif not same(block.merge(given), heard[name]):
            yield (
                "error",
                f"The block {name} does not give what its merge makes of its branches: override "
                "nothing of Branches, and pass another function as `merge`.",
                place_of(type(block)) or examined.home,
            )
        else:
            well.append(f"{name} = {', '.join(block)}")
    if well:
        yield "ok", "; ".join(well) + "."


def affine(examined: Examined) -> Found:
    """Is a block less than it looks?"""
    model = examined.build()
    verdicts = linearity(model, IMAGES[0])
    modules = dict(model.named_modules())
    deep = [v for v in verdicts if v.replacement and len(list(modules[v.block].children())) > 1]
    for verdict in deep:
        assert verdict.replacement
        yield (
            "note",
            f"The block {verdict.block} acts as one affine map, so that "
            f"{verdict.replacement.text} could do what it does; an activation within it would "
            "make it more.",
        )
    if verdicts and not deep:
        yield "ok", "No block with several branches acts as one affine map."
