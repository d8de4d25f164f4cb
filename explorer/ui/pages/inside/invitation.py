"""The switch to try: what a network loses by it, in a sentence."""

import streamlit as st

from explorer.inspection.telling import Telling
from explorer.language import say
from explorer.text import percent
from explorer.ui import controls, state
from explorer.ui.pages.inside import switches
from explorer.ui.pages.inside.case import Case
from explorer.ui.words import code, plain


def invite(case: Case) -> None:
    """Say which switch to try, as long as everything is on."""
    found = state.tellings().get(case.subject.run.id)
    if found and not case.off and controls.is_shown(switches.OFF):
        st.markdown(f":material/toggle_off: {_invitation(case, found)}")


def _invitation(case: Case, found: Telling) -> str:
    labels = case.subject.classes
    off, without, intact = code(found.off), percent(found.without), percent(found.accuracy)
    if _shows(case, found):
        return say(
            "**Try:** switch {off} off. The network then classifies {without} of the test images "
            "correctly, instead of {intact}, and takes this {label} for {predicted}.",
            off=off,
            without=without,
            intact=intact,
            label=plain(labels[found.label]),
            predicted=plain(labels[found.predicted]),
        )
    return say(
        "**Try:** switch {off} off. The network then classifies {without} of the test images "
        "correctly, instead of {intact}.",
        off=off,
        without=without,
        intact=intact,
    )


def _shows(case: Case, found: Telling) -> bool:
    """Return whether the image is the one on which the switch was tried."""
    image = case.session.test_image(found.image)
    return image.tobytes() == case.chosen.pixels.tobytes()
