"""Takes single torch operations apart: what one channel of each is computed of, and how."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.inspection.activations import copied
from explorer.inspection.calls import Call
from explorer.inspection.parts import Node
from explorer.inspection.recording import as_maps
from explorer.inspection.tracing import by_image
from explorer.inspection.units import (
    ABSENT,
    PADDED,
    Copied,
    Map,
    Merged,
    Normalised,
    Places,
    Pointwise,
    Pooled,
    Sign,
    Source,
    Step,
    Weighted,
    contribution,
)
from explorer.inspection.watching import with_tensors
from explorer.language import later, say
from explorer.outputs import tensors_in

_Kind: TypeAlias = Literal["max", "mean", "sum"]
Maps: TypeAlias = NDArray[np.float32]  # (channels, height, width)
MOST_BYTES = 1_500_000  # of the maps that one sum reads; of more, those that contribute least
# are added up

# With `x` for the value; the numbers are those of the call.
_FUNCTIONS = {
    "abs": "|x|",
    "celu": "max(0, x) + min(0, eˣ − 1)",
    "dropout": later("x, since dropout rests in evaluation"),
    "elu": later("x if x > 0, else eˣ − 1"),
    "exp": "eˣ",
    "gelu": "x · Φ(x)",
    "hardsigmoid": "min(max(0, x + 3), 6) / 6",
    "hardswish": "x · min(max(0, x + 3), 6) / 6",
    "hardtanh": "min(max(−1, x), 1)",
    "log": "log x",
    "logsigmoid": "−log(1 + e⁻ˣ)",
    "mish": "x · tanh(log(1 + eˣ))",
    "neg": "−x",
    "reciprocal": "1 / x",
    "relu": "max(0, x)",
    "relu6": "min(max(0, x), 6)",
    "rsqrt": "1 / √x",
    "selu": later("1.0507 · x if x > 0, else 1.7581 · (eˣ − 1)"),
    "sigmoid": "1 / (1 + e⁻ˣ)",
    "sign": later("the sign of x"),
    "silu": "x / (1 + e⁻ˣ)",
    "sin": "sin x",
    "cos": "cos x",
    "softplus": "log(1 + eˣ)",
    "softsign": "x / (1 + |x|)",
    "sqrt": "√x",
    "square": "x²",
    "tanh": "tanh x",
}
_DROPOUTS = ("alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout")
_FUNCTIONS |= dict.fromkeys(_DROPOUTS, _FUNCTIONS["dropout"])
_REVERSED = ("__rsub__", "__rtruediv__", "__rdiv__", "rsub")
_SIGNS: Mapping[str, Sign] = {
    **dict.fromkeys(("add",), "+"),
    **dict.fromkeys(("sub", "subtract", "rsub"), "−"),
    **dict.fromkeys(("mul", "multiply"), "×"),
    **dict.fromkeys(("div", "truediv", "divide", "true_divide"), "÷"),
    **dict.fromkeys(("maximum", "max"), "max"),
    **dict.fromkeys(("minimum", "min"), "min"),
}
# These give values of what they are given, each in another place.
COPIES = frozenset(
    """
    cat concat concatenate hstack vstack dstack stack pad roll flip fliplr flipud rot90 repeat tile
    repeat_interleave pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle
    interpolate upsample index_select getitem take
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Place:
    """Where in a run an operation is, and what is known of the run.

    Attributes:
        node: Its node.
        part: What the page calls it.
        channel: The channel of its output that is asked for.
        output: What it gave for the image, `(channels, height, width)`.
        maps: What each node gave for the image, likewise, by its number.
        texts: What the output of each node is called.
        parts: The name of the part that gives it; the image is none.
        parameters: The names of the network's parameters by their ids.
    """

    node: Node
    part: str
    channel: int
    output: Maps
    maps: Mapping[int, Maps]
    texts: Mapping[int, str]
    parts: Mapping[int, str]
    parameters: Mapping[int, str]

    @property
    def values(self) -> Map:
        """The channel that is asked for."""
        values: Map = self.output[self.channel]
        return values

    @property
    def known(self) -> tuple[str, str, Map]:
        """What every step has."""
        return self.part, self.node.text, self.values

    def sources(self, given: Maps, channels: Sequence[int]) -> tuple[Source, ...]:
        """Find out which part gave each of some maps.

        Args:
            given: All maps that an operand has.
            channels: Which of them.
        """
        for number in dict.fromkeys(self.node.inputs):
            made = self.maps[number]
            if made.shape == given.shape and np.array_equal(made, given):
                name = self.texts[number], self.parts[number]
                return tuple(Source(given[i], *name, i) for i in channels)
        return tuple(self._source(given[i], i) for i in channels)

    def _source(self, values: Map, channel: int) -> Source:
        for number in dict.fromkeys(self.node.inputs):
            if self.maps[number].shape[1:] != values.shape:
                continue
            same = np.flatnonzero((self.maps[number] == values).all(axis=(1, 2)))
            if same.size:
                nearest = int(same[np.abs(same - channel).argmin()])
                return Source(values, self.texts[number], self.parts[number], nearest)
        return Source(values, f"input {channel}", channel=channel)

    def laid_out(self, tensor: Tensor) -> Maps:
        """Return an operand of the output's layout as maps."""
        return maps_of(tensor, self.node.channels_last)


def maps_of(tensor: Tensor, channels_last: bool = False) -> Maps:
    """Return what a tensor holds for one image, `(channels, height, width)`."""
    return as_maps(copied(_of_image(tensor, channels_last)))


def _labels_of(tensor: Tensor, channels_last: bool) -> NDArray[np.int64]:
    """Return whole numbers as maps, which single precision would round."""
    found: NDArray[Any] = as_maps(_of_image(tensor, channels_last).numpy())
    return found.astype(np.int64)


def _of_image(tensor: Tensor, channels_last: bool) -> Tensor:
    own = by_image(tensor.detach(), 1)[0]
    return own.movedim(-1, 0) if channels_last and own.ndim == 3 else own


def taken_apart(call: Call, place: Place, before: Call | None = None) -> Step | None:
    """Say how one channel of an operation's output is computed; `None` if nothing is known of it.

    Args:
        call: The operation.
        place: Where it is.
        before: What pads its input, if that is a part of the same layer.
    """
    if call.name == "conv2d":
        return _convolution(call, place, before)
    operation: Any = _OPERATIONS.get(call.name)
    if operation is not None:
        step: Step | None = operation(call, place)
        return step
    if call.name in _FUNCTIONS or call.name in _FORMULAS:
        return _pointwise(call, place)
    if call.name in _SIGNS:
        return _merged(call, place)
    return rearranged(call, place) if call.name in COPIES else None


# --- sums of products


def _convolution(call: Call, place: Place, before: Call | None) -> Step | None:
    a = _bound(call, "input weight bias stride padding dilation groups")
    padded, weight = a["input"], a["weight"]
    if padded.ndim != 4 or len(padded) != 1 or weight.ndim != 4:
        return None
    given = before.args[0] if before else padded
    if before and not (isinstance(given, Tensor) and given.ndim == 4):
        return None
    kernel = weight.shape[2:]
    stride, dilation = _pair(a["stride"], 1), _pair(a["dilation"], 1)
    padding = a["padding"] or 0
    if isinstance(padding, str):
        total = [
            d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, kernel, strict=True)
        ]
        padding = [each // 2 for each in total]
    padding = _pair(padding, 0)
    tables = []
    for side in (0, 1):
        units = np.arange(place.values.shape[side])[:, None] * stride[side]
        reads = units - padding[side] + np.arange(kernel[side])[None] * dilation[side]
        tables.append(_within(reads, padded.shape[2 + side]))
    if before:
        tables = _through(before, given, tables)
    count = weight.shape[1]
    first = place.channel // (len(weight) // (a["groups"] or 1)) * count
    return _weighted(
        place,
        maps_of(given),
        range(first, first + count),
        copied(weight[place.channel]),
        _number(a["bias"], place.channel),
        (tables[0], tables[1]),
    )


def _transposed(call: Call, place: Place) -> Step | None:
    a = _bound(call, "input weight bias stride padding output_padding groups dilation")
    given, weight = a["input"], a["weight"]
    if given.ndim != 4 or len(given) != 1 or weight.ndim != 4:
        return None
    stride, padding = _pair(a["stride"], 1), _pair(a["padding"], 0)
    dilation, groups = _pair(a["dilation"], 1), a["groups"] or 1
    tables = []
    for side in (0, 1):
        units = np.arange(place.values.shape[side])[:, None] + padding[side]
        reached = units - np.arange(weight.shape[2 + side])[None] * dilation[side]
        reads = np.where(reached % stride[side] == 0, reached // stride[side], -1)
        tables.append(_within(reads, given.shape[2 + side], ABSENT))
    group, own = divmod(place.channel, weight.shape[1])
    count = len(weight) // groups
    inputs = range(group * count, (group + 1) * count)
    return _weighted(
        place,
        maps_of(given),
        inputs,
        copied(weight[inputs.start : inputs.stop, own]),
        _number(a["bias"], place.channel),
        (tables[0], tables[1]),
    )


def _linear(call: Call, place: Place) -> Step | None:
    a = _bound(call, "input weight bias")
    return _features(a["input"], a["weight"], a["bias"], place)


def _matrix_product(call: Call, place: Place) -> Step | None:
    a = _bound(call, "input weight")
    weight = a["weight"]
    if not isinstance(weight, nn.Parameter) or weight.ndim != 2:
        return None
    return _features(a["input"], weight.T, None, place)


def _affine(call: Call, place: Place) -> Step | None:
    a = _bound(call, "bias input weight")
    if not isinstance(a["weight"], nn.Parameter) or {"beta", "alpha"} & set(call.kwargs):
        return None
    return _features(a["input"], a["weight"].T, a["bias"], place)


def _features(given: Tensor, weight: Tensor, bias: Tensor | None, place: Place) -> Step | None:
    """Take a linear layer apart; what was flattened for it is shown as the maps that it was."""
    own, number = copied(weight[place.channel]), _number(bias, place.channel)
    if given.ndim == 4 and len(given) == 1 and place.node.channels_last:
        height, width = (np.arange(side, dtype=np.int32)[:, None] for side in place.values.shape)
        maps = maps_of(given, channels_last=True)
        kernels = own[:, None, None]
        return _weighted(place, maps, range(len(maps)), kernels, number, (height, width))
    if given.ndim != 2 or len(given) != 1:
        return None
    flat = copied(given[0])
    maps = next(
        (
            made
            for made in (place.maps[number] for number in place.node.inputs)
            if np.array_equal(made.ravel(), flat)
        ),
        flat[:, None, None],
    )
    rows, columns = (np.arange(side, dtype=np.int32)[None] for side in maps.shape[1:])
    kernels = own.reshape(maps.shape)
    return _weighted(place, maps, range(len(maps)), kernels, number, (rows, columns))


def _weighted(
    place: Place,
    given: Maps,
    channels: Sequence[int],
    weights: Maps,
    bias: float | None,
    tables: tuple[Places, Places],
) -> Step | None:
    if place.values.shape != (len(tables[0]), len(tables[1])):
        return None
    kept = list(range(len(channels)))
    most = max(1, MOST_BYTES // (4 * prod(given.shape[1:]) + 4 * prod(weights.shape[1:])))
    rest = None
    if len(channels) > most:
        parts = np.stack(
            [
                contribution(given[channel], kernel, *tables)
                for channel, kernel in zip(channels, weights, strict=True)
            ]
        )
        order = np.argsort(-(parts**2).sum(axis=(1, 2)), kind="stable")
        kept, rest = order[:most].tolist(), parts[order[most:]].sum(axis=0)
    sources = place.sources(given, [channels[i] for i in kept])
    others = len(channels) - len(kept)
    return Weighted(*place.known, sources, weights[kept], bias, *tables, others, rest)


def _within(reads: NDArray[Any], size: int, beyond: int = PADDED) -> Places:
    return np.where((reads < 0) | (reads >= size), beyond, reads).astype(np.int32)


def _through(pad: Call, given: Tensor, tables: Sequence[Places]) -> list[Places]:
    """Return which rows and columns are read in front of a padding, of those read behind it."""
    height, width = given.shape[2:]
    labels = torch.arange(1, height * width + 1, dtype=torch.float64).view(1, 1, height, width)
    behind = _again(pad, {0: labels})[0, 0].long().numpy() - 1
    rows = np.where(behind.max(axis=1) < 0, PADDED, behind.max(axis=1) // width)
    columns = np.where(behind.max(axis=0) < 0, PADDED, behind.max(axis=0) % width)
    return [
        np.where(table < 0, table, side[np.maximum(table, 0)]).astype(np.int32)
        for table, side in zip(tables, (rows, columns), strict=True)
    ]


# --- windows


def _max_pool(call: Call, place: Place) -> Step | None:
    a = _bound(call, "input kernel_size stride padding dilation ceil_mode")
    return _pooled(a, place, "max", _pair(a["dilation"], 1), counts_padding=False)


def _average_pool(call: Call, place: Place) -> Step | None:
    a = _bound(
        call, "input kernel_size stride padding ceil_mode count_include_pad divisor_override"
    )
    counts = a["count_include_pad"] is not False
    return _pooled(a, place, "mean", (1, 1), counts_padding=counts)


def _pooled(
    a: Mapping[str, Any],
    place: Place,
    kind: _Kind,
    dilation: Sequence[int],
    *,
    counts_padding: bool,
) -> Step | None:
    given = a["input"]
    if given.ndim != 4 or len(given) != 1:
        return None
    kernel = _pair(a["kernel_size"], 1)
    stride, padding = _pair(a["stride"] or kernel, 1), _pair(a["padding"], 0)
    tables = []
    for side in (0, 1):
        size = given.shape[2 + side]
        units = np.arange(place.values.shape[side])[:, None] * stride[side]
        reads = units - padding[side] + np.arange(kernel[side])[None] * dilation[side]
        table = _within(reads, size, PADDED if counts_padding else ABSENT)
        tables.append(np.where(reads >= size + padding[side], ABSENT, table).astype(np.int32))
    (source,) = place.sources(maps_of(given), [place.channel])
    divisor = a.get("divisor_override")
    return Pooled(*place.known, source, kind, tables[0], tables[1], divisor)


def _adaptive(kind: _Kind) -> Callable[[Call, Place], Step | None]:
    def pooled(call: Call, place: Place) -> Step | None:
        given = _bound(call, "input output_size")["input"]
        if given.ndim != 4 or len(given) != 1:
            return None
        tables = [_bins(given.shape[2 + side], place.values.shape[side]) for side in (0, 1)]
        (source,) = place.sources(maps_of(given), [place.channel])
        return Pooled(*place.known, source, kind, tables[0], tables[1])

    return pooled


def _bins(size: int, units: int) -> Places:
    """Return what each unit of an adaptive pooling reads of so many rows."""
    spans = [(unit * size // units, -(-(unit + 1) * size // units)) for unit in range(units)]
    table = np.full((units, max(end - start for start, end in spans)), ABSENT, np.int32)
    for unit, (start, end) in enumerate(spans):
        table[unit, : end - start] = np.arange(start, end)
    return table


def _reduced(kind: _Kind) -> Callable[[Call, Place], Step | None]:
    """Take apart what reduces whole maps to one value each, as `x.mean((2, 3))` does."""

    def pooled(call: Call, place: Place) -> Step | None:
        a = _bound(call, "input dim keepdim")
        given, dim = a["input"], a["dim"] if a["dim"] is not None else call.kwargs.get("axis")
        if dim is None or place.values.shape != (1, 1) or len(given) != 1:
            return None
        sides = {side % given.ndim for side in ([dim] if isinstance(dim, int) else dim)}
        last = given.ndim == 4 and sides == {1, 2}
        if not last and sides != set(range(2, given.ndim)):
            return None
        maps = maps_of(given, channels_last=last)
        if given.ndim == 3:  # maps in one row
            made = (place.maps[number] for number in place.node.inputs)
            rows = copied(given[0])
            maps = next((m for m in made if np.array_equal(m.ravel(), rows.ravel())), rows[:, None])
        tables = [np.arange(side, dtype=np.int32)[None] for side in maps.shape[1:]]
        (source,) = place.sources(maps, [place.channel])
        return Pooled(*place.known, source, kind, tables[0], tables[1])

    return pooled


# --- normalisations


def _batch_norm(call: Call, place: Place) -> Step | None:
    a = _bound(call, "input running_mean running_var weight bias training momentum eps")
    dims = [side for side in range(a["input"].ndim) if side != 1]
    of_image = bool(a["training"]) or a["running_mean"] is None
    return _channel_norm(call, place, a, dims, of_image=of_image)


def _instance_norm(call: Call, place: Place) -> Step | None:
    a = _bound(call, "input running_mean running_var weight bias use_input_stats momentum eps")
    dims = list(range(2, a["input"].ndim))
    of_image = a["use_input_stats"] is not False or a["running_mean"] is None
    return _channel_norm(call, place, a, dims, of_image=of_image)


def _channel_norm(
    call: Call, place: Place, a: Mapping[str, Any], dims: list[int], *, of_image: bool
) -> Step | None:
    """Normalise each channel, by its mean and variance in the image or in training."""
    given = a["input"]
    mean, variance = (
        _moments(given, dims)
        if of_image
        else (_along(a["running_mean"], given), _along(a["running_var"], given))
    )
    over = say("of this channel in this image") if of_image else say("of this channel in training")
    return _normalised(call, place, a, mean, variance, over)


def _group_norm(call: Call, place: Place) -> Step | None:
    a = _bound(call, "input num_groups weight bias eps")
    given, groups = a["input"], a["num_groups"]
    grouped = given.double().reshape(len(given), groups, -1)
    mean, variance = _moments(grouped, [2])
    size = given.shape[1] // groups
    mean, variance = (
        value.reshape(len(given), groups, 1)
        .repeat_interleave(size, 1)
        .reshape(len(given), -1, *[1] * (given.ndim - 2))
        for value in (mean, variance)
    )
    return _normalised(call, place, a, mean, variance, say("of its group of {n} channels", n=size))


def _layer_norm(call: Call, place: Place) -> Step | None:
    a = _bound(call, "input normalized_shape weight bias eps")
    dims = list(range(-len(a["normalized_shape"]), 0))
    mean, variance = _moments(a["input"], dims)
    over = say("of all channels at this place") if len(dims) == 1 else say("of the whole layer")
    return _normalised(call, place, a, mean, variance, over, trailing=True)


def _rms_norm(call: Call, place: Place) -> Step | None:
    a = _bound(call, "input normalized_shape weight eps")
    given = a["input"].double()
    dims = list(range(-len(a["normalized_shape"]), 0))
    squares = (given**2).mean(dims, keepdim=True)
    if a["eps"] is None:
        a["eps"] = torch.finfo(a["input"].dtype).eps
    mean = torch.zeros_like(squares)
    return _normalised(call, place, a, mean, squares, say("squares"), trailing=True)


def _is(one: Maps, other: Maps) -> bool:
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)


def _moments(given: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    values = given.double()
    return values.mean(dims, keepdim=True), values.var(dims, correction=0, keepdim=True)


def _along(values: Tensor, given: Tensor) -> Tensor:
    """Return one value a channel so that it is broadcast."""
    return values.view(1, -1, *[1] * (given.ndim - 2))


def _normalised(
    call: Call,
    place: Place,
    a: Mapping[str, Any],
    mean: Tensor,
    variance: Tensor,
    over: str,
    *,
    trailing: bool = False,
) -> Step | None:
    given = a["input"]
    # The layer may have put the channels last for this operation alone.
    layouts = (place.node.channels_last, trailing)
    last = next((x for x in layouts if _is(maps_of(call.output, x), place.output)), None)
    if last is None:
        return None
    maps = maps_of(given, last)

    def own(values: Tensor | None, otherwise: float) -> NDArray[np.float64]:
        if values is None:
            return np.array(otherwise)
        whole = values.double() if trailing or values.ndim > 1 else _along(values.double(), given)
        # In double precision, so that a small variance keeps its digits.
        found = as_maps(_of_image(whole.expand(given.shape), last).cpu().numpy())[place.channel]
        return np.array(found.flat[0]) if (found == found.flat[0]).all() else np.array(found)

    (source,) = place.sources(maps, [place.channel])
    numbers = own(mean, 0), own(variance, 1)
    epsilon = 1e-5 if a["eps"] is None else float(a["eps"])
    scale, shift = own(a.get("weight"), 1), own(a.get("bias"), 0)
    return Normalised(*place.known, source, *numbers, epsilon, scale, shift, over)


# --- value by value


def _pointwise(call: Call, place: Place) -> Step | None:
    given = next((t for t in call.given), None)
    tensors = list(tensors_in((call.args, call.kwargs)))
    if given is None or tensors[0].numel() != call.output.numel():
        return None
    maps = place.laid_out(tensors[0])
    if maps.shape != place.output.shape:
        return None
    try:
        formula = _FORMULAS[call.name](call, place) if call.name in _FORMULAS else ""
    except Exception:  # it may be called in any way
        return None
    (source,) = place.sources(maps, [place.channel])
    return Pointwise(*place.known, source, formula or say(_FUNCTIONS[call.name]))


def _leaky(call: Call, place: Place) -> str:
    slope = _bound(call, "input negative_slope")["negative_slope"]
    return say("x if x > 0, else {slope} · x", slope=f"{0.01 if slope is None else slope:g}")


def _prelu(call: Call, place: Place) -> str:
    weight = _bound(call, "input weight")["weight"].detach().flatten()
    slope = _signed(float(weight[place.channel % len(weight)]))
    return say("x if x > 0, else {slope} · x", slope=slope)


def _clamped(call: Call, place: Place) -> str:
    a = _bound(call, "input min max")
    inner = "x" if a["min"] is None else f"max({_signed(a['min'])}, x)"
    return inner if a["max"] is None else f"min({inner}, {_signed(a['max'])})"


def _power(call: Call, place: Place) -> str:
    exponent = _bound(call, "input exponent")["exponent"]
    if exponent == 2:
        return "x²"
    return say("x to the power of {exponent}", exponent=_signed(exponent))


def _softmax(call: Call, place: Place) -> str:
    given = _bound(call, "input dim")["input"]
    if given.ndim != 2:
        raise ValueError("of features only")
    total = float(given[0].double().logsumexp(0))
    if call.name == "log_softmax":
        return say("x − log Σ eˣ, which is {total}", total=_signed(total))
    return say("eˣ / Σ eˣ, whose Σ is {total}", total=f"{np.exp(total):.4g}")


_FORMULAS: Mapping[str, Callable[[Call, Place], str]] = {
    "leaky_relu": _leaky,
    "prelu": _prelu,
    "clamp": _clamped,
    "clip": _clamped,
    "pow": _power,
    "softmax": _softmax,
    "log_softmax": _softmax,
}


# --- several maps


def _merged(call: Call, place: Place) -> Step | None:
    if call.kwargs.get("rounding_mode"):
        return None
    operands = [
        *call.args,
        *(call.kwargs[name] for name in ("input", "other") if name in call.kwargs),
    ]
    if len(operands) != 2:
        return None
    identities = iter(call.given)
    sources = []
    for number, operand in enumerate(operands):
        is_tensor = isinstance(operand, Tensor)
        name = place.parameters.get(id(next(identities)), "") if is_tensor else say("constant")
        factor = call.kwargs.get("alpha", 1) if number else 1
        sources.append(_operand(operand, name, factor, call.output, place))
    if call.func.__name__ in _REVERSED:
        sources.reverse()
    return Merged(*place.known, tuple(sources), ("+", _SIGNS[call.name]))


def _operand(value: Any, name: str, factor: float, output: Tensor, place: Place) -> Source:
    """Return one operand, repeated where it is the same for several units."""
    tensor = value if isinstance(value, Tensor) else torch.tensor(float(value))
    whole = place.laid_out((tensor * factor).expand(output.shape).to(output.device))
    values: Map = whole[place.channel]
    if name:
        return Source(values, name)
    own = place.laid_out(tensor)
    (found,) = place.sources(own if len(own) == len(whole) else whole, [place.channel])
    return replace(found, values=values)


def rearranged(call: Call, place: Place) -> Step | None:
    """Find out where each value comes from: run an operation on the numbers of the values."""
    tensors = [t for t in tensors_in((call.args, call.kwargs)) if t.is_floating_point()]
    if not tensors or call.kwargs.get("mode", "nearest") not in (
        *("nearest", "constant", "reflect", "replicate", "circular"),
    ):
        return None
    labels, start = {}, 1
    for number, tensor in enumerate(tensors_in((call.args, call.kwargs))):
        if tensor.is_floating_point():
            end = start + tensor.numel()
            labels[number] = torch.arange(start, end, dtype=torch.float64).view(tensor.shape)
            start = end
    found = _labels_of(_again(call, labels), place.node.channels_last)
    if found.shape != place.output.shape:
        return None
    own = found[place.channel]
    start = 1
    for operand, tensor in enumerate(tensors):
        inside = (own >= start) & (own < start + tensor.numel())
        if inside.any():
            if not (inside | (own < 1)).all():
                return None
            return _from_one(own, start, operand, tensor, place)
        start += tensor.numel()
    zeros = Source(np.zeros((1, 1), np.float32), say("nothing"))
    return Copied(*place.known, zeros, np.full(own.shape, PADDED, np.int32))


def _from_one(
    own: NDArray[np.int64], start: int, operand: int, tensor: Tensor, place: Place
) -> Step | None:
    """Say where values come from that are all of one tensor, if they are of one channel of it.

    Args:
        own: The label of each value.
        start: The first label of the tensor.
        operand: Which of the operation's tensors it is.
        tensor: The tensor.
        place: Where the operation is.
    """
    count = torch.arange(tensor.numel(), dtype=torch.float64).view(tensor.shape)
    numbers = _labels_of(count, place.node.channels_last)
    maps = place.laid_out(tensor)
    order = np.empty(tensor.numel(), np.int64)
    order[numbers.ravel()] = np.arange(tensor.numel())
    places = np.where(own < start, PADDED, order[np.maximum(own - start, 0)])
    size = prod(maps.shape[1:])
    channels = set(np.unique(places[places >= 0] // size).tolist())
    if len(channels) != 1:
        return None
    channel = channels.pop()
    (source,) = place.sources(maps, [channel])
    within = np.where(places < 0, PADDED, places % size).astype(np.int32)
    return Copied(*place.known, source, within, operand)


def _again(call: Call, replaced: Mapping[int, Tensor]) -> Tensor:
    """Run an operation once more, with other tensors."""
    (args, kwargs), _ = with_tensors((call.args, call.kwargs), replaced)
    with torch.no_grad():
        return next(tensors_in(call.func(*args, **kwargs)))


# --- how they are called


def _bound(call: Call, names: str) -> dict[str, Any]:
    """Return the arguments of a call by name; `None` where there is none."""
    order = names.split()
    found: dict[str, Any] = dict.fromkeys(order)
    found.update(zip(order, call.args, strict=False))
    found.update({name: value for name, value in call.kwargs.items() if name in found})
    return found


def _pair(value: Any, otherwise: int) -> tuple[int, int]:
    if value is None:
        return otherwise, otherwise
    if isinstance(value, int):
        return value, value
    sides = tuple(int(side) for side in value)
    return (sides[0], sides[0]) if len(sides) == 1 else (sides[0], sides[1])


def _number(values: Tensor | None, channel: int) -> float | None:
    return None if values is None else float(values.detach().reshape(-1)[channel])


def _signed(value: float) -> str:
    return f"{float(value):.4g}".replace("-", "−")


_OPERATIONS: Mapping[str, Any] = {
    "conv_transpose2d": _transposed,
    "linear": _linear,
    "matmul": _matrix_product,
    "mm": _matrix_product,
    "addmm": _affine,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _average_pool,
    "adaptive_avg_pool2d": _adaptive("mean"),
    "adaptive_max_pool2d": _adaptive("max"),
    "mean": _reduced("mean"),
    "sum": _reduced("sum"),
    "amax": _reduced("max"),
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
}
