"""The switch to try: what a network loses by it, in a sentence."""

import streamlit as st

from explorer.inspection.telling import Telling
from explorer.text import percent
from explorer.ui import controls, state
from explorer.ui.pages.inside import switches
from explorer.ui.pages.inside.case import Case
from explorer.ui.words import code, plain


def invite(case: Case) -> None:
    """Say which switch to try, as long as everything is on."""
    found = state.tellings().get(case.subject.run.id)
    if found and not case.off and controls.is_shown(switches.OFF):
        st.markdown(f":material/toggle_off: **Try:** {_invitation(case, found)}")


def _invitation(case: Case, found: Telling) -> str:
    labels = case.subject.dataset.classes
    words = (
        f"switch {code(found.off)} off. The network then classifies {percent(found.without)} of "
        f"the test images correctly, instead of {percent(found.accuracy)}"
    )
    if _shows(case, found):
        words += f", and takes this {plain(labels[found.label])} for "
        words += f"{plain(labels[found.predicted])}"
    return f"{words}."


def _shows(case: Case, found: Telling) -> bool:
    """Return whether the image is the one on which the switch was tried."""
    image = case.session.test_image(found.image)
    return image.tobytes() == case.chosen.pixels.tobytes()
