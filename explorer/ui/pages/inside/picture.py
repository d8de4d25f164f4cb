"""The picture that goes into the network: from the test set, drawn, or uploaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.drawings import DrawingError, ink_to_png, pack_ink, read_ink, unpack_ink
from explorer.data.pictures import PictureError, open_picture, prepare
from explorer.data.pixels import pack_pixels
from explorer.language import author, later, say
from explorer.text import visible
from explorer.ui import controls, query_params, state
from explorer.ui.components.canvas import canvas
from explorer.ui.failure import sentence
from explorer.ui.pages.inside import opening
from explorer.ui.pages.inside.subject import Subject
from explorer.ui.pages.inside.uploaded import PICTURE, uploaded
from explorer.ui.query_params import OneOf

TEST_SET, DRAW, UPLOAD = later("Test set"), later("Draw"), later("Upload")
SOURCES = (TEST_SET, DRAW, UPLOAD)
# Session keys, and names in the address.
SOURCE, FILTER, IMAGE, DRAWING = "source", "filter", "image", "drawing"
CONTROLS = (SOURCE, FILTER, IMAGE, DRAWING, PICTURE)
_NAMES = {TEST_SET: (FILTER, IMAGE), DRAW: (DRAWING,), UPLOAD: (PICTURE,)}
# Session keys: the square, what is drawn, how often an address brought a drawing.
_CANVAS, _INK, _INK_VERSION = "canvas", "ink", "ink version"
ALL, WRONG, UNSURE = later("all"), later("classified incorrectly"), later("least confident")


@dataclass(frozen=True, slots=True)
class Picture:
    """The input of the network.

    Attributes:
        pixels: `(C, H, W)`.
        label: The true class, if it is known.
        is_in_link: Whether an address can have it.
    """

    pixels: NDArray[np.uint8]
    label: int | None = None
    is_in_link: bool = True


class _Ink(NamedTuple):
    """What is drawn: as a text for the address, and as a PNG."""

    text: str
    png: bytes


def picture(subject: Subject) -> Picture | None:
    """Let the visitor choose a picture; `None` while there is none, and the page says why."""
    source = controls.choose(
        SOURCE,
        OneOf(SOURCES),
        SOURCES[0],
        lambda keyed: st.segmented_control(
            say("Image"),
            SOURCES,
            required=True,
            format_func=say,
            label_visibility="collapsed",
            width="stretch",
            **keyed,
        ),
    )
    for name in CONTROLS[1:]:  # each source has its own
        if name not in _NAMES[source]:
            query_params.put(name, None)
    if source == DRAW:
        return _drawn(subject)
    if source == UPLOAD:
        return _uploaded(subject)
    return _of_the_test_set(subject)


def _of_the_test_set(subject: Subject) -> Picture:
    labels, names = subject.session.labels, subject.dataset.classes
    filters = [ALL, WRONG, UNSURE, *names]
    shown = controls.choose(
        FILTER,
        OneOf(filters),
        ALL,
        lambda keyed: st.selectbox(
            say("Show"),
            filters,
            format_func=lambda name: (
                say(name)
                if name in (ALL, WRONG, UNSURE)
                else say("class {name}", name=visible(author(name)))
            ),
            **keyed,
        ),
    )
    among = _among(subject, shown)
    if not among:
        st.caption(
            say("This network classifies every test image correctly; all of them are shown.")
        )
        among = range(len(labels))
    query_params.take(IMAGE, OneOf(among))
    first = opening.first_image(subject.run.id)
    st.session_state.setdefault(IMAGE, first if first in among else among[0])
    if controls.is_shown(IMAGE):
        _choose_image(among, len(labels), is_whole=shown == ALL)
    number = st.session_state[IMAGE]
    query_params.put(IMAGE, number, first)
    return Picture(subject.session.test_image(number), int(labels[number]))


def _choose_image(among: Sequence[int], total: int, *, is_whole: bool) -> None:
    if is_whole and len(among) == total:
        st.number_input(
            say("Test image, 0 to {last:,}", last=total - 1),
            0,
            total - 1,
            key=IMAGE,
            persist_state="session",
        )
    else:
        number = int(st.session_state[IMAGE])
        st.markdown(
            say(
                "Test image {number:,}, {place:,} of {count:,}",
                number=number,
                place=among.index(number) + 1,
                count=len(among),
            )
        )
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for words, icon, way in (
            (later("Previous"), "arrow_back", -1),
            (later("Next"), "arrow_forward", 1),
        ):
            st.button(
                say(words),
                icon=f":material/{icon}:",
                on_click=_step,
                args=(among, way),
                key=f"image.{words}",
            )


def _among(subject: Subject, shown: str) -> Sequence[int]:
    """The indices of the images that pass a filter, in its order."""
    labels = subject.session.labels
    if shown == ALL:
        return range(len(labels))
    if shown in (WRONG, UNSURE):
        with st.spinner(say("Scoring the test images")), subject.figure(say("The accuracy")):
            found = subject.session.answers()
            return found.mistakes() if shown == WRONG else found.doubts()
        return range(len(labels))
    number = subject.dataset.classes.index(shown)
    return [int(i) for i in np.flatnonzero(labels == number)]


def _step(among: Sequence[int], way: int) -> None:
    place = among.index(st.session_state[IMAGE]) + way
    st.session_state[IMAGE] = among[place % len(among)]


def open_test_image(number: int) -> None:
    """Choose an image of the test set by its index."""
    st.session_state.update({SOURCE: SOURCES[0], IMAGE: number, FILTER: ALL})
    st.toast(say("Test image {number} is shown above.", number=number))


def _drawn(subject: Subject) -> Picture | None:
    if (said := query_params.news(DRAWING)) is not None:
        st.session_state[_INK] = _unpacked_ink(said)
        st.session_state[_INK_VERSION] = st.session_state.get(_INK_VERSION, 0) + 1
    ink: _Ink | None = st.session_state.get(_INK)
    query_params.put(DRAWING, ink and ink.text)
    if controls.is_shown(SOURCE, DRAWING):
        canvas(
            _CANVAS,
            hint=say("Draw a digit here") if subject.dataset.centred else say("Draw here"),
            drawing=ink and ink.png,
            version=st.session_state.get(_INK_VERSION, 0),
            on_picture=_keep_drawing,
        )
    if ink is None:
        st.caption(say("The network answers as soon as you lift the pen."))
        return _blank(subject)
    return _prepared(subject, ink.png) or _blank(subject)


def _unpacked_ink(said: Sequence[str]) -> _Ink | None:
    if not said:
        return None
    try:
        return _Ink(said[-1], ink_to_png(unpack_ink(said[-1])))
    except DrawingError:
        query_params.refuse(DRAWING, said[-1])
        return None


def _keep_drawing(content: bytes | None) -> None:
    """Keep the ink of what the browser sent, since that is what a link has."""
    try:
        ink = read_ink(content) if content else None
    except DrawingError:  # whatever sent this is not the page's script
        ink = None
    st.session_state[_INK] = None if ink is None else _Ink(pack_ink(ink), ink_to_png(ink))


def _uploaded(subject: Subject) -> Picture:
    pixels = uploaded(subject.dataset, is_shown=controls.is_shown(SOURCE, PICTURE))
    if pixels is None:
        return _blank(subject)
    return Picture(pixels, is_in_link=pack_pixels(pixels) is not None)


def _blank(subject: Subject) -> Picture:
    spec = subject.dataset.images
    return Picture(np.zeros((spec.channels, spec.size, spec.size), np.uint8))


def _prepared(subject: Subject, content: bytes) -> Picture | None:
    limit = state.settings().upload_pixels
    try:
        return Picture(prepare(open_picture(content, limit), subject.dataset))
    except PictureError as error:
        st.error(sentence(error))
        return None
