"""What a visitor has opened and switched off on *Look inside*; the address has both."""

from collections.abc import Collection, Sequence
from typing import Any

import streamlit as st

from explorer.charts.stages import Stage, stage_name, stages
from explorer.inspection.parts import Block, blocks
from explorer.inspection.recording import Recording
from explorer.inspection.session import Session
from explorer.ui import query_params

OFF, PART = "off", "part"  # session keys, and names in the address


def follow(is_another: bool) -> None:
    """Take over what is new in the address; otherwise forget what was off in another network."""
    if (said := query_params.news(OFF)) is not None:
        st.session_state[OFF] = tuple(dict.fromkeys(said))
    elif is_another or OFF not in st.session_state:
        st.session_state[OFF] = ()
    if (said := query_params.news(PART)) is not None:
        st.session_state[PART] = ()
        query_params.put(PART, *said)
        if said:
            _open(said[0])


def off(session: Session) -> tuple[str, ...]:
    """Return the paths of what is off in this network."""
    return tuple(path for path in st.session_state[OFF] if session.can_be_off(path))


def keep_in_address(found: Sequence[Collection[str]]) -> None:
    """Write into the address what is off in any of these networks."""
    asked = st.session_state[OFF]
    query_params.put(OFF, *(path for path in asked if any(path in own for own in found)))


def switch(path: str, on: bool) -> None:
    """Switch a branch or a channel on or off."""
    others = tuple(other for other in st.session_state[OFF] if other != path)
    st.session_state[OFF] = others if on else (*others, path)


def is_on(path: str) -> bool:
    """Return whether a branch or a channel is on."""
    return path not in st.session_state[OFF]


def switch_all_on() -> None:
    """Switch everything on."""
    st.session_state[OFF] = ()


def open_part(name: str) -> None:
    """Open a block or a stage in each network that has one of that name."""
    _open(name)
    query_params.put(PART, name)


def _open(name: str) -> None:
    before = st.session_state.get(PART, ())
    st.session_state[PART] = (name, *(other for other in before if other != name))[:10]


def opened(recording: Recording) -> Stage | None:
    """Return the part of this network that was opened last, or else its first block.

    Of a network that does nothing with the image, there is none.
    """
    found: dict[str, Any] = {stage_name(stage): stage for stage in stages(recording.parts)}
    found |= {block.name: block for block in blocks(recording.parts)}
    for name in st.session_state.get(PART, ()):
        if name in found:
            stage: Stage = found[name]
            return stage
    first_block = next((s for s in found.values() if isinstance(s, Block)), None)
    return first_block or next(iter(found.values()), None)
