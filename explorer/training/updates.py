"""One step, closely: which images it used, and what it did to each layer."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from explorer.training.events import Update
from explorer.training.gradient_norms import layer_norms, recorded_norms
from explorer.training.step import StepOutput


def parameters_of(model: nn.Module) -> Mapping[int, Tensor]:
    """Copy the trainable parameters, by their `id`."""
    return {id(p): p.detach().clone() for p in model.parameters() if p.requires_grad}


def update(
    step: int,
    epoch: int,
    numbers: Tensor,
    output: StepOutput,
    model: nn.Module,
    before: Mapping[int, Tensor],
) -> Update:
    """Say what a step did that was just taken.

    Args:
        step: The step, since the beginning of the run.
        epoch: The epoch it is in, from 1.
        numbers: Those of the batch's images among all training images, `int64`, `(N,)`.
        output: What the step left behind.
        model: The network, after the step.
        before: What `parameters_of` returned before it.
    """
    after = parameters_of(model)
    added = {key: after[key] - before[key] for key in after}
    losses = F.cross_entropy(output.logits.float(), output.labels, reduction="none")
    return Update(
        step=step,
        epoch=epoch,
        images=tuple(numbers.tolist()),
        predicted=tuple(output.logits.argmax(dim=1).tolist()),
        losses=tuple(losses.tolist()),
        gradients=recorded_norms(model),
        updates=layer_norms(model, added),
        weights=layer_norms(model, before),
    )
