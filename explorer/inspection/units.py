"""The arithmetic of the units of one map: what was read, and what was done with it.

A unit is one value of a map. Each `Step` below says for all units of a map at once how one
operation made them of what it read; the browser does the sums for the unit under the pointer. No
torch needed.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Map: TypeAlias = NDArray[np.float32]  # (height, width)
Places: TypeAlias = NDArray[np.int32]
Sign: TypeAlias = Literal["+", "−", "×", "÷", "max", "min"]
PADDED = -1  # in place of a row or a column that is read: a zero beside the map
ABSENT = -2  # nothing is read here


@dataclass(frozen=True, slots=True)
class Source:
    """A map that is read.

    Attributes:
        values: `(height, width)`.
        text: What it is called, such as `conv1` or `image`.
        part: The name of the layer, operation, branch or block that gave it; empty if none did.
        channel: Which of that one's channels it is.
    """

    values: Map
    text: str
    part: str = ""
    channel: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One operation.

    Attributes:
        part: The name of the layer or operation, or of the block that it merges.
        text: What it is in a few words, such as `conv 5×5`.
        values: What it gave, `(height, width)`.
    """

    part: str
    text: str
    values: Map


@dataclass(frozen=True, slots=True)
class Weighted(Step):
    """A sum of products: a convolution, also a transposed one, or a linear layer.

    The unit in row `y` and column `x` is the sum over all sources, and over the kernel's rows `i`
    and columns `j`, of `weights[:, i, j]` times what is in row `rows[y, i]` and column
    `columns[x, j]` of the source; plus `rest[y, x]`, plus the bias.

    Attributes:
        sources: The maps that are read, those that contribute most first if there are others.
        weights: `(sources, kernel height, kernel width)`.
        bias: The bias; `None` if there is none.
        rows: `(height, kernel height)`, of the sources, or `PADDED` or `ABSENT`.
        columns: `(width, kernel width)`, likewise.
        others: How many more maps are read.
        rest: What these contribute together, `(height, width)`; `None` if there are none.
    """

    sources: tuple[Source, ...]
    weights: NDArray[np.float32]
    bias: float | None
    rows: Places
    columns: Places
    others: int = 0
    rest: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Pooled(Step):
    """The largest of a window, its mean, or its sum.

    Attributes:
        source: The map that is read.
        kind: What of the window.
        rows: As of `Weighted`; a mean counts what is padded.
        columns: Likewise.
        divisor: By what a mean divides the sum, if not by how many values are in the window.
    """

    source: Source
    kind: Literal["max", "mean", "sum"]
    rows: Places
    columns: Places
    divisor: float | None = None


@dataclass(frozen=True, slots=True)
class Normalised(Step):
    """A normalisation, `(x − mean) / √(variance + epsilon) · scale + shift`.

    Attributes:
        source: What `x` is; `None` if it is what the step before gave.
        mean: `(height, width)`, or `()` if all units share it.
        variance: Likewise.
        epsilon: Keeps the root from 0.
        scale: Likewise.
        shift: Likewise.
        over: What mean and variance are of, in words.
    """

    source: Source | None
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    epsilon: float
    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    over: str


@dataclass(frozen=True, slots=True)
class Pointwise(Step):
    """A function of one value, such as ReLU.

    Attributes:
        source: What `x` is; `None` if it is what the step before gave.
        formula: The function, with `x` for the value.
    """

    source: Source | None
    formula: str


@dataclass(frozen=True, slots=True)
class Merged(Step):
    """Several maps of one shape, merged unit by unit: a sum, a product, the largest.

    Attributes:
        sources: The maps.
        signs: What is before each of them; before the first it is `+`.
    """

    sources: tuple[Source, ...]
    signs: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class Copied(Step):
    """Values that were put elsewhere, as by a concatenation or where zeros are padded.

    Attributes:
        source: The map that they come from.
        places: `(height, width)`: the number of each unit's value in the source, row by row, or
            `PADDED` if it is of no source.
        operand: Which of the operation's tensors has the source.
    """

    source: Source
    places: Places
    operand: int = 0


@dataclass(frozen=True, slots=True)
class SwitchedOff(Step):
    """A channel that is switched off."""


@dataclass(frozen=True, slots=True)
class Unknown(Step):
    """Something that cannot be taken apart.

    Attributes:
        sentence: Why.
    """

    sentence: str


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How one channel of a part was computed.

    Attributes:
        part: The name of the part.
        channel: Which of its channels.
        channels: How many it has.
        steps: What was done, from what reads other maps on; each step reads what the one before
            gave, the first one reads maps.
        asked: Which of the steps gave the channel that was asked for; those after it follow.
        readers: The names of the parts that read the last step's output.
    """

    part: str
    channel: int
    channels: int
    steps: tuple[Step, ...]
    asked: int
    readers: tuple[str, ...]


def windows(source: Map, rows: Places, columns: Places) -> NDArray[np.float64]:
    """Return what each unit reads of a map; 0 where there is nothing.

    Args:
        source: The map.
        rows: For each row of units the rows that are read, `(height, kernel height)`.
        columns: For each column of units the columns, `(width, kernel width)`.

    Returns:
        `(height, width, kernel height, kernel width)`.
    """
    row, column = rows[:, None, :, None], columns[None, :, None, :]
    found = source[np.maximum(row, 0), np.maximum(column, 0)].astype(np.float64)
    return np.where((row < 0) | (column < 0), 0, found)


def computed(step: Step, before: Map | None = None) -> NDArray[np.float64] | None:
    """Compute what a step gives, in float64.

    Args:
        step: The step.
        before: What the step before gave.

    Returns:
        `(height, width)`; `None` if the step does not say how.
    """
    match step:
        case Weighted():
            parts = sum(
                contribution(source.values, weights, step.rows, step.columns)
                for source, weights in zip(step.sources, step.weights, strict=True)
            )
            rest = 0 if step.rest is None else step.rest
            return np.broadcast_to(parts + rest + (step.bias or 0.0), step.values.shape)
        case Pooled():
            return _pooled(step)
        case Normalised():
            x = _values(step.source, before)
            deviation = np.sqrt(step.variance + step.epsilon)
            found: NDArray[np.float64] = (x - step.mean) / deviation * step.scale + step.shift
            return found
        case Merged():
            return _merged(step)
        case Copied():
            flat = step.source.values.astype(np.float64).ravel()
            copied = flat[np.maximum(step.places, 0)]
            return np.where(step.places < 0, step.values, copied)
        case SwitchedOff():
            return np.zeros(step.values.shape)
    return None


def contribution(
    source: Map, weights: NDArray[np.float32], rows: Places, columns: Places
) -> NDArray[np.float64]:
    """Return what a source contributes to each unit of a `Weighted`, `(height, width)`."""
    read = windows(source, rows, columns)
    found: NDArray[np.float64] = np.einsum("yxij,ij->yx", read, weights.astype(np.float64))
    return found


def _pooled(step: Pooled) -> NDArray[np.float64]:
    there = (step.rows > ABSENT)[:, None, :, None] & (step.columns > ABSENT)[None, :, None, :]
    read = windows(step.source.values, step.rows, step.columns)
    if step.kind == "max":
        greatest: NDArray[np.float64] = np.where(there, read, -np.inf).max(axis=(2, 3))
        return greatest
    total: NDArray[np.float64] = np.where(there, read, 0).sum(axis=(2, 3))
    if step.kind == "sum":
        return total
    return total / (step.divisor or np.maximum(there.sum(axis=(2, 3)), 1))


def _merged(step: Merged) -> NDArray[np.float64]:
    total = step.sources[0].values.astype(np.float64)
    for source, sign in zip(step.sources[1:], step.signs[1:], strict=True):
        value = source.values.astype(np.float64)
        match sign:
            case "+":
                total = total + value
            case "−":
                total = total - value
            case "×":
                total = total * value
            case "÷":
                total = total / value
            case "max":
                total = np.maximum(total, value)
            case "min":
                total = np.minimum(total, value)
    return total


def _values(source: Source | None, before: Map | None) -> NDArray[np.float64]:
    values = source.values if source else before
    assert values is not None, "only the first step has a source of its own"
    return values.astype(np.float64)
