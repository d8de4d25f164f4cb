"""Gradients: the norm of the loss's gradient in each layer and in each branch."""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.inspection.parts import Part, branches, modules_of, nodes
from explorer.outputs import first_output
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
    gradients = [p.grad for p in weights]
    try:
        for weight in weights:
            weight.grad = None
        with torch.random.fork_rng(devices=[]):
            # Not `autograd.grad`, which reentrant checkpoints refuse.
            F.cross_entropy(first_output(model(images)), labels).backward()
        return layer_norms(model, {id(p): p.grad for p in weights if p.grad is not None})
    finally:
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def branch_norms(parts: Sequence[Part], norms: Mapping[str, float]) -> Mapping[str, float]:
    """Compute the norm of all parameters of each branch together, from those of the layers.

    Args:
        parts: What the network is made of.
        norms: The norm of each layer, by its path.

    Returns:
        By the path of the branch; those without parameters, such as a skip, are left out.
    """
    inside = {
        path: [norms[module] for module in modules_of(nodes(branch.parts)) if module in norms]
        for path, (_, branch) in branches(parts).items()
    }
    return {path: math.hypot(*own) for path, own in inside.items() if own}
