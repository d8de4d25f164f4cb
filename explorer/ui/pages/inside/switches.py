"""What a visitor has opened and switched off on *Look inside*; the address has both."""

from collections.abc import Collection, Sequence
from typing import Any

import streamlit as st

from explorer.charts.stages import Stage, stage_name, stages
from explorer.inspection.parts import Block, blocks
from explorer.inspection.recording import Recording
from explorer.inspection.session import Session
from explorer.ui import controls, query_params

OFF, PART = "off", "part"  # session keys, and names in the address
_ASKED = "asked"  # session key: what the address newly says of both


def follow(is_another: bool) -> None:
    """Take over what is new in the address; otherwise forget what was off in another network."""
    asked = st.session_state[_ASKED] = {name: query_params.news(name) for name in (OFF, PART)}
    if (said := asked[OFF]) is not None:
        st.session_state[OFF] = tuple(dict.fromkeys(said))
    elif is_another or OFF not in st.session_state:
        st.session_state[OFF] = ()
    if (said := asked[PART]) is not None:
        st.session_state[PART] = tuple(said[-1:])


def off(session: Session) -> tuple[str, ...]:
    """Return the paths of what is off in this network."""
    return tuple(path for path in st.session_state[OFF] if session.can_be_off(path))


def keep_in_address(shown: Sequence[Recording], found: Sequence[Collection[str]]) -> None:
    """Write into the address what is open and off; refuse what it asks for and none has.

    Args:
        shown: What each network did.
        found: The paths of what is off in each.
    """
    off = [path for path in st.session_state[OFF] if any(path in own for own in found)]
    query_params.put_all(OFF, off)
    parts = {name for recording in shown for name in _parts(recording)}
    opened = [name for name in st.session_state.get(PART, ()) if name in parts]
    query_params.put_all(PART, opened[:1])
    for name, used in ((OFF, off), (PART, opened)):
        for said in dict.fromkeys(st.session_state[_ASKED][name] or ()):
            if said not in used:
                query_params.refuse(name, said)


def switch(path: str, on: bool) -> None:
    """Switch a branch or a channel on or off, if that is a control."""
    if not controls.is_shown(OFF):
        return
    others = tuple(other for other in st.session_state[OFF] if other != path)
    st.session_state[OFF] = others if on else (*others, path)


def is_on(path: str) -> bool:
    """Return whether a branch or a channel is on."""
    return path not in st.session_state[OFF]


def switch_all_on() -> None:
    """Switch everything on."""
    st.session_state[OFF] = ()


def open_part(name: str) -> None:
    """Open a block or a stage in each network that has one of that name, if that is a control."""
    if not controls.is_shown(PART):
        return
    before = st.session_state.get(PART, ())
    st.session_state[PART] = (name, *(other for other in before if other != name))[:10]


def opened(recording: Recording, first: str) -> Stage | None:
    """Return the part of this network that was opened last, or else its first block.

    Of a network that does nothing with the image, there is none.

    Args:
        recording: What the network did.
        first: The name of a part that is opened in place of the first block, if there is one.
    """
    found = _parts(recording)
    for name in (*st.session_state.get(PART, ()), first):
        if name in found:
            return found[name]
    first_block = next((s for s in found.values() if isinstance(s, Block)), None)
    return first_block or next(iter(found.values()), None)


def _parts(recording: Recording) -> dict[str, Stage]:
    """Return what can be opened in a network, by name."""
    found: dict[str, Any] = {stage_name(stage): stage for stage in stages(recording.parts)}
    return found | {block.name: block for block in blocks(recording.parts)}
