"""Gradients: the norm of the loss's gradient in each layer and in each branch."""

import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.training.gradient_norms import layer_norms


def gradient_norms(model: nn.Module, images: Tensor, labels: Tensor) -> Mapping[str, float]:
    """Compute the norm of the loss's gradient in the parameters of each layer, for one batch.

    The model keeps its mode, so that in training mode batch norm and dropout act as they do in
    training; its parameters, their gradients and its buffers are unchanged afterwards.

    Args:
        model: Takes `(N, C, H, W)`, gives logits `(N, num_classes)`.
        images: `(N, C, H, W)`, normalised, on the model's device.
        labels: The true classes, `(N,)`.

    Returns:
        The L2 norm by the layer's path; 0 where no gradient arrives.
    """
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    weights = [p for p in model.parameters() if p.requires_grad]
    try:
        with torch.random.fork_rng(devices=[]):
            loss = F.cross_entropy(model(images), labels)
            found = torch.autograd.grad(loss, weights, allow_unused=True)
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
    gradients = dict(zip(map(id, weights), found, strict=True))
    return layer_norms(model, {key: grad for key, grad in gradients.items() if grad is not None})


def branch_norms(branches: Iterable[str], norms: Mapping[str, float]) -> Mapping[str, float]:
    """Compute the norm of all parameters of each branch together, from those of the layers.

    Args:
        branches: The paths of the branches. Those without parameters, such as a skip, are left out.
        norms: The norm of each layer, by its path.
    """
    inside = {
        branch: [norm for path, norm in norms.items() if f"{path}.".startswith(f"{branch}.")]
        for branch in branches
    }
    return {branch: math.hypot(*own) for branch, own in inside.items() if own}
