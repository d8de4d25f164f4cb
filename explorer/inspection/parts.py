"""The parts of a network, as whoever draws or lists it needs them. No torch needed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Layer:
    """One run of a module that has no parts.

    Attributes:
        path: The module's name in the network, such as `mix1.5x5.0`.
        call: Which run of that module it is, from 1; a module may be used more than once.
        kind: The module's class, such as `Conv2d`.
        text: What it is in a few words, such as `conv 5×5`.
        inputs: The shape of its input for one image; empty if it takes no tensor.
        shape: The shape of its output for one image: `(C, H, W)` or `(features,)`.
        parameters: Its trainable numbers.
        macs: Multiply-adds for one image.
    """

    path: str
    call: int
    kind: str
    text: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    parameters: int
    macs: int

    @property
    def name(self) -> str:
        """What tells it from all other layers: its path, and `#2` on its second run."""
        return run_name(self.path, self.call)


@dataclass(frozen=True, slots=True)
class Block:
    """One run of a `Branches`.

    Attributes:
        path: The block's name in the network, such as `mix1`.
        call: Which run of that block it is, from 1.
        merge: How its branches are merged: `concat`, `add` or the name of another function.
        branches: What each branch is made of, by name, in the order in which they are merged.
        channels: How many channels each branch gives.
        inputs: The shape of its input for one image.
        shape: The shape of the merged output for one image.
        parameters: The trainable numbers of all branches.
        macs: Multiply-adds for one image, the merge included.
    """

    path: str
    call: int
    merge: str
    branches: Mapping[str, tuple["Part", ...]]
    channels: Mapping[str, int]
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    parameters: int
    macs: int

    @property
    def name(self) -> str:
        """What tells it from all other blocks: its path, and `#2` on its second run."""
        return run_name(self.path, self.call)

    def branch_path(self, branch: str) -> str:
        """The name in the network of one of its branches, such as `mix1.5x5`."""
        return branch_path(self.path, branch)

    def branch_name(self, branch: str) -> str:
        """The name under which the branch's output is recorded."""
        return run_name(self.branch_path(branch), self.call)


Part: TypeAlias = Layer | Block


def branch_path(block: str, branch: str) -> str:
    """The name in the network of a branch of the block at the path `block`."""
    return f"{block}.{branch}" if block else branch


def run_name(path: str, call: int) -> str:
    """The name of one run of a module."""
    return path if call == 1 else f"{path}#{call}"


def blocks(parts: Sequence[Part]) -> Iterator[Block]:
    """All blocks, those within branches after the one that holds them."""
    for part in parts:
        if isinstance(part, Block):
            yield part
            for branch in part.branches.values():
                yield from blocks(branch)


def layers(parts: Sequence[Part]) -> Iterator[Layer]:
    """All layers in the order in which they run, those within branches included."""
    for part in parts:
        if isinstance(part, Layer):
            yield part
        else:
            for branch in part.branches.values():
                yield from layers(branch)


def is_skip(parts: Sequence[Part]) -> bool:
    """Whether a branch of these parts hands its input on unchanged."""
    return all(isinstance(part, Layer) and part.kind == "Identity" for part in parts)
