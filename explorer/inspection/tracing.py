"""Runs images through a network and keeps what its parts gave, by name.

All that looks inside a network builds on `trace`, and no network has to be written for it.
"""

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from explorer.inspection.blocks import find_parts
from explorer.inspection.graph import record
from explorer.inspection.macs import MacCounter
from explorer.inspection.parts import IMAGE, Graph, Node, Part, blocks, branches, image_shape
from explorer.modes import evaluating
from explorer.outputs import first_output

T = TypeVar("T")


@dataclass(frozen=True)
class Trace(Generic[T]):
    """One run of a network.

    Attributes:
        graph: What it did.
        parts: The layers, operations and blocks on the way from the image to the answer, in the
            order in which they ran.
        begun: The path of each module, containers included, in the order in which they began to
            run; once for each run.
        kept: What was kept of the output of each node, branch and block, by name.
        output: The network's answer: its first output, if it has several.
        macs: All multiply-adds for one image; 0 if they were not counted.
    """

    graph: Graph
    parts: tuple[Part, ...]
    begun: tuple[str, ...]
    kept: dict[str, T]
    output: Tensor
    macs: int

    @property
    def parameters(self) -> int:
        """How many trainable parameters the parts have."""
        return sum(part.parameters for part in self.parts)

    @cached_property
    def named(self) -> Mapping[str, Node]:
        """Each node but the image by its name, and each block's merge by the block's name too."""
        merges = {block.name: block.merge for block in blocks(self.parts)}
        return {node.name: node for node in self.graph.nodes[1:]} | merges


def twin(model: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """Copy a network to the CPU, in the plain memory layout, and to `dtype` if one is given."""
    # A tensor that a forward computed and kept as an attribute refuses to be deep-copied.
    kept = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    copied: nn.Module = copy.deepcopy(model, kept).to(  # type: ignore[call-overload]
        device="cpu", dtype=dtype, memory_format=torch.contiguous_format
    )
    return copied


def trace(
    model: nn.Module, images: Tensor, keep: Callable[[Tensor], T], *, count: bool = False
) -> Trace[T]:
    """Run `images` through `model` in evaluation mode, without gradients, and watch.

    Args:
        model: Unchanged afterwards, mode and random generator included.
        images: `(N, C, H, W)`, normalised, on the model's device.
        keep: Called with each output `(N, …)` at the moment at which it is computed. A later
            operation may overwrite the tensor in place, so what is to last has to be a copy.
        count: Count multiply-adds, which takes longer.

    Raises:
        GraphError: The answer cannot be followed back to the images.
    """
    counter = MacCounter() if count else None

    def arranged(tensor: Tensor) -> tuple[tuple[int, ...], T]:
        found = by_image(tensor, len(images))
        return tuple(found.shape[1:]), keep(found)

    with evaluating(model), torch.random.fork_rng(devices=[]), counter or nullcontext():
        graph, recorder, output = record(model, images, arranged, counter)
    shapes = {operand: shape for operand, (shape, _) in recorder.operands.items()}
    parts = find_parts(graph, shapes)
    kept = {
        node.name: recorder.kept[node.number][1] for node in graph.nodes if node.number != IMAGE
    }
    for _, branch in branches(parts).values():
        one = branch.operands[0] if len(branch.operands) == 1 else None
        own = recorder.operands.get(one) if one else None
        kept[branch.path] = (own or recorder.kept[branch.source])[1]
    # A merge goes by the name of its block.
    kept |= {block.name: kept.pop(block.merge.name) for block in list(blocks(parts))}
    macs = counter.total // len(images) if counter else 0
    return Trace(graph, parts, tuple(recorder.begun), kept, first_output(output), macs)


def by_image(tensor: Tensor, images: int) -> Tensor:
    """Return a tensor with what it holds for each image: `(N, …)`.

    The images are found as `image_shape` finds them. What is the same for all is repeated.
    """
    sides, shape = tuple(tensor.shape), image_shape(tensor.shape, images)
    if images in sides:
        return tensor.movedim(sides.index(images), 0).reshape(images, *shape)
    if sides and sides[0] % images == 0:
        return tensor.reshape(images, *shape)
    return tensor.expand(images, *shape)
