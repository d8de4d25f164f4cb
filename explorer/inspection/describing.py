"""Describes a layer or an operation in a few words."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from explorer.language import later, say
from explorer.text import dimensions


def describe(module: nn.Module) -> str:
    """Describe a layer in a few words: `conv 5×5`, `max-pool 2`, or the name of its class."""
    match module:
        case nn.Conv2d():
            is_depthwise = module.groups == module.in_channels > 1
            return _convolution(module.kernel_size, module.stride, module.groups, is_depthwise)
        case nn.MaxPool2d():
            return _pooling("max", _size(module.kernel_size), _size(module.stride))
        case nn.AvgPool2d():
            return _pooling("avg", _size(module.kernel_size), _size(module.stride))
        case nn.AdaptiveAvgPool2d():
            return _average(dimensions(_pair(module.output_size)))
        case nn.BatchNorm2d():
            return say("batch norm")
        case nn.Identity():
            return say("identity")
        case nn.Linear():
            return say("linear")
        case nn.Flatten():
            return say("flatten")
        case nn.Dropout():
            return say("dropout {share:g}", share=module.p)
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
    if not words and name in _OPERATIONS:
        words = say(_OPERATIONS[name])
    return words or name.replace("_", " ")


def _in_words(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    def argument(place: int, keyword: str, default: Any = None) -> Any:
        return args[place] if len(args) > place else kwargs.get(keyword, default)

    match name:
        case "conv2d":
            weight, groups = argument(1, "weight"), argument(6, "groups", 1)
            is_depthwise = groups > 1 and weight.shape[1] == 1
            return _convolution(weight.shape[2:], argument(3, "stride", 1), groups, is_depthwise)
        case "max_pool2d" | "avg_pool2d":
            size, stride = _size(argument(1, "kernel_size")), argument(2, "stride")
            return _pooling(name[:3], size, _size(stride) if stride else size)
        case "adaptive_avg_pool2d":
            return _average(dimensions(_pair(argument(1, "output_size"))))
        case "mean" if {side % 4 for side in argument(1, "dim")} == {2, 3}:
            return say("global average")
        case "dropout":
            return say("dropout {share:g}", share=argument(1, "p", 0.5))
    return ""


_OPERATIONS = {
    "batch_norm": later("batch norm"),
    "cat": later("concat"),
    "gelu": "GELU",
    "hardswish": later("hard swish"),
    "hardsigmoid": later("hard sigmoid"),
    "interpolate": later("resize"),
    "layer_norm": later("layer norm"),
    "leaky_relu": later("leaky ReLU"),
    "log_softmax": later("log-softmax"),
    "matmul": later("matrix product"),
    "mul": later("product"),
    "relu": "ReLU",
    "relu6": "ReLU6",
    "scaled_dot_product_attention": later("attention"),
    "setitem": later("write"),
    "silu": "SiLU",
    "truediv": "div",
}


def _convolution(kernel: Sequence[int], stride: Any, groups: int, is_depthwise: bool) -> str:
    values: dict[str, Any] = {"kernel": dimensions(kernel), "stride": _size(stride)}
    is_dense = values["stride"] == "1"
    if is_depthwise and is_dense:
        return say("conv {kernel}, depthwise", **values)
    if is_depthwise:
        return say("conv {kernel}, stride {stride}, depthwise", **values)
    if groups > 1 and is_dense:
        return say("conv {kernel}, {n} groups", n=groups, **values)
    if groups > 1:
        return say("conv {kernel}, stride {stride}, {n} groups", n=groups, **values)
    if is_dense:
        return say("conv {kernel}", **values)
    return say("conv {kernel}, stride {stride}", **values)


def _pooling(kind: str, size: str, stride: str) -> str:
    is_max, values = kind == "max", {"size": size, "stride": stride}
    if is_max and stride == size:
        return say("max-pool {size}", **values)
    if is_max:
        return say("max-pool {size}, stride {stride}", **values)
    if stride == size:
        return say("avg-pool {size}", **values)
    return say("avg-pool {size}, stride {stride}", **values)


def _average(size: str) -> str:
    return say("global average") if size == "1×1" else say("average to {size}", size=size)


def _pair(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value, value)


def _size(value: int | Sequence[int]) -> str:
    sizes = (value,) if isinstance(value, int) else tuple(value)
    return str(sizes[0]) if len(set(sizes)) == 1 else dimensions(sizes)
