"""Logit attribution: how much of each logit a branch contributed.

Let one branch of a block run alone, while the others give zeros; what the logits gain over all of
them giving zeros is its contribution. Where everything from the merge to the logits is affine (as
with concatenation, flattening and a linear layer), the contributions and the logits without any
branch, which then are the biases, sum to the logits exactly. Whether they do is tested.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.inspection.ablation import ablated
from explorer.inspection.parts import blocks
from explorer.inspection.results import LogitAttribution
from explorer.inspection.tracing import Trace
from explorer.language import say
from explorer.modes import evaluating
from explorer.outputs import first_output

TOLERANCE = 1e-4  # of the sum, relative to the largest logit
PROBES = 8


class UnknownBlockError(ExplorerError, LookupError):
    """The network has no block of that name."""


def logit_attribution(
    model: nn.Module, seen: Trace[Any], name: str, images: Tensor
) -> LogitAttribution:
    """Divide the logits of `images` among the branches of a block.

    Args:
        model: Unchanged afterwards.
        seen: What was seen of it.
        name: The name of the block.
        images: `(N, C, H, W)`, normalised, on the model's device.

    Raises:
        UnknownBlockError: There is no block of that name.
        InterventionError: An image takes another path through the network.
    """
    branches = _branches(seen, name)
    generator = torch.Generator().manual_seed(0)
    probes = torch.randn(PROBES, *images.shape[1:], generator=generator).to(images)
    batch = torch.cat([images, probes])

    def logits(*off: str) -> Tensor:
        with ablated(model, seen, off):
            return first_output(model(batch)).float().cpu()

    with evaluating(model), torch.random.fork_rng(devices=[]), torch.no_grad():
        whole = logits()
        without = logits(*branches.values())
        alone = {
            name: logits(*(other for other in branches.values() if other != branch)) - without
            for name, branch in branches.items()
        }
        error = (without + torch.stack(list(alone.values())).sum(0) - whole).abs().max()
        # Without its branches, they must not depend on the image, or something flows around it.
        error = torch.maximum(error, (without - without[:1]).abs().max())
        exact = bool(error <= TOLERANCE * whole.abs().max().clamp(min=1))
        if not exact:
            alone = {name: whole - logits(branch) for name, branch in branches.items()}
    found = {name: contribution[: len(images)].numpy() for name, contribution in alone.items()}
    return LogitAttribution(name, exact, found, without[0].numpy() if exact else None)


def logit_falls(
    model: nn.Module, seen: Trace[Any], name: str, image: Tensor
) -> dict[str, NDArray[np.float32]]:
    """Find out how far each logit falls when one branch of a block is switched off.

    Where the logit attribution is exact, these are its contributions; one image and one pass for
    each branch are enough for them.

    Args:
        model: Unchanged afterwards.
        seen: What was seen of it.
        name: The name of the block.
        image: `(1, C, H, W)`, normalised, on the model's device.

    Returns:
        By the branch's name, `(num_classes,)`.

    Raises:
        UnknownBlockError: There is no block of that name.
        InterventionError: The image takes another path through the network.
    """
    branches = _branches(seen, name)
    with evaluating(model), torch.no_grad():
        whole = first_output(model(image)).float().cpu()
        found = {}
        for branch, path in branches.items():
            with ablated(model, seen, [path]):
                found[branch] = (whole - first_output(model(image)).float().cpu())[0].numpy()
    return found


def _branches(seen: Trace[Any], name: str) -> dict[str, str]:
    """Return the paths of the branches of a block, by their names."""
    block = next((block for block in blocks(seen.parts) if block.name == name), None)
    if block is None:
        raise UnknownBlockError(say("There is no block {name!r} in this network.", name=name))
    return {branch.name: branch.path for branch in block.branches.values()}
