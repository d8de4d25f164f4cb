"""The hue of each branch of a block: by what it is, so that it is the same in every block."""

import re
from collections.abc import Iterable, Mapping

from explorer.charts.style import distinct_hues
from explorer.inspection.parts import Block, Branch, nodes

_WINDOW = re.compile(r"(\d+)×(\d+)")


def branch_hues(block: Block) -> Mapping[str, str]:
    """Return one hue for each branch of a block.

    It is that of the branch's role, such as `skip` or `3x3`; of a role that the block has twice, or
    of none, it is the next that the block does not have yet.
    """
    hues = distinct_hues([role_of(block, branch) for branch in block.branches.values()])
    return dict(zip(block.branches, hues, strict=True))


def role_of(block: Block, branch: Branch) -> str:
    """Return what a branch is: `skip`, `correction`, `pool`, or its largest window, as in `5x5`.

    Of two branches that are summed, the one with more parameters is the correction to the other.
    """
    if branch.is_skip:
        return "skip"
    others = [other for other in block.branches.values() if other is not branch]
    if block.kind == "sum" and len(others) == 1 and branch.parameters > others[0].parameters:
        return "correction"
    layers = list(nodes(branch.parts))
    side = max(_windows(node.text for node in layers if "onv" in node.kind), default=0)
    if side <= 1 and any("pool" in node.kind.lower() for node in layers):
        return "pool"
    return f"{side}x{side}" if side else ""


def _windows(texts: Iterable[str]) -> Iterable[int]:
    for text in texts:
        if found := _WINDOW.search(text):
            yield max(map(int, found.groups()))
