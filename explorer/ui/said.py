"""What a page answers to what a visitor did: sentences that stay until they do something else."""

from typing import NoReturn

import streamlit as st

from explorer.ui.failure import sentence

NEW, SHOWN, BY_ITSELF = "said.new", "said.shown", "said.by_itself"  # session keys


def say(text: str) -> None:
    """Have the page show a sentence, as an error, when it runs next."""
    st.session_state.setdefault(NEW, []).append(text)


def show() -> None:
    """Show what was said; what was shown before goes, unless the page runs by itself."""
    stays = st.session_state.pop(BY_ITSELF, False)
    said = st.session_state.get(SHOWN, []) if stays else []
    st.session_state[SHOWN] = said = [*said, *st.session_state.pop(NEW, [])]
    for text in said:
        st.error(sentence(text))


def run_again() -> NoReturn:
    """Run the page again though the visitor did nothing: what was said to them stays."""
    st.session_state[BY_ITSELF] = True
    st.rerun()
