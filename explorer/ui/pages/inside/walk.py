"""Step through: the parts of a network, one after the other, as the image runs through them."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from explorer.charts.stages import Stage, stage_name, stages
from explorer.inspection.parts import Block, Part, blocks, parameters
from explorer.language import again, later, listed, plural, say
from explorer.text import dimensions
from explorer.ui import controls, query_params
from explorer.ui.components.walk import walk
from explorer.ui.pages.inside import switches
from explorer.ui.pages.inside.case import Case

_PLAYS = "step was played"  # session key: no visitor asked for the part that is open
_MERGED = {
    "sum": later("added up"),
    "concat": later("concatenated"),
    "stack": later("stacked"),
    "product": later("multiplied"),
    "maximum": later("reduced to their largest values"),
    "matrix product": later("multiplied as matrices"),
}


def show(place: int, case: Case, stage: Stage) -> None:
    """Show the buttons that open the part before, or after, the one that is open.

    Args:
        place: Of the network on the page.
        case: The network and its picture.
        stage: The part that is open.
    """
    if st.session_state.pop(_PLAYS, False):
        query_params.replace_entry()
    steps = through(case.recording.parts)
    if not controls.is_shown(switches.PART) or len(steps) < 2:
        return
    names = [stage_name(each) for each in steps]
    key = f"walk.{place}"

    def step(asked: Mapping[str, Any]) -> None:
        st.session_state[_PLAYS] = bool(asked["plays"])
        switches.open_part(str(asked["name"]))

    walk(names, names.index(stage_name(stage)), line(stage), key, on_step=step)


def through(parts: Sequence[Part]) -> list[Stage]:
    """Return the stages and blocks of a network as it runs, each block before those within it."""
    found: list[Stage] = []
    for stage in stages(parts):
        found += list(blocks([stage])) if isinstance(stage, Block) else [stage]
    return found


def line(stage: Stage) -> str:
    """Say what a part does: `conv1: conv 5×5, ReLU; 1×28×28 → 16×24×24, 416 parameters`."""
    if isinstance(stage, Block):
        shapes, used = (stage.input_shape, stage.shape), stage.parameters
        does = say(
            "{count} branches from one input, {merged}",
            count=len(stage.branches),
            merged=say(_MERGED.get(stage.kind, later("merged"))),
        )
    else:
        shapes, used = (stage[0].input_shape, stage[-1].shape), parameters(stage)
        does = listed([again(node.text) for node in stage], ",")
    learnt = plural("{n:,} parameter", "{n:,} parameters", used) if used else say("no parameters")
    return say(
        "{part}: {does}; {shapes}, {parameters}",
        part=stage_name(stage),
        does=does,
        shapes=" → ".join(dimensions(shape) for shape in shapes if shape),
        parameters=learnt,
    )
