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


def copied(output: Tensor) -> NDArray[np.float32]:
    """Copy an output to an array, of complex values the magnitude."""
    # A later operation may write into the tensor itself, and other layouts are slow to index.
    values = output.detach()
    if values.is_complex():
        values = values.abs()
    return values.to("cpu", torch.float32, copy=True).contiguous().numpy()
