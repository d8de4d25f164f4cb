"""What the questions about a network find out, as plain values. No torch needed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from explorer.inspection.parts import Block, Kind, Node, Part
from explorer.language import later, listed, say

Instead: TypeAlias = Literal["zero", "mean"]  # what a branch that is off gives
INSTEAD: tuple[Instead, ...] = get_args(Instead)
Method: TypeAlias = Literal["integrated gradients", "occlusion"]  # of attribution to the pixels
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of one convolution.

    Attributes:
        path: The convolution's path in the network.
        values: `(outputs, inputs / groups, height, width)`.
        bias: `(outputs,)`, or `None`.
        groups: In how many groups the channels are, each of which has its own inputs.
    """

    path: str
    values: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    groups: int = 1

    @property
    def norms(self) -> NDArray[np.float32]:
        """The L2 norm of each filter, `(outputs,)`."""
        norms: NDArray[np.float32] = np.linalg.norm(self._flat, axis=1)
        return norms

    @property
    def mean(self) -> float:
        """The mean of all weights."""
        return float(self.values.mean(dtype=np.float64))

    @property
    def std(self) -> float:
        """The standard deviation of all weights."""
        return float(self.values.std(dtype=np.float64))

    @property
    def likeness(self) -> float:
        """The largest |cosine| between two filters; near 1, one of them is redundant."""
        if len(self.values) < 2:
            return 0.0
        flat = self._flat / np.maximum(self.norms, 1e-12)[:, None]
        between = np.abs(flat @ flat.T)
        np.fill_diagonal(between, 0)
        return float(between.max())

    @property
    def _flat(self) -> NDArray[np.float32]:
        return self.values.reshape(len(self.values), -1)


@dataclass(frozen=True, slots=True)
class LogitAttribution:
    """What each branch of a block contributed to the logits.

    Attributes:
        block: The block's name.
        exact: Whether the contributions and the bias sum to the logits, for these images and for
            random ones.
        branches: If exact, each branch's contribution to each logit, `(N, num_classes)`. If not,
            how far each logit falls when the branch is switched off.
        bias: `(num_classes,)`: the logits without any branch; `None` if not exact, since they then
            depend on the rest.
    """

    block: str
    exact: bool
    branches: Mapping[str, NDArray[np.float32]]
    bias: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one part of a network.

    Attributes:
        name: The part's name.
        kind: Whether it is a layer (or an operation between layers), a branch or a block.
        depth: How many blocks and branches it is nested in.
        text: What it is, in a few words.
        parameters: How many trainable parameters it has.
        macs: Multiply-adds for one image.
        milliseconds: Of a forward pass of the measured batch; `None` if none was measured.
    """

    name: str
    kind: Literal["layer", "branch", "block"]
    depth: int
    text: str
    parameters: int
    macs: int
    milliseconds: float | None


def costs(
    parts: Sequence[Part],
    milliseconds: Mapping[str, float] | None = None,
    unused: Sequence[Node] = (),
) -> list[Cost]:
    """Return the cost of each part, each block before its branches, each branch before its layers.

    Args:
        parts: The parts of a network, in running order.
        milliseconds: Those of each part by name, as `measure` returns them.
        unused: What is computed and does not reach the answer; it comes last.
    """
    times = milliseconds or {}
    wasted = [_row(node, times, 0, say("{layer}, never used", layer=node.text)) for node in unused]
    return [*_rows(parts, times, 0), *wasted]


def _rows(parts: Sequence[Part], times: Mapping[str, float], depth: int) -> Iterable[Cost]:
    for part in parts:
        if not isinstance(part, Block):
            yield _row(part, times, depth, part.text)
            continue
        words = say(_MERGES[part.kind], n=len(part.branches))
        time = times.get(part.name)
        yield Cost(part.name, "block", depth, words, part.parameters, part.macs, time)
        for branch in part.branches.values():
            inside = branch.parts
            words = listed([p.name if isinstance(p, Block) else p.text for p in inside], ",")
            time = times.get(branch.path)
            yield Cost(
                branch.path, "branch", depth + 1, words, branch.parameters, branch.macs, time
            )
            # A branch of one layer is that layer.
            if [part.name for part in inside if isinstance(part, Node)] != [branch.path]:
                yield from _rows(inside, times, depth + 2)


_MERGES: Mapping[Kind, str] = {
    "sum": later("sum of {n}"),
    "concat": later("concat of {n}"),
    "stack": later("stack of {n}"),
    "product": later("product of {n}"),
    "maximum": later("maximum of {n}"),
    "matrix product": later("matrix product of {n}"),
    "write": later("write of {n}"),
    "merge": later("merge of {n}"),
}


def _row(node: Node, times: Mapping[str, float], depth: int, text: str) -> Cost:
    time = times.get(node.name)
    return Cost(node.name, "layer", depth, text, node.parameters, node.macs, time)


@dataclass(frozen=True, slots=True)
class Replacement:
    """The single layer that could replace an affine map.

    Attributes:
        text: What it is, such as `Conv2d(10, 88, 5×5)` or `Linear(320, 10)`.
        parameters: How many parameters it has, its bias included.
        exact: Whether it is the same map up to the border; if not, only away from it, where zeros
            that are padded between the block's layers do not reach.
    """

    text: str
    parameters: int
    exact: bool


@dataclass(frozen=True, slots=True)
class OneLayer:
    """The linear layer that computes what a network does from a block on, and a test of it.

    Attributes:
        weight: `(num_classes, features)`.
        bias: `(num_classes,)`.
        logits: Those of the network for some test images, `(N, num_classes)`.
        rebuilt: Those of the layer for what enters the block on the same images.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    logits: NDArray[np.float64]
    rebuilt: NDArray[np.float64]

    @property
    def parameters(self) -> int:
        """How many parameters the layer has."""
        return int(self.weight.size + self.bias.size)

    @property
    def error(self) -> float:
        """The largest difference between two logits."""
        return float(np.abs(self.logits - self.rebuilt).max())


@dataclass(frozen=True, slots=True)
class Linearity:
    """A verdict on one block, or on another stretch of a network.

    Attributes:
        block: Its name.
        parameters: How many trainable parameters it uses.
        error: How far the block is from affine, relative to its largest output.
        replacement: The layer that could replace it, if it is affine.
        tail_parameters: How many trainable parameters there are from the block to the logits, the
            block included.
        tail_error: The error of the whole map from the block's input to the logits.
        tail_replacement: The linear layer that could replace that map, if it is affine.
    """

    block: str
    parameters: int
    error: float
    replacement: Replacement | None
    tail_parameters: int
    tail_error: float
    tail_replacement: Replacement | None
