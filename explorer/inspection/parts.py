"""The parts of a network, as whoever draws or lists it needs them. No torch needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Layer:
    """One module without parts that were run.

    Attributes:
        path: Its name in the network, such as `mix1.5x5.0`.
        kind: Its class, such as `Conv2d`.
        text: What it is in a few words, such as `conv 5×5`.
        shape: Of its output for one image: `(C, H, W)` or `(features,)`.
        weights: Its trainable numbers.
    """

    path: str
    kind: str
    text: str
    shape: tuple[int, ...]
    weights: int


@dataclass(frozen=True, slots=True)
class Block:
    """One `Branches`.

    Attributes:
        path: Its name in the network, such as `mix1`.
        merge: How its branches are merged: `concat`, `add` or the name of another function.
        branches: What each branch is made of, by name, in the order in which they are merged.
        channels: How many channels each branch gives.
        shape: Of the merged output for one image.
        weights: The trainable numbers of all branches.
    """

    path: str
    merge: str
    branches: Mapping[str, tuple["Part", ...]]
    channels: Mapping[str, int]
    shape: tuple[int, ...]
    weights: int


Part: TypeAlias = Layer | Block
