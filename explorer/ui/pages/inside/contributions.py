"""What is said beside the maps of an opened part: the branches' shares, and dead channels."""

from collections.abc import Mapping, Sequence

from explorer.charts.lanes import Shares
from explorer.charts.stages import Stage
from explorer.inspection.parts import Block
from explorer.ui.pages.inside import picker
from explorer.ui.pages.inside.case import Case

AFFORDED = 3 * 10**9  # multiply-adds that may be added to each switch
IMAGES = 100  # test images; a channel that is 0 for all of them is called dead


def shares(case: Case, stage: Stage) -> Shares | None:
    """Return what each branch of a block gave to the logit of the predicted class.

    There is none while epochs are played, for an empty picture, and of a network that would take
    too long.
    """
    if not isinstance(stage, Block) or picker.is_playing() or not case.chosen.pixels.any():
        return None
    if case.session.outline.macs * (len(stage.branches) + 1) > AFFORDED:
        return None
    best = int(case.recording.logits[0].argmax())
    found = case.session.logit_falls(case.chosen.pixels, stage.name, case.off)
    values = {name: float(each[best]) for name, each in found.items()}
    return Shares(values, case.subject.classes[best])


def dead(case: Case) -> Mapping[str, Sequence[int]]:
    """Return the dead channels of each part of the network as it was trained, by name."""
    if picker.is_playing() or case.session.outline.macs * IMAGES > AFFORDED:
        return {}
    return case.session.dead(IMAGES)
