"""Activations: the output of every layer, operation, branch and block for some images."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.inspection.recording import Recording
from explorer.inspection.tracing import trace


def record(model: nn.Module, images: Tensor) -> Recording:
    """Run `images` through `model` in evaluation mode and keep the output of each of its parts.

    Args:
        model: Takes `(N, C, H, W)`, gives logits `(N, num_classes)`; unchanged afterwards.
        images: `(N, C, H, W)`, normalised, on the model's device.
    """
    seen = trace(model, images, copied)
    return Recording(seen.parts, seen.kept, copied(seen.output))


def dead_channels(model: nn.Module, images: Tensor) -> dict[str, list[int]]:
    """Find the channels of each part that are 0 everywhere for all of these images.

    Args:
        model: Takes `(N, C, H, W)`; unchanged afterwards.
        images: `(N, C, H, W)`, normalised, on the model's device.

    Returns:
        Their numbers by the name of the part; parts without any are left out.
    """
    found = trace(model, images, _dead).kept
    return {name: numbers for name, numbers in found.items() if numbers}


def _dead(output: Tensor) -> list[int]:
    if output.dim() not in (2, 4):  # tokens: what is a channel there is no map
        return []
    by_channel = output.detach().transpose(0, 1).flatten(1)
    numbers: list[int] = (by_channel == 0).all(dim=1).nonzero()[:, 0].tolist()
    return numbers


def copied(output: Tensor) -> NDArray[np.float32]:
    """Copy an output to an array, of complex values the magnitude."""
    # A later operation may write into the tensor itself, and other layouts are slow to index.
    values = output.detach()
    if values.is_complex():
        values = values.abs()
    return values.to("cpu", torch.float32, copy=True).contiguous().numpy()
