"""Checks of what a network is made of: options, images, shapes, logits, weights, branches."""

import torch
import torch.nn.functional as F

from explorer.branches import Branches
from explorer.checks.examined import Examined, corners, first_four, labels, noise, same
from explorer.checks.findings import Found
from explorer.errors import explain, place
from explorer.inspection.linearity import linearity
from explorer.inspection.parts import Block, blocks, nodes
from explorer.language import listed, plural, say
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
                say(
                    "The option {name} has no limits: write `Annotated[{kind}, Range(low, "
                    "high)]`; it then is a slider, and both its ends are checked here.",
                    name=option.name,
                    kind=kind,
                ),
                line,
            )
        if not option.help:
            yield (
                "note",
                say(
                    "The option {name} is not explained: write "
                    '`Annotated[{kind}, …, "what it is"]`.',
                    name=option.name,
                    kind=kind,
                ),
                line,
            )
    if kept := examined.architecture.constructor.kept:
        yield (
            "note",
            say(
                "There is no widget for {names}: the constructor's own default is taken.",
                names=first_four(list(kept)),
            ),
        )
    texts = [
        say(
            "{name}: {expected}, by default {default}",
            name=each.name,
            expected=each.expected(),
            default=each.default,
        )
        for each in declared
    ]
    every = listed(texts, ",", comma=say("; "))
    yield "ok", say("{options}.", options=every) if texts else say("There are none.")


def size(examined: Examined) -> Found:
    """How large is it?"""
    seen = examined.seen
    steps = len(seen.graph.nodes) - 1
    yield (
        "ok",
        say(
            "{parameters:,} parameters in {steps} layers and operations, {macs:,} multiply-adds "
            "for an image of {shape}.",
            parameters=examined.architecture.parameters,
            steps=steps,
            macs=seen.macs,
            shape=dimensions(examined.images.shape),
        ),
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
                    say(
                        "It takes colour images only; it is given the grey of {shape} in each of "
                        "three channels.",
                        shape=dimensions(images.shape),
                    ),
                )
                continue
            yield (
                "note",
                say(
                    "It does not take images of {shape}, and is not offered for them: {reason}",
                    shape=dimensions(images.shape),
                    reason=explain(error, architecture.location),
                ),
                place(error, architecture.location),
            )
    if taken:
        shapes = listed(taken, ",", comma=say(" and "))
        yield "ok", say("It takes images of {shapes}.", shapes=shapes)


def ranges(examined: Examined) -> Found:
    """Does it answer, and learn, at both ends of every option, on all images that it takes?"""
    tried, failed, reasons = 0, False, set()
    location = examined.architecture.location
    for values in corners(examined.architecture.options):
        for images in examined.taken:
            tried += 1
            chosen = ", ".join(f"{name}={value}" for name, value in values.items())
            where = say(
                "With {options} on images of {shape}",
                options=chosen or say("defaults"),
                shape=dimensions(images.shape),
            )
            try:
                model = examined.build(images, values)
                logits = first_output(model(noise(images)))
                if logits.shape != (4, images.num_classes):
                    given = tuple(logits.shape)
                    failed = True
                    yield (
                        "error",
                        say(
                            "{where}, it answers four images with {given} where (4, num_classes) = "
                            "(4, {classes}) is expected.",
                            where=where,
                            given=given,
                            classes=images.num_classes,
                        ),
                    )
                    continue
                loss = F.cross_entropy(logits, labels(images))
                loss.backward()
                if not loss.isfinite():
                    failed = True
                    yield (
                        "error",
                        say(
                            "{where}, its loss is {loss} before it has learned.",
                            where=where,
                            loss=loss.item(),
                        ),
                    )
            except (Exception, SystemExit) as error:
                reason = explain(error, location)
                if reason not in reasons:  # one mistake shows at many ends
                    yield (
                        "error",
                        say("{where}: {reason}", where=where, reason=reason),
                        place(error, location),
                    )
                failed = True
                reasons.add(reason)
    if not failed:
        yield (
            "ok",
            plural(
                "It answers and can be differentiated in one setting.",
                "It answers and can be differentiated in {n} settings.",
                tried or 1,
            ),
        )


def logits(examined: Examined) -> Found:
    """Does it answer with logits, whatever the batch?"""
    model, images = examined.build(), examined.noise()
    with evaluating(model), torch.no_grad():
        answers = first_output(model(images))
    if bool((answers >= 0).all()) and same(answers.sum(1), torch.ones(4)):
        yield (
            "error",
            say(
                "It answers with probabilities: remove the softmax at its end, since the loss "
                "(cross-entropy) takes logits."
            ),
        )
    elif bool((answers >= 0).all()) and bool((answers == 0).any()):
        yield (
            "note",
            say(
                "All its logits are 0 or above, as after a ReLU: remove what comes after the last "
                "linear layer."
            ),
        )
    else:
        yield "ok", say("It answers with logits.")
    if (number := sum(1 for _ in tensors_in(model.train()(images)))) > 1:
        yield (
            "note",
            say("It gives {n} outputs in training mode; the loss takes the first.", n=number),
        )
    try:
        model.train()(images[:1])
    except Exception as error:
        location = examined.architecture.location
        yield (
            "note",
            say(
                "It cannot be trained on a batch of one image, as with a batch size of 1: {reason}",
                reason=explain(error, location),
            ),
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
            say(
                "No gradient reaches {names}: the result is not used in `forward`.",
                names=first_four(unused),
            ),
            examined.home,
        )
    if silent:
        yield (
            "note",
            say("The gradient of {names} is zero on random images.", names=first_four(silent)),
        )
    if not unused and not silent:
        yield (
            "ok",
            say("A gradient reaches each of its {n} weight and bias tensors.", n=len(named)),
        )


def branches(examined: Examined) -> Found:
    """Which branches does it have?"""
    found, ran = list(blocks(examined.seen.parts)), examined.seen.begun
    for path, module in examined.build().named_modules():
        if isinstance(module, Branches) and path not in ran:
            yield "note", say("The block {block} is not run.", block=path)
    if found:
        named = [
            say("{block} = {names}", block=block.name, names=listed([*block.branches], ","))
            for block in found
        ]
        every = listed(named, ",", comma=say("; "))
        yield "ok", say("Its branches: {branches}.", branches=every)
    else:
        yield (
            "note",
            say(
                "It has no branches that could be switched off: each of its layers takes what the "
                "last one gave."
            ),
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
            say(
                "The block {block} is one affine map: {replacement} could replace it; an "
                "activation between its layers would change that.",
                block=verdict.block,
                replacement=verdict.replacement.text,
            ),
        )
    if verdicts and not deep:
        yield "ok", say("No block of several layers is one affine map.")


def _is_deep(block: Block) -> bool:
    """Tell whether several layers of a block have parameters."""
    return sum(bool(node.weights) for node in nodes([block])) > 1
