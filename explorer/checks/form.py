"""Checks of what a network is made of: options, images, shapes, logits, weights, branches."""

import torch
import torch.nn.functional as F

from explorer.branches import Branches
from explorer.checks.examined import Examined, corners, labels, listed, noise, same
from explorer.checks.findings import Found
from explorer.errors import explain, place
from explorer.inspection.linearity import linearity
from explorer.inspection.parts import Block, blocks, nodes
from explorer.modes import evaluating
from explorer.outputs import first_output, tensors_in
from explorer.plugin.architecture import try_out
from explorer.text import dimensions


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
                "Range(low, high)]`; it then is a slider, and both its ends are checked here.",
                line,
            )
        if not option.help:
            yield (
                "note",
                f"The option {option.name} is not explained: write "
                f'`Annotated[{kind}, …, "what it is"]`.',
                line,
            )
    if kept := examined.architecture.constructor.kept:
        yield (
            "note",
            f"There is no widget for {listed(list(kept))}: the constructor's own default is taken.",
        )
    texts = [f"{each.name}: {each.expected()}, by default {each.default}" for each in declared]
    yield "ok", ("; ".join(texts) or "There are none") + "."


def size(examined: Examined) -> Found:
    """How large is it?"""
    seen = examined.seen
    steps = len(seen.graph.nodes) - 1
    yield (
        "ok",
        f"{examined.architecture.parameters:,} parameters in {steps} layers and operations, "
        f"{seen.macs:,} multiply-adds for an image of {dimensions(examined.images.shape)}.",
    )


def fits(examined: Examined) -> Found:
    """Which images does it take?"""
    architecture, taken = examined.architecture, []
    for images in examined.kinds:
        try:
            try_out(architecture.constructor, images)
            taken.append(dimensions(images.shape))
        except (Exception, SystemExit) as error:
            if architecture.repeats_grey(images):
                yield (
                    "note",
                    f"It takes colour images only; it is given the grey of "
                    f"{dimensions(images.shape)} in each of three channels.",
                )
                continue
            yield (
                "note",
                f"It does not take images of {dimensions(images.shape)}, and is not offered for "
                f"them: {explain(error, architecture.location)}",
                place(error, architecture.location),
            )
    if taken:
        yield "ok", f"It takes images of {' and '.join(taken)}."


def ranges(examined: Examined) -> Found:
    """Does it answer, and learn, at both ends of every option, on all images that it takes?"""
    tried, failed, reasons = 0, False, set()
    location = examined.architecture.location
    for values in corners(examined.architecture.options):
        for images in examined.taken:
            tried += 1
            chosen = ", ".join(f"{name}={value}" for name, value in values.items()) or "defaults"
            where = f"With {chosen} on images of {dimensions(images.shape)}"
            try:
                model = examined.build(images, values)
                logits = first_output(model(noise(images)))
                if logits.shape != (4, images.num_classes):
                    given = tuple(logits.shape)
                    failed = True
                    yield (
                        "error",
                        f"{where}, it answers four images with {given} where (4, num_classes) = "
                        f"(4, {images.num_classes}) is expected.",
                    )
                    continue
                loss = F.cross_entropy(logits, labels(images))
                loss.backward()
                if not loss.isfinite():
                    failed = True
                    yield "error", f"{where}, its loss is {loss.item()} before it has learned."
            except (Exception, SystemExit) as error:
                reason = explain(error, location)
                if reason not in reasons:  # one mistake shows at many ends
                    yield "error", f"{where}: {reason}", place(error, location)
                failed = True
                reasons.add(reason)
    if not failed:
        settings = f"{tried} settings" if tried > 1 else "one setting"
        yield "ok", f"It answers and can be differentiated in {settings}."


def logits(examined: Examined) -> Found:
    """Does it answer with logits, whatever the batch?"""
    model, images = examined.build(), examined.noise()
    with evaluating(model), torch.no_grad():
        answers = first_output(model(images))
    if bool((answers >= 0).all()) and same(answers.sum(1), torch.ones(4)):
        yield (
            "error",
            "It answers with probabilities: remove the softmax at its end, since the loss "
            "(cross-entropy) takes logits.",
        )
    elif bool((answers >= 0).all()) and bool((answers == 0).any()):
        yield (
            "note",
            "All its logits are 0 or above, as after a ReLU: remove what comes after the last "
            "linear layer.",
        )
    else:
        yield "ok", "It answers with logits."
    if (number := sum(1 for _ in tensors_in(model.train()(images)))) > 1:
        yield "note", f"It gives {number} outputs in training mode; the loss takes the first."
    try:
        model.train()(images[:1])
    except Exception as error:
        location = examined.architecture.location
        yield (
            "note",
            "It cannot be trained on a batch of one image, as with a batch size of 1: "
            + explain(error, location),
            place(error, location),
        )


def gradients(examined: Examined) -> Found:
    """Does every parameter receive a gradient?"""
    model = examined.build()
    logits = first_output(model(examined.noise()))
    F.cross_entropy(logits, labels(examined.images)).backward()
    named = [(name, p.grad) for name, p in model.named_parameters() if p.requires_grad]
    unused = [name for name, grad in named if grad is None]
    silent = [name for name, grad in named if grad is not None and not grad.any()]
    if unused:
        yield (
            "note",
            f"No gradient reaches {listed(unused)}: the result is not used in `forward`.",
            examined.home,
        )
    if silent:
        yield "note", f"The gradient of {listed(silent)} is zero on random images."
    if not unused and not silent:
        yield "ok", f"A gradient reaches each of its {len(named)} weight and bias tensors."


def branches(examined: Examined) -> Found:
    """Which branches does it have?"""
    found, ran = list(blocks(examined.seen.parts)), examined.seen.begun
    for path, module in examined.build().named_modules():
        if isinstance(module, Branches) and path not in ran:
            yield "note", f"The block {path} is not run."
    if found:
        named = "; ".join(f"{block.name} = {', '.join(block.branches)}" for block in found)
        yield "ok", f"Its branches: {named}."
    else:
        yield (
            "note",
            "It has no branches that could be switched off: each of its layers takes what the last "
            "one gave.",
        )


def affine(examined: Examined) -> Found:
    """Could one layer replace a block?"""
    found = {block.name: block for block in blocks(examined.seen.parts)}
    verdicts = linearity(examined.build(), examined.images)
    deep = [v for v in verdicts if v.replacement and _is_deep(found[v.block])]
    for verdict in deep:
        assert verdict.replacement
        yield (
            "note",
            f"The block {verdict.block} is one affine map: {verdict.replacement.text} could "
            "replace it; an activation between its layers would change that.",
        )
    if verdicts and not deep:
        yield "ok", "No block of several layers is one affine map."


def _is_deep(block: Block) -> bool:
    """Tell whether several layers of a block have parameters."""
    return sum(bool(node.weights) for node in nodes([block])) > 1
