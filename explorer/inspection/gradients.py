"""Gradients: how strongly a batch pulls at each layer and at each branch."""

import math
from collections import defaultdict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.inspection.ablation import branch_paths


def gradient_norms(model: nn.Module, images: Tensor, labels: Tensor) -> Mapping[str, float]:
    """The norm of the loss's gradient in the weights of each layer, for one batch.

    The model keeps its mode, so that in training mode batch norm and dropout act as they do in
    training; its weights, their gradients and its buffers are left as they were.

    Args:
        model: Takes `(N, C, H, W)`, answers with `(N, classes)` logits.
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
    return _norms(model, {key: grad for key, grad in gradients.items() if grad is not None})


def recorded_norms(model: nn.Module) -> Mapping[str, float]:
    """The norms of the gradients that the last backward pass left in the model, by layer."""
    return _norms(model, {id(p): p.grad for p in model.parameters() if p.grad is not None})


def branch_norms(model: nn.Module, norms: Mapping[str, float]) -> Mapping[str, float]:
    """The norm of all weights of each branch together, from those of the layers.

    Branches without weights, such as a skip, are left out.
    """
    inside = {
        branch: [norm for path, norm in norms.items() if f"{path}.".startswith(f"{branch}.")]
        for branch in branch_paths(model)
    }
    return {branch: math.hypot(*own) for branch, own in inside.items() if own}


def _norms(model: nn.Module, gradients: Mapping[int, Tensor]) -> dict[str, float]:
    layers: dict[str, list[int]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            layers[name.rpartition(".")[0]].append(id(parameter))
    # All norms at once, and one read from the device: training pays for this every few steps.
    values = list(torch._foreach_norm(list(gradients.values()))) if gradients else []
    norms = dict(zip(gradients, torch.stack(values).tolist() if values else [], strict=True))
    return {path: math.hypot(*(norms.get(key, 0.0) for key in own)) for path, own in layers.items()}
