"""Patching: give one image's activation to another image's run, and see what the answer does.

If the answer changes to that of the other image, what the network says hangs on this part
(Vig et al. 2020, arXiv:2004.12265, section 3; Heimersheim & Nanda 2024, arXiv:2404.15255).
"""

from typing import Any

import torch
from torch import Tensor, nn

from explorer.inspection.ablation import places
from explorer.inspection.intervene import intervene
from explorer.inspection.parts import UnknownPartError
from explorer.inspection.tracing import Trace
from explorer.modes import evaluating
from explorer.outputs import first_output
from explorer.text import suggest


@torch.no_grad()
def patched(model: nn.Module, seen: Trace[Any], name: str, images: Tensor, donor: Tensor) -> Tensor:
    """Run `images` with the output of one part taken from the run of another image.

    Args:
        model: Unchanged afterwards.
        seen: What was seen of it.
        name: The name of a layer, an operation, a branch or a block.
        images: `(N, C, H, W)`, normalised, on the model's device.
        donor: The other image, `(C, H, W)`, likewise.

    Returns:
        The logits, `(N, num_classes)`, on the CPU.

    Raises:
        UnknownPartError: There is no part of that name.
        InterventionError: An image does not pass that part.
    """
    found = places(seen)
    if name not in found:
        raise UnknownPartError(f"There is no part {name!r}; {suggest(name, found)}")
    target, _ = found[name]
    given: list[Tensor] = []

    def take(value: Tensor) -> Tensor:
        given.append(value.clone())
        return value

    with evaluating(model), torch.random.fork_rng(devices=[]):
        # As many copies as there are images, since a part may treat them together.
        intervene(model, donor.expand_as(images), {target: take})
        output = intervene(model, images, {target: given[0]})
    return first_output(output).float().cpu()
