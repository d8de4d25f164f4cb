"""Which networks a part of a lesson can look into."""

from collections.abc import Sequence

from explorer.inspection.parts import Part, blocks, nodes
from explorer.lessons.lesson import Need


def has(parts: Sequence[Part], need: Need) -> bool:
    """Return whether a network of these parts has what a part of a lesson needs.

    Args:
        parts: Of the network.
        need: "skip", a branch that passes a block's input on; "branches", a block that concatenates
            two or more; "conv1x1", a convolution with a window of one pixel.
    """
    if need == "skip":
        return any(branch.is_skip for block in blocks(parts) for branch in block.branches.values())
    if need == "branches":
        return any(block.kind == "concat" for block in blocks(parts))
    if need == "conv1x1":
        return any(node.kind == "Conv2d" and "1×1" in node.text for node in nodes(parts))
    return True
