"""Describes a layer or an operation in a few words."""

from collections.abc import Mapping, Sequence
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


def describe_operation(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Describe an operation in a few words, as the layer that does the same: `max-pool 2`.

    Args:
        name: The operation's name, such as `max_pool2d`.
        args: What it is called with.
        kwargs: What it is called with by name.
    """
    try:
        words = _in_words(name, args, kwargs)
    except Exception:  # any code may call it, in any way
        words = ""
    return words or _OPERATIONS.get(name, name.replace("_", " "))


def _in_words(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    def argument(place: int, keyword: str, default: Any = None) -> Any:
        return args[place] if len(args) > place else kwargs.get(keyword, default)

    match name:
        case "conv2d":
            weight, stride = argument(1, "weight"), _size(argument(3, "stride", 1))
            groups = argument(6, "groups", 1)
            words = f"conv {dimensions(weight.shape[2:])}"
            words += f", stride {stride}" if stride != "1" else ""
            depthwise = groups > 1 and weight.shape[1] == 1
            return words + (", depthwise" if depthwise else f", {groups} groups" * (groups > 1))
        case "max_pool2d" | "avg_pool2d":
            size = _size(argument(1, "kernel_size"))
            stride = argument(2, "stride")
            stride = _size(stride) if stride else size
            pool = name.replace("_pool2d", "-pool")
            return f"{pool} {size}" if stride == size else f"{pool} {size}, stride {stride}"
        case "adaptive_avg_pool2d":
            size = dimensions(_pair(argument(1, "output_size")))
            return "global average" if size == "1×1" else f"average to {size}"
        case "mean" if {side % 4 for side in argument(1, "dim")} == {2, 3}:
            return "global average"
        case "dropout":
            return f"dropout {argument(1, 'p', 0.5):g}"
    return ""


_OPERATIONS = {
    "batch_norm": "batch norm",
    "cat": "concat",
    "gelu": "GELU",
    "hardswish": "hard swish",
    "hardsigmoid": "hard sigmoid",
    "interpolate": "resize",
    "layer_norm": "layer norm",
    "leaky_relu": "leaky ReLU",
    "log_softmax": "log-softmax",
    "matmul": "matrix product",
    "mul": "product",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "scaled_dot_product_attention": "attention",
    "setitem": "write",
    "silu": "SiLU",
    "truediv": "div",
}


def _window(pool: Any) -> str:
    size, stride = _size(pool.kernel_size), _size(pool.stride)
    return size if stride == size else f"{size}, stride {stride}"


def _pair(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value, value)


def _size(value: int | Sequence[int]) -> str:
    sizes = (value,) if isinstance(value, int) else tuple(value)
    return str(sizes[0]) if len(set(sizes)) == 1 else dimensions(sizes)
