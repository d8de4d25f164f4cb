"""Patching: give one image's activation to another image's run, and see what the answer does.

If the answer changes to that of the other image, what the network says hangs on this part
(Vig et al. 2020, arXiv:2004.12265, section 3; Heimersheim & Nanda 2024, arXiv:2404.15255).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.inspection.ablation import places
from explorer.inspection.intervene import InterventionError, Target, intervene, intervening
from explorer.inspection.parts import UnknownPartError
from explorer.inspection.tracing import Trace
from explorer.language import say
from explorer.modes import evaluating
from explorer.outputs import first_output
from explorer.text import suggest

TOGETHER = 61  # parts that are patched at once: a prime, which no side of a map is likely to be


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
        raise UnknownPartError(
            say("There is no part {name!r}; {meant}", name=name, meant=suggest(name, found))
        )
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


@torch.no_grad()
def patched_each(
    model: nn.Module, seen: Trace[Any], image: Tensor, donor: Tensor
) -> Mapping[str, Tensor]:
    """Run `image` once for each part, with its output taken from the run of another image.

    Args:
        model: Unchanged afterwards.
        seen: What was seen of it.
        image: `(C, H, W)`, normalised, on the model's device.
        donor: The other image, likewise.

    Returns:
        The logits by the name of the part, `(num_classes,)`, on the CPU: those of `patched`. A part
        that one of the images does not pass is left out.
    """
    found = {name: target for name, (target, _) in places(seen).items()}
    try:
        if _are_independent(model, image, donor):
            return _together(model, found, image, donor)
    except (InterventionError, _MixesImagesError):
        pass
    logits: dict[str, Tensor] = {}
    for name in found:
        try:
            logits[name] = patched(model, seen, name, image[None], donor)[0]
        except InterventionError:
            continue
    return logits


class _MixesImagesError(ExplorerError):
    """What a part gives is not for one image each."""


def _are_independent(model: nn.Module, image: Tensor, donor: Tensor) -> bool:
    """Tell whether a network gives an image the same answer whatever is beside it."""
    with evaluating(model), torch.random.fork_rng(devices=[]):
        alone = [first_output(model(each[None])) for each in (image, donor)]
        beside = first_output(model(torch.stack([image, donor])))
    return torch.allclose(torch.cat(alone), beside, rtol=1e-4, atol=1e-4)


def _together(
    model: nn.Module, found: Mapping[str, Target], image: Tensor, donor: Tensor
) -> dict[str, Tensor]:
    """Run many copies of an image at once, each with another part patched."""
    given: dict[Target, Tensor] = {}
    logits: dict[str, Tensor] = {}

    def taking(target: Target) -> Callable[[Tensor], Tensor]:
        def take(value: Tensor) -> Tensor:
            given[target] = value.clone()
            return value

        return take

    def putting(target: Target, rows: Sequence[int]) -> Callable[[Tensor], Tensor]:
        def put(value: Tensor) -> Tensor:
            if len(value) != copies or given[target].shape != (1, *value.shape[1:]):
                raise _MixesImagesError
            value = value.clone()
            value[list(rows)] = given[target]
            return value

        return put

    with evaluating(model), torch.random.fork_rng(devices=[]):
        with intervening(model, {target: taking(target) for target in found.values()}):
            model(donor[None])
        for start in range(0, len(found), TOGETHER):
            names = list(found)[start : start + TOGETHER]
            copies = len(names)
            rows: dict[Target, list[int]] = {}
            for row, name in enumerate(names):
                rows.setdefault(found[name], []).append(row)
            changes = {target: putting(target, each) for target, each in rows.items()}
            output = intervene(model, image.expand(copies, -1, -1, -1), changes)
            logits |= zip(names, first_output(output).float().cpu(), strict=True)
    return logits
