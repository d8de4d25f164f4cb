"""Examines an architecture: builds it, runs it, trains it a little, stores it, moves it."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from explorer.architecture import Architecture
from explorer.branches import Branches
from explorer.checkpoint import load_weights, pack_weights
from explorer.data.resident import Data
from explorer.diagnosis import explain, place
from explorer.events import Epoch
from explorer.inspection.linearity import linearity
from explorer.inspection.parts import layers
from explorer.inspection.tracing import evaluating
from explorer.passport.examined import (
    IMAGES,
    Examined,
    corners,
    listed,
    noise,
    outputs,
    place_of,
    same,
    shape,
)
from explorer.passport.findings import Finding, Found, Passport, run_check
from explorer.recipe import Recipe
from explorer.training import train

LESSON = Recipe("adamw", 0.003, batch_size=64, train_size=512, epochs=4)
STEPS = LESSON.epochs * 512 // LESSON.batch_size
_FALL = 0.95  # of the first epoch's mean loss


def examine(architecture: Architecture, data: Data) -> Passport:
    """Examine an architecture by every check."""
    examined = Examined(architecture, data)
    findings = tuple(finding for name in CHECKS for finding in run(examined, name))
    return Passport("architecture", architecture.name, _facts(examined), findings)


def run(examined: Examined, name: str) -> Sequence[Finding]:
    """Examine by one check; torch's random numbers are left as they were."""
    source, home = examined.architecture.source, examined.home
    with torch.random.fork_rng(devices=[]):
        return list(run_check(name, CHECKS[name], examined, source, home))


def parameters(examined: Examined) -> Found:
    """Can each parameter be set by someone who has not read the code?"""
    declared = examined.architecture.parameters
    for parameter in declared:
        line = examined.place(parameter.name)
        kind = parameter.type.__name__
        if parameter.type in (int, float) and not parameter.range and not parameter.choices:
            yield (
                "note",
                f"The parameter {parameter.name} has no limits: write `Annotated[{kind}, "
                "Range(low, high)]`, and it becomes a slider whose ends are tried out here.",
                line,
            )
        if not parameter.help:
            yield (
                "note",
                f"The parameter {parameter.name} is not explained: write "
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
        f"{examined.architecture.weights:,} weights in {len(list(layers(parts)))} layers, "
        f"{sum(part.macs for part in parts):,} multiply-adds for an image of {shape(IMAGES[0])}.",
    )


def ranges(examined: Examined) -> Found:
    """Does it answer, and learn, at both ends of every parameter, on grey and coloured images?"""
    tried, told = 0, set()
    source = examined.architecture.source
    for values in corners(examined.architecture.parameters):
        for images in IMAGES:
            tried += 1
            chosen = ", ".join(f"{name}={value}" for name, value in values.items()) or "defaults"
            where = f"With {chosen} on images of {shape(images)}"
            try:
                model = examined.build(images, values)
                logits = model(noise(images))
                if not isinstance(logits, Tensor) or logits.shape != (4, images.classes):
                    given = tuple(getattr(logits, "shape", ())) or type(logits).__name__
                    yield (
                        "error",
                        f"{where}, it answers four images with {given} where (4, classes) = "
                        f"(4, {images.classes}) is expected.",
                    )
                    continue
                loss = F.cross_entropy(logits, torch.arange(4) % images.classes)
                loss.backward()
                if not loss.isfinite():
                    yield "error", f"{where}, its loss is {loss.item()} before it has learned."
            except (Exception, SystemExit) as error:
                reason = explain(error, source)
                if reason not in told:  # the same slip shows at many ends
                    yield "error", f"{where}: {reason}", place(error, source)
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
        source = examined.architecture.source
        yield (
            "note",
            "It cannot learn from a batch of one image, which the last of an epoch may be: "
            + explain(error, source),
            place(error, source),
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
    heard = outputs(model, [part for _, block in found for part in (block, *block.values())])
    well = []
    for name, block in found:
        given = [heard[path] for path in block.values() if path in heard]
        if block not in heard or len(given) < len(block):
            yield "note", f"The block {name} is not run, or not all of its branches are."
        elif not same(block.merge(given), heard[block]):
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


def answers(examined: Examined) -> Found:
    """Does the answer to an image depend on that image alone, and not on when it is asked?"""
    model, images = examined.build(), noise(IMAGES[0])
    with evaluating(model), torch.inference_mode():
        whole, again = model(images).clone(), model(images).clone()
        single = torch.cat([model(image[None]) for image in images])
    if not torch.equal(whole, again):
        yield (
            "error",
            "Asked twice in evaluation mode, it answers differently: what is random in training "
            "must end with it, as nn.Dropout does, or by `if self.training`.",
        )
    elif not same(whole, single):
        yield (
            "error",
            "In evaluation mode, the answer to an image depends on the others of its batch: "
            "average over channels or pixels, not over images.",
        )
    else:
        yield "ok", "The answer to an image depends on that image alone."


def repeats(examined: Examined) -> Found:
    """Do equal seeds give equal networks, and equal steps?"""
    one, other = examined.build(seed=3), examined.build(seed=3)
    first, second = one.state_dict(), other.state_dict()
    equal = first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)
    if equal:
        steps = []
        for model in (one, other):
            torch.manual_seed(0)
            steps.append(model.train()(noise(IMAGES[0])).detach())
        equal = same(*steps)
    if equal:
        yield "ok", "Equal seeds give equal networks and equal steps."
    else:
        yield (
            "error",
            "Equal seeds give different networks or steps, so no run can be repeated: draw random "
            "numbers from torch alone, not from `random` or numpy.",
        )


def learns(examined: Examined) -> Found:
    """Does the loss fall over a few steps on real images?"""
    whole = examined.data
    data = Data(whole.spec, whole.train, whole.test.first(250))  # of which nothing is asked here
    torch.manual_seed(0)
    events = list(train(examined.build(), data, LESSON))
    losses = [event.train_loss for event in events if isinstance(event, Epoch)]
    told = (
        f"from {losses[0]:.2f} in the first quarter to {losses[-1]:.2f} in the last of {STEPS} "
        f"steps on {LESSON.train_size} images of MNIST"
    )
    if losses[-1] < _FALL * losses[0]:
        yield "ok", f"The loss falls {told}."
    else:
        yield (
            "error",
            f"The loss does not fall: {told}; normalise, initialise otherwise, or look for a "
            "layer that lets nothing through.",
        )


def keeps(examined: Examined) -> Found:
    """Does all that it has learned go through safetensors and back?"""
    model, other = examined.build(seed=1), examined.build(seed=2)
    model(noise(IMAGES[0]))  # so that running means have moved
    load_weights(other, pack_weights(model))
    with evaluating(model), evaluating(other), torch.inference_mode():
        images = noise(IMAGES[0])
        if same(model(images), other(images)):
            yield "ok", "It answers the same after its weights were stored and read back."
            return
    yield (
        "error",
        "It answers differently after its weights were stored and read back: make what it learns "
        "or draws an nn.Parameter, or register it with `self.register_buffer`.",
    )


def compiles(examined: Examined) -> Found:
    """Can `torch.compile` follow it?"""
    model, images = examined.build().eval(), noise(IMAGES[0])
    try:
        with torch.no_grad():
            compiled = torch.compile(copy.deepcopy(model), backend="aot_eager", fullgraph=True)(
                images
            )
            equal = same(compiled, model(images))
    except Exception as error:
        words = str(error).strip().partition("\n")[0]
        yield "note", f"torch.compile cannot follow it in one piece: {words}"
        return
    finally:
        torch.compiler.reset()
    if equal:
        yield "ok", "torch.compile can follow it."
    else:
        yield "note", "Compiled by torch.compile, it answers differently."


def devices(examined: Examined) -> Found:
    """Does all of it move to another device, and back?"""
    model, images = examined.build().eval(), noise(IMAGES[0])
    device = torch.accelerator.current_accelerator(check_available=True)
    # Without a GPU, torch's device without memory tells as well what stays behind.
    elsewhere = device or torch.device("meta")
    source = examined.architecture.source
    with torch.no_grad():
        here = model(images)
        try:
            there = copy.deepcopy(model).to(elsewhere)(images.to(elsewhere))
        except NotImplementedError:
            yield "note", "Whether all of it moves to a GPU cannot be told without one."
            return
        except RuntimeError as error:
            yield (
                "error",
                f"Not all of it moves to another device: {explain(error, source)} Register tensors "
                "with `self.register_buffer`, and make new ones on the device of the input.",
                place(error, source),
            )
            return
        back = model.to(elsewhere).to("cpu")(images) if device else here
        moved = there.cpu() if device else here
    if torch.allclose(here, moved, 1e-2, 1e-2) and same(here, back):
        yield "ok", f"All of it moves to another device ({elsewhere.type})."
    else:
        yield "error", f"It answers differently on {elsewhere.type}."


CHECKS: Mapping[str, Callable[[Examined], Found]] = {
    check.__name__: check
    for check in (
        parameters,
        size,
        ranges,
        logits,
        gradients,
        branches,
        affine,
        answers,
        repeats,
        learns,
        keeps,
        compiles,
        devices,
    )
}


def _facts(examined: Examined) -> dict[str, Any]:
    architecture = examined.architecture
    facts = {
        "summary": architecture.summary,
        "origin": architecture.source.origin,
        "fingerprint": architecture.fingerprint,
        "weights": architecture.weights,
        "parameters": [parameter.describe() for parameter in architecture.parameters],
    }
    try:
        parts = examined.parts
    except (Exception, SystemExit):  # a check has said so
        return facts | {"macs": None, "layers": []}
    return facts | {
        "macs": sum(part.macs for part in parts),
        "layers": [
            {
                "name": layer.name,
                "layer": layer.text,
                "shape": list(layer.shape),
                "weights": layer.weights,
                "macs": layer.macs,
            }
            for layer in layers(parts)
        ],
    }
