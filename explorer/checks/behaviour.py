"""Checks of what a network does: answers, learns, can be stored, compiled and moved."""

import copy

import torch
from torch import Tensor, nn

from explorer.checks.examined import (
    IMAGES,
    Examined,
    listed,
    noise,
    same,
)
from explorer.checks.findings import Found
from explorer.data.loader import Data
from explorer.errors import explain, place
from explorer.inspection.tracing import evaluating
from explorer.training.checkpoint import load_weights, pack_weights
from explorer.training.events import Epoch
from explorer.training.loop import train
from explorer.training.recipe import Recipe

LESSON = Recipe("adamw", 0.003, batch_size=64, train_size=512, epochs=4)
STEPS = LESSON.epochs * 512 // LESSON.batch_size
_FALL = 0.95  # of the first epoch's mean loss


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
        f"or draws an nn.Parameter, or register it with `self.register_buffer`{_stray(model)}.",
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
    location = examined.architecture.location
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
                f"Not all of it moves to another device: {explain(error, location)} Register "
                f"tensors with `self.register_buffer`{_stray(model)}, and make new ones on the "
                "device of the input.",
                place(error, location),
            )
            return
        back = model.to(elsewhere).to("cpu")(images) if device else here
        moved = there.cpu() if device else here
    if torch.allclose(here, moved, 1e-2, 1e-2) and same(here, back):
        yield "ok", f"All of it moves to another device ({elsewhere.type})."
    else:
        yield "error", f"It answers differently on {elsewhere.type}."


def _stray(model: nn.Module) -> str:
    """The names of tensors that are attributes only, in brackets."""
    names = [
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, Tensor)
    ]
    return f" ({listed(names)})" if names else ""
