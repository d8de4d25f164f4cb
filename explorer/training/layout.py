"""Finds the fastest way to run a network that changes nothing of what it computes.

Images and parameters are laid out channels-last here, and one kernel updates all parameters. Its
author did neither, and not every network takes it: `view` refuses maps that are channels-last, a
fused optimiser refuses complex parameters. So each is tried on a few images first; what the network
does not take is done the plain way, with a note.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn, optim

from explorer.data.loader import Data
from explorer.errors import message_of
from explorer.language import listed, say
from explorer.modes import evaluating
from explorer.outputs import first_output
from explorer.text import cut
from explorer.training.recipe import Recipe
from explorer.training.state import State
from explorer.training.step import FUSED, PlainStepper, make_optimiser

IMAGES = 8  # that a network is tried on
TOLERANCE = 1e-3  # of the greatest logit; kernels for other layouts round differently
PLAIN = torch.contiguous_format
REASON_LENGTH = 120  # characters


def settle(model: nn.Module, data: Data) -> tuple[Data, str]:
    """Put a network into the fastest memory layout in which its output stays the same.

    Args:
        model: Moved to the data's device, and else left as it is: mode, buffers, random numbers.
        data: What it will see.

    Returns:
        The data with its images in the network's layout; and why that is the plain one, as a part
        of a sentence, or nothing if it is the fastest.
    """
    model.to(data.device)
    wanted, _ = _logits(model, data, PLAIN)
    found, error = _logits(model, data, torch.channels_last)
    note = ""
    if error is not None:
        note = say(
            "in the plain memory layout, since it does not run in the faster one: {reason}",
            reason=_brief(error),
        )
    elif wanted is not None and not _close(found, wanted):
        note = say("in the plain memory layout, since it computes something else in the faster one")
    if not note:
        return data.laid_out(torch.channels_last), ""
    _lay_out(model, PLAIN)
    return data.laid_out(PLAIN), note


def prepare(model: nn.Module, data: Data, recipe: Recipe) -> tuple[Data, optim.Optimizer, str]:
    """Find the fastest layout and optimiser with which a network can be trained.

    A network that cannot be trained at all is left in the plain layout, so that training says why.

    Args:
        model: Moved to the data's device; its values, gradients and random numbers do not change.
        data: What it will be trained on.
        recipe: How.

    Returns:
        The data in the network's layout, a new optimiser, and what is not done the fastest way, as
        a part of a sentence; may be empty.
    """
    data, note = settle(model, data)
    notes = [note] if note else []
    for laid_out, fused in _ways(data):
        if laid_out.train.memory_format is PLAIN:
            _lay_out(model, PLAIN)
        error = _rehearse(model, laid_out, recipe, fused=fused)
        if error is None:
            optimiser = make_optimiser(model, recipe, data.device, fused=fused)
            return laid_out, optimiser, listed(notes, say("; "), say("; "))
        reason = _brief(error)
        notes.append(
            say("not with one update for all parameters: {reason}", reason=reason)
            if fused
            else say("not channels-last: {reason}", reason=reason)
        )
    _lay_out(model, PLAIN)
    return data.laid_out(PLAIN), make_optimiser(model, recipe, data.device, fused=False), ""


def _ways(data: Data) -> Iterator[tuple[Data, bool]]:
    """Go from the fastest way to the plainest."""
    layouts = [data] if data.train.memory_format is PLAIN else [data, data.laid_out(PLAIN)]
    for laid_out in layouts:
        for fused in (True, False) if data.device.type in FUSED else (False,):
            yield laid_out, fused


def _rehearse(model: nn.Module, data: Data, recipe: Recipe, *, fused: bool) -> Exception | None:
    """Take one step on a few images and take it back; return what it raised."""
    state = State(model, data.device)
    number = min(IMAGES, recipe.batch_size, len(data.train))
    try:
        optimiser = make_optimiser(model, recipe, data.device, fused=fused)
        stepper = PlainStepper(model.train(), data.train, optimiser, recipe)
        stepper.step(torch.arange(number, device=data.device))
    except Exception as error:  # whatever the author's code has against it
        return error
    finally:
        state.restore()
        model.zero_grad(set_to_none=True)
    return None


@torch.no_grad()
def _logits(
    model: nn.Module, data: Data, memory_format: torch.memory_format
) -> tuple[Tensor | None, Exception | None]:
    """Return the network's logits for a few images in a layout, or what it raised."""
    state = State(model, data.device)
    split = data.laid_out(memory_format).test
    try:
        _lay_out(model, memory_format)
        with evaluating(model):
            return first_output(model(split.normalise(split.images[:IMAGES]))), None
    except Exception as error:  # whatever the author's code has against it
        return None, error
    finally:
        state.restore()


def _lay_out(model: nn.Module, memory_format: torch.memory_format) -> None:
    model.to(memory_format=memory_format)


def _close(found: Tensor | None, wanted: Tensor) -> bool:
    if found is None or found.shape != wanted.shape:
        return False
    size = wanted.abs().max().nan_to_num(posinf=1).clamp(min=1).item()
    return torch.allclose(found, wanted, 0, TOLERANCE * size, equal_nan=True)


def _brief(error: Exception) -> str:
    return cut(message_of(error), REASON_LENGTH)
