"""The outline of a network: its parts, in the order in which an image meets them."""

import torch
from torch import nn

from explorer.inspection.parts import Part
from explorer.inspection.tracing import trace
from explorer.spec import ImageSpec


def outline(model: nn.Module, images: ImageSpec) -> tuple[Part, ...]:
    """Run one blank image through `model` and return the parts that it meets.

    A module that is used twice is listed twice; what a `forward` does without modules is not seen.
    The model's mode and the random generator are unchanged afterwards.
    """
    return trace(model, blank(model, images), keep=lambda _: None).parts


def blank(model: nn.Module, images: ImageSpec) -> torch.Tensor:
    """Return one image of zeros `(1, C, H, W)`, on the model's device, in the plain layout."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return torch.zeros(1, images.channels, images.size, images.size, device=device)
