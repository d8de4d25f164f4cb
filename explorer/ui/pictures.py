"""The picture that goes into the network: of the test set, drawn, or uploaded."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.prepare import PictureError, open_picture, prepare
from explorer.ui import address
from explorer.ui.canvas import canvas
from explorer.ui.subject import Subject, score

SOURCES = ("Test set", "Draw", "Upload")
ALL, WRONG, UNSURE = "all", "told wrong", "least sure"


@dataclass(frozen=True, slots=True)
class Picture:
    """What goes in.

    Attributes:
        pixels: `(C, H, W)`.
        label: The right class, if it is known.
    """

    pixels: NDArray[np.uint8]
    label: int | None = None


def picture(subject: Subject) -> Picture | None:
    """Let the visitor choose one; `None` while there is none, which is then said."""
    source = st.segmented_control(
        "Image",
        SOURCES,
        default=SOURCES[0],
        required=True,
        key="source",
        bind="query-params",
        label_visibility="collapsed",
        width="stretch",
    )
    if source == "Draw":
        return _drawn(subject)
    if source == "Upload":
        return _uploaded(subject)
    return _of_the_test_set(subject)


def _of_the_test_set(subject: Subject) -> Picture:
    test, names = subject.data.test, subject.dataset.labels
    filters = [ALL, WRONG, UNSURE, *names]
    address.take("filter", filters)
    if not 0 <= st.session_state.get("image", 0) < len(test):
        st.session_state.pop("image", None)
    shown = st.selectbox(
        "Show",
        filters,
        key="filter",
        persist_state="session",
        format_func=lambda name: name if name in (ALL, WRONG, UNSURE) else f"class {name}",
        on_change=_first,
        args=(subject,),
    )
    address.put("filter", shown if shown != ALL else None)
    among = _among(subject, shown)
    index = st.number_input(
        f"Test image, 0 to {len(test) - 1:,}", 0, len(test) - 1, key="image", bind="query-params"
    )
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for words, icon, way in (("Previous", "arrow_back", -1), ("Next", "arrow_forward", 1)):
            st.button(
                words,
                icon=f":material/{icon}:",
                on_click=_step,
                args=(among, way),
                disabled=not among,
                key=f"image.{words}",
            )
    label = int(test.labels[index])
    return Picture(test.images[index].cpu().numpy(), label)


def _among(subject: Subject, shown: str) -> list[int]:
    """The numbers of the images that a filter lets through, in its order."""
    test = subject.data.test
    if shown == ALL:
        return list(range(len(test)))
    if shown == WRONG:
        with st.spinner("Scoring the test images"):
            return score(subject, (), None).mistakes()
    if shown == UNSURE:
        with st.spinner("Scoring the test images"):
            return score(subject, (), None).doubts()
    number = subject.dataset.labels.index(shown)
    return [int(i) for i in (test.labels == number).nonzero().flatten()]


def _first(subject: Subject) -> None:
    among = _among(subject, st.session_state["filter"])
    if among:
        st.session_state["image"] = among[0]
    else:
        st.toast("This network tells every test image right.")


def _step(among: list[int], way: int) -> None:
    now = st.session_state["image"]
    place = among.index(now) + way if now in among else 0
    st.session_state["image"] = among[place % len(among)]


def _drawn(subject: Subject) -> Picture | None:
    spec = subject.data.spec
    hint = "Draw a digit here" if subject.dataset.centred else "Draw here"
    drawing = canvas("drawing", hint=hint)
    if drawing is None:
        st.caption("The network answers as soon as you lift the pen.")
        return Picture(np.zeros((spec.channels, spec.size, spec.size), np.uint8))
    return _prepared(subject, drawing)


def _uploaded(subject: Subject) -> Picture | None:
    file = st.file_uploader(
        "A picture of one " + ("digit" if subject.dataset.centred else "thing"),
        key="upload",
        max_upload_size=20,
        help="PNG, JPEG and the like, any size. It is treated as the data set's images were.",
    )
    if file is None:
        spec = subject.data.spec
        return Picture(np.zeros((spec.channels, spec.size, spec.size), np.uint8))
    return _prepared(subject, file.getvalue())


def _prepared(subject: Subject, content: bytes) -> Picture | None:
    try:
        return Picture(prepare(open_picture(content), subject.dataset))
    except PictureError as error:
        st.error(str(error))
        return None
