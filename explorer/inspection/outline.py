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
    """Return one image of zeros `(1, C, H, W)`, in the plain layout.

    Its device is the model's, and so is its type: that of the first parameter of real numbers.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    shape = (1, images.channels, images.size, images.size)
    return torch.zeros(shape, device=device, dtype=real_type(model))


def real_type(model: nn.Module) -> torch.dtype:
    """Return the type of the first parameter of real numbers, which images have to have."""
    types = (p.dtype for p in model.parameters() if p.is_floating_point())
    return next(types, torch.get_default_dtype())
