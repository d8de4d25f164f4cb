"""The outline of a network: its parts, in the order in which an image meets them."""

import torch
from torch import nn

from explorer.inspection.tracing import Trace, trace
from explorer.spec import ImageSpec


def outline(model: nn.Module, images: ImageSpec) -> Trace[None]:
    """Run one blank image through `model` and return what it does, and what that costs.

    A module that is used twice is listed twice. The model's mode and the random generator are
    unchanged afterwards.

    Raises:
        GraphError: The answer cannot be followed back to the image.
    """
    return trace(model, blank(model, images), keep=lambda _: None, count=True)


def blank(model: nn.Module, images: ImageSpec) -> torch.Tensor:
    """Return one image of zeros `(1, C, H, W)`, on the model's device, in the plain layout."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return torch.zeros(1, images.channels, images.size, images.size, device=device)
