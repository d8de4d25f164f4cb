"""Shares: how much of each logit a branch brought.

Let one branch of a block speak alone, the others giving zeros; what the logits gain over all of
them being silent is its share. Where everything from the merge to the logits is affine (as with
concatenation, flattening and a linear layer), the shares and the logits of the silent block, which
then are the biases, sum to the logits exactly. Whether they do is tested, not assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.branches import Branches
from explorer.inspection.ablation import ablated
from explorer.inspection.parts import branch_path
from explorer.inspection.tracing import evaluating

TOLERANCE = 1e-4  # of the sum, relative to the greatest logit
PROBES = 8


@dataclass(frozen=True, slots=True)
class Shares:
    """What each branch of a block brought to the logits.

    Attributes:
        block: The block's path.
        exact: Whether the shares and the bias sum to the logits, for these images and for random
            ones.
        shares: If exact, each branch's share of each logit, `(N, num_classes)`. If not, what each
            logit loses when the branch is switched off, which is all that can be said.
        bias: `(classes,)`: the logits without any branch; `None` if not exact, since they then
            depend on the rest.
    """

    block: str
    exact: bool
    shares: Mapping[str, Tensor]
    bias: Tensor | None


def branch_shares(model: nn.Module, path: str, images: Tensor) -> Shares:
    """Share the logits of `images` out among the branches of the block at `path`.

    Args:
        model: Left as it was.
        path: The path of a `Branches`.
        images: `(N, C, H, W)`, normalised, where the model lies.

    Raises:
        LookupError: There is no `Branches` of that path.
    """
    block = dict(model.named_modules()).get(path)
    if not isinstance(block, Branches):
        raise LookupError(f"There is no block {path!r} in this network.")
    branches = {name: branch_path(path, name) for name in block}
    generator = torch.Generator().manual_seed(0)
    probes = torch.randn(PROBES, *images.shape[1:], generator=generator).to(images)
    batch = torch.cat([images, probes])

    def logits(*off: str) -> Tensor:
        with ablated(model, off):
            answer: Tensor = model(batch)
        return answer.float().cpu()

    with evaluating(model), torch.random.fork_rng(devices=[]), torch.inference_mode():
        whole = logits()
        silent = logits(*branches.values())
        alone = {
            name: logits(*(other for other in branches.values() if other != branch)) - silent
            for name, branch in branches.items()
        }
        error = (silent + torch.stack(list(alone.values())).sum(0) - whole).abs().max()
        # The silent block's logits must not depend on the image, or something flows around it.
        error = torch.maximum(error, (silent - silent[:1]).abs().max())
        exact = bool(error <= TOLERANCE * whole.abs().max().clamp(min=1))
        if not exact:
            alone = {name: whole - logits(branch) for name, branch in branches.items()}
    shares = {name: share[: len(images)] for name, share in alone.items()}
    return Shares(path, exact, shares, silent[0] if exact else None)
