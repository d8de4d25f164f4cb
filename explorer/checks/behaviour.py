"""Checks of what a network does: answer, learn, be stored, be compiled, be moved."""

import copy

import torch
from torch import Tensor, nn

from explorer.checks.examined import Examined, first_four, same, shown_as
from explorer.checks.findings import Found
from explorer.data.loader import Data
from explorer.errors import explain, place
from explorer.language import say
from explorer.modes import evaluating
from explorer.outputs import first_output
from explorer.text import dimensions
from explorer.training.checkpoint import load_weights, pack_weights
from explorer.training.events import Epoch
from explorer.training.layout import prepare
from explorer.training.loop import train
from explorer.training.recipe import Recipe
from explorer.training.step import PlainStepper

TRAIN_SIZE, TEST_SIZE = 512, 250
RECIPE = Recipe("adamw", 0.003, batch_size=64, epochs=4)
STEPS = RECIPE.epochs * TRAIN_SIZE // RECIPE.batch_size
_FALL = 0.95  # of the first epoch's mean loss


def answers(examined: Examined) -> Found:
    """Does the answer to an image depend on that image alone?"""
    model, images = examined.build(), examined.noise()
    with evaluating(model), torch.no_grad():
        whole, again = (first_output(model(images)).clone() for _ in range(2))
        single = torch.cat([first_output(model(image[None])) for image in images])
    if not torch.equal(whole, again):
        yield (
            "error",
            say(
                "It gives two answers to the same images in evaluation mode: be random in training "
                "only, as nn.Dropout is, or with `if self.training`."
            ),
        )
    elif not same(whole, single):
        yield (
            "error",
            say(
                "In evaluation mode, the answer to an image depends on the others of its batch: "
                "average over channels or pixels, not over images."
            ),
        )
    else:
        yield "ok", say("The answer to an image depends on that image alone.")


def repeats(examined: Examined) -> Found:
    """Do equal seeds give equal networks, and equal steps?"""
    data = shown_as(examined.data, examined.images, TRAIN_SIZE, TEST_SIZE)
    one, other = examined.build(seed=3), examined.build(seed=3)
    first, second = one.state_dict(), other.state_dict()
    equal = first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)
    if equal:
        # What is drawn once in a step may be the same by chance; eight times in a row it rarely is.
        for model in (one, other):
            _take_steps(model, data)
        equal = _trained_equally(one, other)
    if equal:
        yield "ok", say("Equal seeds give equal networks and equal steps.")
    else:
        yield (
            "error",
            say(
                "Equal seeds give different networks or steps, so no run can be repeated: take "
                "random numbers from torch only, not from `random` or numpy."
            ),
        )


def learns(examined: Examined) -> Found:
    """Does the loss fall over a few steps on real images?"""
    data = shown_as(examined.data, examined.images, TRAIN_SIZE, TEST_SIZE)
    torch.manual_seed(0)
    model = examined.build()
    events = list(train(model, data, RECIPE))
    losses = [event.train_loss for event in events if isinstance(event, Epoch)]
    course = say(
        "from {first:.2f} in the first quarter to {last:.2f} in the last of {steps} steps on "
        "{images} images of MNIST",
        first=losses[0],
        last=losses[-1],
        steps=STEPS,
        images=len(data.train),
    )
    if data.spec.shape != examined.data.spec.shape:
        course = say("{course}, made {shape}", course=course, shape=dimensions(data.spec.shape))
    if _gives_one_answer(model, data):
        # The loss may fall all the same, since the last bias learns how frequent the classes are.
        yield (
            "error",
            say(
                "It gives all images the same answer, and the loss goes {course}: look for a layer "
                "that always gives zeros.",
                course=course,
            ),
        )
    elif losses[-1] < _FALL * losses[0]:
        yield "ok", say("The loss falls {course}.", course=course)
    elif losses[-1] < losses[0]:
        yield (
            "note",
            say(
                "The loss falls slowly: {course}; if it stays slow in a longer training, raise the "
                "learning rate, normalise, or change the initialisation.",
                course=course,
            ),
        )
    else:
        yield (
            "error",
            say(
                "The loss does not fall: {course}; normalise, change the initialisation, or look "
                "for a layer that always gives zeros.",
                course=course,
            ),
        )


def keeps(examined: Examined) -> Found:
    """Does it answer the same after its state dict was stored and loaded?"""
    model, other = examined.build(seed=1), examined.build(seed=2)
    model(examined.noise())  # so that running means have moved
    load_weights(other, pack_weights(model))
    with evaluating(model), evaluating(other), torch.no_grad():
        images = examined.noise()
        if same(first_output(model(images)), first_output(other(images))):
            yield "ok", say("It answers the same after its weights are stored and loaded.")
            return
    yield (
        "error",
        say(
            "It answers differently after its weights are stored and loaded: make each tensor that "
            "it keeps an nn.Parameter, or register it with `self.register_buffer`{stray}.",
            stray=_stray(model),
        ),
    )


def compiles(examined: Examined) -> Found:
    """Can `torch.compile` compile it?"""
    model, images = examined.build().eval(), examined.noise()
    try:
        with torch.no_grad():
            compiled = torch.compile(copy.deepcopy(model), backend="aot_eager", fullgraph=True)(
                images
            )
            equal = same(first_output(compiled), first_output(model(images)))
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        yield "note", say("torch.compile cannot compile it in one piece: {reason}", reason=reason)
        return
    finally:
        torch.compiler.reset()
    if equal:
        yield "ok", say("torch.compile can compile it.")
    else:
        yield "note", say("It answers differently when torch.compile has compiled it.")


def devices(examined: Examined) -> Found:
    """Does all of it move to another device, and back?"""
    model, images = examined.build().eval(), examined.noise()
    device = torch.accelerator.current_accelerator(check_available=True)
    # Without a GPU, torch's device without memory shows too what does not move.
    elsewhere = device or torch.device("meta")
    location = examined.architecture.location
    with torch.no_grad():
        here = first_output(model(images))
        try:
            there = first_output(copy.deepcopy(model).to(elsewhere)(images.to(elsewhere)))
        except NotImplementedError:
            yield (
                "note",
                say("Whether all of it moves to a GPU cannot be checked without a GPU."),
            )
            return
        except RuntimeError as error:
            yield (
                "error",
                say(
                    "Not all of it moves to another device: {reason} Register tensors with "
                    "`self.register_buffer`{stray}, and create new ones on the device of the "
                    "input.",
                    reason=explain(error, location),
                    stray=_stray(model),
                ),
                place(error, location),
            )
            return
        back = first_output(model.to(elsewhere).to("cpu")(images)) if device else here
        moved = there.cpu() if device else here
    if torch.allclose(here, moved, 1e-2, 1e-2) and same(here, back):
        yield "ok", say("All of it moves to another device ({device}).", device=elsewhere.type)
    else:
        yield "error", say("It answers differently on {device}.", device=elsewhere.type)


def _take_steps(model: nn.Module, data: Data) -> None:
    """Train a network for eight steps; equal networks are trained equally."""
    data, optimiser, _ = prepare(model, data, RECIPE)
    stepper = PlainStepper(model.train(), data.train, optimiser, RECIPE)
    torch.manual_seed(0)
    for indices in data.train.order(RECIPE.batch_size, seed=0):
        stepper.step(indices)


def _trained_equally(one: nn.Module, other: nn.Module) -> bool:
    """Return whether two networks have equal state dicts, but for rounding."""
    second = other.state_dict()
    return all(
        torch.allclose(tensor, second[name], 1e-4, 1e-5, equal_nan=True)
        if tensor.is_floating_point()
        else torch.equal(tensor, second[name])
        for name, tensor in one.state_dict().items()
    )


def _gives_one_answer(model: nn.Module, data: Data) -> bool:
    with evaluating(model), torch.no_grad():
        answers = first_output(model(data.test.normalise(data.test.images[:8])))
    return same(answers, answers[:1].expand_as(answers))


def _stray(model: nn.Module) -> str:
    """Return the names of tensors that are plain attributes, in brackets."""
    names = [
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, Tensor)
    ]
    return say(" ({names})", names=first_four(names)) if names else ""
