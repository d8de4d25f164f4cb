"""The row at the top of *Look inside*: the image, the answer, and the accuracy, once."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.data.png import as_picture
from explorer.language import listed, say
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
            answer = f"**{plain(predicted(case))}**"
            if len(cases) > 1:
                answer = say(
                    "{network}, {moment}: {answer}",
                    network=plain(names[case.subject.run.id]),
                    moment=case.subject.moment,
                    answer=answer,
                )
            st.markdown(answer)
            with case.subject.figure(say("The accuracy")):
                _accuracy(case)
    if any(case.off for case in cases) and controls.is_shown(switches.OFF):
        st.button(say("Switch all on"), key="all on", on_click=switches.switch_all_on)


def image(chosen: Picture) -> None:
    """Show the picture, with sharp pixels."""
    pixels = chosen.pixels
    times = max(1, SIDE // max(pixels.shape[1:]))
    large = np.repeat(np.repeat(pixels, times, axis=1), times, axis=2)
    st.image(as_picture(large), width=SIDE, alt=say("The picture that is classified"))


def predicted(case: Case) -> str:
    """Say in a few words what the network predicts for the picture."""
    if not case.chosen.pixels.any():
        return say("Nothing to see yet")
    labels, best = case.subject.classes, int(case.recording.logits[0].argmax())
    share = percent(float(case.recording.probabilities[0, best]))
    if case.chosen.label is not None and best != case.chosen.label:
        return say(
            "Predicted: {predicted} ({share}); the label is {label}",
            predicted=labels[best],
            share=share,
            label=labels[case.chosen.label],
        )
    return say("Predicted: {predicted} ({share})", predicted=labels[best], share=share)


def heard(case: Case) -> str:
    """Say what the network predicts, and without what, to who hears of a change."""
    if not case.off:
        return predicted(case)
    return say("{answer}, without {parts}", answer=predicted(case), parts=listed(case.off, ","))


def _accuracy(case: Case) -> None:
    """Say the accuracy of the network, and what is lost of it by what is off."""
    subject, off = case.subject, case.off
    words = _recorded(case)
    without = listed(list(map(code, off)), ",")
    if not off:
        st.markdown(words)
    elif picker.is_playing():  # scoring would slow it down
        st.markdown(
            say(
                "{accuracy} with everything on; {parts} is off",
                accuracy=words,
                parts=without,
            )
        )
    else:
        images = worth.images(subject, off)
        intact, now = case.session.answers((), images), case.session.answers(off, images)
        found = difference(intact.correct, now.correct)
        places = 1 if images else 2
        lost = plain(signed(100 * found.value, places))
        low = plain(signed(100 * found.low, places))
        high = plain(signed(100 * found.high, places))
        st.markdown(
            say(
                "{accuracy}, **{lost} points** without {parts}",
                accuracy=words,
                lost=lost,
                parts=without,
            )
        )
        st.caption(
            say(
                "95 % interval {low} to {high}, on the first {count:,} test images",
                low=low,
                high=high,
                count=images,
            )
            if images
            else say(
                "95 % interval {low} to {high}, on all {count:,} test images",
                low=low,
                high=high,
                count=found.n,
            )
        )


def _recorded(case: Case) -> str:
    """Say the accuracy on all test images, as it was scored after the epoch; or on the first."""
    subject = case.subject
    for epoch in subject.run.epochs:
        if Moment(epoch.epoch) == subject.at:
            return say("Test accuracy {share:.2f} %", share=100 * epoch.test_accuracy)
    images = worth.images(subject, ())
    found = case.session.answers((), images)
    share = 100 * found.accuracy
    if images:
        return say(
            "Test accuracy {share:.1f} % on the first {count:,} images", share=share, count=images
        )
    return say("Test accuracy {share:.1f} %", share=share)
