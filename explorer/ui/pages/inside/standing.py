"""The row at the top of *Look inside*: the image, the answer, and the accuracy, once."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.data.png import as_picture
from explorer.runs.run import distinguish
from explorer.statistics.images import difference
from explorer.text import percent, signed
from explorer.training.events import Moment
from explorer.ui import controls
from explorer.ui.pages.inside import picker, switches, worth
from explorer.ui.pages.inside.case import Case
from explorer.ui.pages.inside.picture import Picture
from explorer.ui.words import code, plain

SIDE = 84  # pixels of the image
_KEY = "standing"

_STYLE = f"""<style>
div:has(> .st-key-{_KEY}) {{
  position: sticky; top: 3.75rem; z-index: 20; background: light-dark(#fff, #171614);
  border-bottom: 1px solid rgb(128 128 128 / 0.25); padding: 0.4rem 0;
}}
.st-key-{_KEY} {{ flex-wrap: nowrap; gap: 0.25rem 0.75rem; }}
.st-key-{_KEY} strong {{ font-size: 1.1em; }}
.st-key-{_KEY} img {{ image-rendering: pixelated; outline: 1px solid rgb(128 128 128 / 0.5); }}
@media (max-width: 640px) {{
  .st-key-{_KEY} img {{ width: 56px !important; }}
  .st-key-{_KEY} p {{ font-size: 0.875rem; line-height: 1.35; }}
  .st-key-{_KEY} [data-testid=stCaptionContainer] {{ display: none; }}
  .st-key-{_KEY} button {{ min-height: 0; padding: 0.15rem 0.4rem; }}
}}
</style>"""


def row() -> DeltaGenerator:
    """Make the row, which stays in sight while switches further down are pressed."""
    st.html(_STYLE)
    return st.container(key=_KEY, horizontal=True, vertical_alignment="center")


def show(cases: Sequence[Case]) -> None:
    """Fill the row; of two networks, both answers beside one image."""
    if not cases:
        return
    image(cases[0].chosen)
    names = distinguish([case.subject.run for case in cases])
    for case in cases:
        with st.container(gap="xxsmall"):
            name = f"{plain(names[case.subject.run.id])}, {case.subject.moment}: "
            st.markdown(f"{name if len(cases) > 1 else ''}**{plain(predicted(case))}**")
            with case.subject.figure("The accuracy"):
                _accuracy(case)
    if any(case.off for case in cases) and controls.is_shown(switches.OFF):
        st.button("Switch all on", key="all on", on_click=switches.switch_all_on)


def image(chosen: Picture) -> None:
    """Show the picture, with sharp pixels."""
    pixels = chosen.pixels
    times = max(1, SIDE // max(pixels.shape[1:]))
    large = np.repeat(np.repeat(pixels, times, axis=1), times, axis=2)
    st.image(as_picture(large), width=SIDE, alt="The picture that is classified")


def predicted(case: Case) -> str:
    """Say in a few words what the network predicts for the picture."""
    if not case.chosen.pixels.any():
        return "Nothing to see yet"
    labels, best = case.subject.dataset.classes, int(case.recording.logits[0].argmax())
    words = f"Predicted: {labels[best]} ({percent(float(case.recording.probabilities[0, best]))})"
    if case.chosen.label is not None and best != case.chosen.label:
        return f"{words}; the label is {labels[case.chosen.label]}"
    return words


def _accuracy(case: Case) -> None:
    """Say the accuracy of the network, and what is lost of it by what is off."""
    subject, off = case.subject, case.off
    words = _recorded(case)
    without = ", ".join(map(code, off))
    if not off:
        st.markdown(words)
    elif picker.is_playing():  # scoring would slow it down
        st.markdown(f"{words} with everything on; {without} is off")
    else:
        images = worth.images(subject, off)
        intact, now = case.session.answers((), images), case.session.answers(off, images)
        found = difference(intact.correct, now.correct)
        places = 1 if images else 2
        lost, *ends = (signed(100 * end, places) for end in (found.value, found.low, found.high))
        st.markdown(f"{words}, **{lost} points** without {without}")
        on = f"the first {images:,}" if images else f"all {found.n:,}"
        st.caption(f"95 % interval {' to '.join(ends)}, on {on} test images")


def _recorded(case: Case) -> str:
    """Say the accuracy on all test images, as it was scored after the epoch; or on the first."""
    subject = case.subject
    for epoch in subject.run.epochs:
        if Moment(epoch.epoch) == subject.at:
            return f"Test accuracy {100 * epoch.test_accuracy:.2f} %"
    images = worth.images(subject, ())
    found = case.session.answers((), images)
    on = f" on the first {images:,} images" if images else ""
    return f"Test accuracy {100 * found.accuracy:.1f} %{on}"
