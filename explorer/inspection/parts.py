"""The parts of a network, as a drawing or a list needs them. No torch needed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Layer:
    """One run of a module that holds no other modules.

    Attributes:
        path: The module's name in the network, such as `mix1.5x5.0`.
        call: Which run of that module it is, from 1; a module may be used more than once.
        kind: The module's class, such as `Conv2d`.
        text: What it is in a few words, such as `conv 5×5`.
        inputs: The shape of its input for one image; empty if it takes no tensor.
        shape: The shape of its output for one image: `(C, H, W)` or `(features,)`.
        parameters: How many trainable parameters it has.
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
        """Its unique name: its path, and `#2` added on its second run."""
        return run_name(self.path, self.call)


@dataclass(frozen=True, slots=True)
class Block:
    """One run of a `Branches`.

    Attributes:
        path: The block's name in the network, such as `mix1`.
        call: Which run of that block it is, from 1.
        merge: How its branches are merged: `concat`, `add` or the name of another function.
        branches: The parts of each branch, by name, in the order in which they are merged.
        channels: How many channels each branch gives.
        inputs: The shape of its input for one image.
        shape: The shape of the merged output for one image.
        parameters: How many trainable parameters all its branches have.
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
        """Its unique name: its path, and `#2` added on its second run."""
        return run_name(self.path, self.call)

    def branch_path(self, branch: str) -> str:
        """Return the path of one of its branches in the network, such as `mix1.5x5`."""
        return branch_path(self.path, branch)

    def branch_name(self, branch: str) -> str:
        """Return the name under which the output of one of its branches is recorded."""
        return run_name(self.branch_path(branch), self.call)


Part: TypeAlias = Layer | Block


def branch_path(block: str, branch: str) -> str:
    """Return the path in the network of a branch of the block at the path `block`."""
    return f"{block}.{branch}" if block else branch


def run_name(path: str, call: int) -> str:
    """Return the name of one run of a module."""
    return path if call == 1 else f"{path}#{call}"


def blocks(parts: Sequence[Part]) -> Iterator[Block]:
    """Yield all blocks in the order in which they run, each before those within its branches."""
    for part in parts:
        if isinstance(part, Block):
            yield part
            for branch in part.branches.values():
                yield from blocks(branch)


def layers(parts: Sequence[Part]) -> Iterator[Layer]:
    """Yield all layers in the order in which they run, those within branches included."""
    for part in parts:
        if isinstance(part, Layer):
            yield part
        else:
            for branch in part.branches.values():
                yield from layers(branch)


def branch_paths(parts: Sequence[Part]) -> list[str]:
    """Return the path of each branch, skips included, in the order in which they run."""
    return [
        block.branch_path(name)
        for block in blocks(parts)
        if block.call == 1
        for name in block.branches
    ]


def in_running_order(paths: Iterable[str], begun: Sequence[str]) -> list[str]:
    """Sort the paths of modules by when they first run.

    Args:
        paths: Of modules. One that does not run by itself, such as one that computes a parameter,
            comes with the module that holds it; what belongs to the whole network comes last.
        begun: The paths of the modules in the order in which they began to run.
    """
    first: dict[str, int] = {}
    for number, path in enumerate(begun):
        first.setdefault(path, number)

    def place(path: str) -> int:
        while path and path not in first:
            path = path.rpartition(".")[0]
        return first[path] if path else len(begun)

    return sorted(paths, key=place)


def is_skip(parts: Sequence[Part]) -> bool:
    """Return whether a branch of these parts passes its input on unchanged."""
    return all(isinstance(part, Layer) and part.kind == "Identity" for part in parts)
