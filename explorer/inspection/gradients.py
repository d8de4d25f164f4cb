"""Gradients: how strongly a batch pulls at each layer and at each branch."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.inspection.ablation import branch_paths
from explorer.training.gradient_norms import layer_norms


def gradient_norms(model: nn.Module, images: Tensor, labels: Tensor) -> Mapping[str, float]:
    """The norm of the loss's gradient in the weights of each layer, for one batch.

    The model keeps its mode, so that in training mode batch norm and dropout act as they do in
    training; its weights, their gradients and its buffers are left as they were.

    Args:
        model: Takes `(N, C, H, W)`, answers with `(N, num_classes)` logits.
        images: `(N, C, H, W)`, normalised, where the model lies.
        labels: `(N,)`.

    Returns:
        The L2 norm by the layer's path, in the model's order; 0 where no gradient arrives.
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


def branch_norms(model: nn.Module, norms: Mapping[str, float]) -> Mapping[str, float]:
    """The norm of all weights of each branch together, from those of the layers.

    Branches without weights, such as a skip, are left out.
    """
    inside = {
        branch: [norm for path, norm in norms.items() if f"{path}.".startswith(f"{branch}.")]
        for branch in branch_paths(model)
    }
    return {branch: math.hypot(*own) for branch, own in inside.items() if own}
