"""Describes a layer in a few words."""

from typing import Any

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from explorer.text import dimensions


def describe(module: nn.Module) -> str:
    """Describe a layer in a few words: `conv 5×5`, `max-pool 2`, or the name of its class."""
    match module:
        case nn.Conv2d():
            grouped = f", {module.groups} groups" if module.groups > 1 else ""
            if module.groups == module.in_channels > 1:
                grouped = ", depthwise"
            stride = f", stride {_size(module.stride)}" if _size(module.stride) != "1" else ""
            kernel = dimensions(module.kernel_size)
            return f"conv {kernel}{stride}{grouped}"
        case nn.MaxPool2d():
            return f"max-pool {_window(module)}"
        case nn.AvgPool2d():
            return f"avg-pool {_window(module)}"
        case nn.AdaptiveAvgPool2d():
            size = dimensions(_pair(module.output_size))
            return "global average" if size == "1×1" else f"average to {size}"
        case nn.BatchNorm2d():
            return "batch norm"
        case nn.Identity():
            return "identity"
        case nn.Linear():
            return "linear"
        case nn.Flatten():
            return "flatten"
        case nn.Dropout():
            return f"dropout {module.p:g}"
    return type_before_parametrizations(module).__name__


def _window(pool: Any) -> str:
    size, stride = _size(pool.kernel_size), _size(pool.stride)
    return size if stride == size else f"{size}, stride {stride}"


def _pair(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value, value)


def _size(value: int | tuple[int, ...]) -> str:
    sizes = value if isinstance(value, tuple) else (value,)
    return str(sizes[0]) if len(set(sizes)) == 1 else dimensions(sizes)
