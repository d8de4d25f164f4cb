"""The norm of the loss's gradient in each layer, as training records it."""

import math
from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def recorded_norms(model: nn.Module) -> Mapping[str, float]:
    """Return the norms of the gradients that the last backward pass left in the model, by layer."""
    return layer_norms(model, {id(p): p.grad for p in model.parameters() if p.grad is not None})


def layer_norms(model: nn.Module, gradients: Mapping[int, Tensor]) -> dict[str, float]:
    """Return the L2 norm of the gradient in all parameters of each layer.

    Args:
        model: The network.
        gradients: By the `id` of the parameter.

    Returns:
        By the layer's path, in the model's order; 0 where no gradient arrives.
    """
    layers: dict[str, list[int]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            layers[name.rpartition(".")[0]].append(id(parameter))
    # All norms at once, and one read from the device: training pays for this every few steps.
    values = list(torch._foreach_norm(list(gradients.values()))) if gradients else []
    norms = dict(zip(gradients, torch.stack(values).tolist() if values else [], strict=True))
    return {path: math.hypot(*(norms.get(key, 0.0) for key in own)) for path, own in layers.items()}
