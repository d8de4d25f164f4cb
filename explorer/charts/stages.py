"""The stages of a network: a layer with parameters and what follows it, or a block."""

from collections.abc import Sequence
from typing import TypeAlias

from explorer.inspection.parts import Block, Node, Part

_FLATTENING = (
    "Flatten",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "mean",
)

Stage: TypeAlias = list[Node] | Block


def stages(parts: Sequence[Part]) -> list[Stage]:
    """Group each layer that has parameters with those without that follow it.

    What turns maps into features for a classifier is in the classifier's stage.
    """
    found: list[Stage] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, Block):
            found.append(part)
        elif isinstance(last, list) and not _begins_stage(part, last):
            last.append(part)
        else:
            found.append([part])
    return found


def _begins_stage(layer: Node, last: Sequence[Node]) -> bool:
    if layer.kind in _FLATTENING:
        return any(other.kind not in _FLATTENING for other in last)
    is_classifier = last[0].kind in _FLATTENING and not any(map(_is_heavy, last))
    return _is_heavy(layer) and not is_classifier


def _is_heavy(layer: Node) -> bool:
    return layer.parameters > 0 and "Norm" not in layer.kind


def stage_name(stage: Stage) -> str:
    """Return the name by which a stage is opened: its block's, or its first layer's."""
    return stage.name if isinstance(stage, Block) else stage[0].name


def trail(parts: Sequence[Part], name: str) -> list[str]:
    """Return the names of the blocks in whose branches a part is, the outermost first."""
    for part in parts:
        if not isinstance(part, Block):
            continue
        for branch in part.branches.values():
            inside = {stage_name(stage) for stage in stages(branch.parts)}
            if name in inside:
                return [part.name]
            if further := trail(branch.parts, name):
                return [part.name, *further]
    return []
