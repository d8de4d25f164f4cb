"""The stages of a network, as a drawing shows them: a layer with weights and what follows it."""

from collections.abc import Sequence
from typing import TypeAlias

from explorer.inspection.parts import Block, Layer, Part

_FLATTENING = ("Flatten", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d")

Stage: TypeAlias = list[Layer] | Block


def stages(parts: Sequence[Part]) -> list[Stage]:
    """Group each layer that has weights with those without that follow it.

    What turns maps into features for a classifier stands with the classifier.
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


def _begins_stage(layer: Layer, last: Sequence[Layer]) -> bool:
    if last[0].kind in _FLATTENING:
        return layer.kind not in _FLATTENING and last[-1].kind not in _FLATTENING
    heavy = layer.parameters > 0 and "Norm" not in layer.kind
    return heavy or layer.kind in _FLATTENING


def stage_name(stage: Stage) -> str:
    """The name by which a stage is opened: its block's, or its first layer's."""
    return stage.name if isinstance(stage, Block) else stage[0].name
