"""The picture that goes into the network: from the test set, drawn, or uploaded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.pictures import PictureError, open_picture, prepare
from explorer.text import visible
from explorer.ui import query_params, state
from explorer.ui.components.canvas import canvas
from explorer.ui.failure import sentence
from explorer.ui.pages.inside.subject import Subject

SOURCES = ("Test set", "Draw", "Upload")
SOURCE, IMAGE = "source", "image"
ALL, WRONG, UNSURE = "all", "classified incorrectly", "least confident"


@dataclass(frozen=True, slots=True)
class Picture:
    """The input of the network.

    Attributes:
        pixels: `(C, H, W)`.
        label: The true class, if it is known.
    """

    pixels: NDArray[np.uint8]
    label: int | None = None


def picture(subject: Subject) -> Picture | None:
    """Let the visitor choose a picture; `None` while there is none, and the page says why."""
    asked = st.query_params.get(SOURCE)
    st.session_state.setdefault(SOURCE, asked if asked in SOURCES else SOURCES[0])
    source = st.segmented_control(
        "Image",
        SOURCES,
        required=True,
        key=SOURCE,
        bind=query_params.bound(SOURCE),
        label_visibility="collapsed",
        width="stretch",
    )
    if source == "Draw":
        return _drawn(subject)
    if source == "Upload":
        return _uploaded(subject)
    return _of_the_test_set(subject)


def _of_the_test_set(subject: Subject) -> Picture:
    labels, names = subject.session.labels, subject.dataset.classes
    filters = [ALL, WRONG, UNSURE, *names]
    query_params.take("filter", filters)
    shown = st.selectbox(
        "Show",
        filters,
        key="filter",
        persist_state="session",
        format_func=lambda name: name if name in (ALL, WRONG, UNSURE) else f"class {visible(name)}",
    )
    query_params.put("filter", shown if shown != ALL else None)
    among = _among(subject, shown)
    if not among:
        st.caption("This network classifies every test image correctly; all of them are shown.")
        among = range(len(labels))
    query_params.take(IMAGE, range(len(labels)))
    st.session_state.setdefault(IMAGE, among[0])
    if st.session_state[IMAGE] not in among:
        st.session_state[IMAGE] = among[0]
    if len(among) == len(labels) and shown == ALL:
        last = len(labels) - 1
        st.number_input(f"Test image, 0 to {last:,}", 0, last, key=IMAGE, persist_state="session")
    else:
        place = among.index(st.session_state[IMAGE]) + 1
        st.markdown(f"Test image {st.session_state[IMAGE]:,}, {place:,} of {len(among):,}")
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for words, icon, way in (("Previous", "arrow_back", -1), ("Next", "arrow_forward", 1)):
            st.button(
                words,
                icon=f":material/{icon}:",
                on_click=_step,
                args=(among, way),
                key=f"image.{words}",
            )
    number = st.session_state[IMAGE]
    query_params.put(IMAGE, number or None)
    return Picture(subject.session.test_image(number), int(labels[number]))


def _among(subject: Subject, shown: str) -> Sequence[int]:
    """The indices of the images that pass a filter, in its order."""
    labels = subject.session.labels
    if shown == ALL:
        return range(len(labels))
    if shown in (WRONG, UNSURE):
        with st.spinner("Scoring the test images"), subject.figure("The accuracy"):
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
    st.session_state.update({SOURCE: SOURCES[0], IMAGE: number, "filter": ALL})
    st.toast(f"Test image {number} is shown above.")


def _drawn(subject: Subject) -> Picture | None:
    hint = "Draw a digit here" if subject.dataset.centred else "Draw here"
    drawing = canvas("drawing", hint=hint)
    if drawing is None:
        st.caption("The network answers as soon as you lift the pen.")
        return _blank(subject)
    return _prepared(subject, drawing)


def _uploaded(subject: Subject) -> Picture | None:
    file = st.file_uploader(
        "A picture of one " + ("digit" if subject.dataset.centred else "thing"),
        key="upload",
        max_upload_size=_megabytes(state.settings().upload_bytes),
        help="PNG, JPEG or similar, any size. It is prepared like the images of the data set.",
    )
    if file is None:
        return _blank(subject)
    return _prepared(subject, file.getvalue())


def _megabytes(limit: int | None) -> int | None:
    """Return a limit in bytes as the uploader takes it; the server refuses what is above it."""
    return None if limit is None else max(1, math.ceil(limit / 1e6))


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
