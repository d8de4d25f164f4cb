"""One feature map: how each of its units was computed, of which maps, with which numbers."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import streamlit as st

from explorer.charts.unit import unit as draw_unit
from explorer.inspection.recording import as_maps
from explorer.inspection.units import Arithmetic, Merged, Normalised, Pooled, Weighted
from explorer.language import current, say
from explorer.ui import controls, query_params
from explorer.ui.components.unit import unit
from explorer.ui.pages.inside import excites, switches
from explorer.ui.pages.inside.case import Case

MAP, UNIT = "map", "unit"  # session keys, and names in the address
_IS_NEW = "map is new"  # session key: it was opened by a click, and comes into view


def follow(cases: Sequence[Case]) -> None:
    """Take over what is new in the address, and write into it which map is open, and which unit."""
    said = query_params.news(MAP)
    if said is not None:
        st.session_state[MAP] = _channel(said[-1]) if said else None
    at = query_params.news(UNIT)
    if at is not None:
        st.session_state[UNIT] = _place(at[-1]) if at else None
    opened = st.session_state.get(MAP)
    if opened and not any(_has(case, *opened) for case in cases):
        opened = None
    if said and not opened:
        query_params.refuse(MAP, said[-1])
    if at and not st.session_state[UNIT]:
        query_params.refuse(UNIT, at[-1])
    place = st.session_state.get(UNIT) if opened else None
    query_params.put(MAP, f"{opened[0]}:{opened[1]}" if opened else None)
    query_params.put(UNIT, f"{place[0]},{place[1]}" if place else None)


def ask(place: int, name: str, channel: int) -> None:
    """Open a map when the page runs again; the unit stays if it is another channel of the same."""
    if (st.session_state.get(MAP) or ("", 0))[0] != name:
        st.session_state[UNIT] = None
    st.session_state[MAP] = (name, channel)
    st.session_state[_IS_NEW] = place


def show(place: int, case: Case) -> None:
    """Show the map that is open, if this network has it."""
    opened = st.session_state.get(MAP)
    if not opened or not _has(case, *opened):
        return
    name, channel = opened
    with case.subject.figure(say("The arithmetic of one unit")):
        _panel(place, case, name, channel)


def _panel(place: int, case: Case, name: str, channel: int) -> None:
    found = case.session.arithmetic(case.chosen.pixels, name, channel, case.off)
    drawn = case.session.made("arithmetic", (case.key, name, channel), lambda: draw_unit(found))
    path, mine = f"{name}:{channel}", f"unit.{place}"
    can_switch = controls.is_shown(switches.OFF) and case.session.can_be_off(path)
    height, width = found.steps[0].values.shape
    at = st.session_state.get(UNIT)
    key = repr((case.subject.key, case.key, name, channel, current()))
    unit(
        drawn,
        list(_facts(case, name, found)),
        mine,
        id=hashlib.sha256(key.encode()).hexdigest()[:16],
        at=at if at and at[0] < height and at[1] < width else None,
        scroll=st.session_state.pop(_IS_NEW, None) == place,
        switch={"path": path, "on": switches.is_on(path)} if can_switch else None,
        on_open=lambda said: ask(place, **said),
        on_unit=lambda said: _choose(**said),
        on_switch=lambda said: switches.switch(**said),
        on_close=_close,
    )
    if controls.is_shown(excites.EXCITES):
        st.button(
            say("What excites this channel?"),
            icon=":material/image_search:",
            key=f"excites.{place}",
            on_click=excites.ask,
            args=(name, channel),
            help=say("Answered below: the test images that excite it most and least."),
        )


def _choose(y: int, x: int) -> None:
    st.session_state[UNIT] = (y, x)


def _close() -> None:
    st.session_state[MAP] = st.session_state[UNIT] = None


def _has(case: Case, name: str, channel: int) -> bool:
    """Tell whether a network has a part of that name with such a channel."""
    maps = case.maps.get(name)
    return maps is not None and channel < len(as_maps(maps))


def _channel(text: str) -> tuple[str, int] | None:
    """Read the name of a part and a channel of it, such as `conv1:3`."""
    name, _, channel = text.rpartition(":")
    return (name, int(channel)) if name and _is_number(channel) else None


def _place(text: str) -> tuple[int, int] | None:
    """Read a row and a column, such as `4,7`."""
    y, _, x = text.partition(",")
    return (int(y), int(x)) if _is_number(y) and _is_number(x) else None


def _is_number(text: str) -> bool:
    # Digits of a plain number only: an address may say anything.
    return text.isascii() and text.isdecimal() and len(text) < 10


def _facts(case: Case, name: str, found: Arithmetic) -> Iterator[str]:
    if field := case.session.fields.get(name):
        is_part = str(field)[-1].isdigit()  # so many pixels, and not the whole image
        yield (
            say("Each unit sees {field} of the image (its receptive field).", field=field.in_words)
            if is_part
            else say("Each unit sees {field} (its receptive field).", field=field.in_words)
        )
    first = found.steps[0]
    if isinstance(first, Weighted | Pooled | Merged | Normalised):
        yield say("Numbers are rounded where they are printed, and nowhere before.")
    if isinstance(first, Weighted) and not first.others:
        norm = float(np.linalg.norm(first.weights))
        yield say("The weights have the norm {norm:.3f}.", norm=norm)
    maps = as_maps(case.maps[name])
    if len(maps) > 1 and (dead := int((maps == 0).all(axis=(1, 2)).sum())):
        yield say(
            "{dead} of the {channels} channels are 0 everywhere for this image; filters whose "
            "channel is 0 for every image are dead filters.",
            dead=dead,
            channels=len(maps),
        )
