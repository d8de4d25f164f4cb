"""Offers to reload plugins when their code or files have changed while the app was running."""

from collections.abc import Sequence

import streamlit as st

from explorer.ui import failure, said, state
from explorer.ui.words import code

SECONDS = 2.0  # between two looks at the files


def offer() -> None:
    """Show the operator a line with the button *Reload* as soon as there is something to reload.

    A visitor, for whom there is none, learns only what is still being loaded, and asks no more.
    """
    loading, may_reload = state.plugins().loading, failure.sees_everything()
    if loading or may_reload:
        st.fragment(_offer, run_every=SECONDS)(loading, may_reload)


def _offer(loading: Sequence[str], may_reload: bool) -> None:
    if now := state.plugins().loading:
        st.caption(f":material/hourglass_empty: Still being loaded: {_list(now)}.")
    elif loading:
        said.run_again()  # they are there now
    if not may_reload:
        return
    changed, datasets = state.changed_plugins(), state.changed_datasets()
    if not changed and not datasets:
        return
    sentences = []
    if changed:
        sentences.append(f"The code of {_list(changed)} has changed.")
    if datasets:
        sentences.append(f"The files of {_list(datasets)} have changed.")
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(f":material/sync: {' '.join(sentences)}")
        if st.button("Reload", key="reload", type="primary"):
            state.reload_plugins()
            for broken in state.catalogue().broken:
                if (name := broken.source.name) in changed:
                    said.say(f"{name} is broken: {broken.reason} The page Plugins shows more.")
            st.rerun()


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(code, names))
