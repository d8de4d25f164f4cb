"""Weights: the filters of a convolution."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from explorer.inspection.results import Filters


def filters(model: nn.Module) -> Mapping[str, Filters]:
    """Return the filters of each two-dimensional convolution, by its path."""
    return {
        path: Filters(path, _copy(module.weight), _copy(module.bias), module.groups)
        for path, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
    }


def _copy(tensor: Any) -> Any:
    if tensor is None:
        return None
    copied = tensor.detach().to("cpu", copy=True).contiguous()
    return (copied.float() if copied.is_floating_point() else copied).numpy()
