"""Offers to reload plugins when their code or files have changed while the app was running."""

from collections.abc import Sequence

import streamlit as st

from explorer.language import listed, say
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
        words = say("Still being loaded: {plugins}.", plugins=_list(now))
        st.caption(f":material/hourglass_empty: {words}")
    elif loading:
        said.run_again()  # they are there now
    if not may_reload:
        return
    changed, datasets = state.changed_plugins(), state.changed_datasets()
    if not changed and not datasets:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(f":material/sync: {_said(changed, datasets)}")
        if st.button(say("Reload"), key="reload", type="primary"):
            state.reload_plugins()
            for broken in state.catalogue().broken:
                if (name := broken.source.name) in changed:
                    said.say(
                        say(
                            "{name} is broken: {reason} The page Plugins shows more.",
                            name=name,
                            reason=broken.reason,
                        )
                    )
            st.rerun()


def _said(plugins: Sequence[str], datasets: Sequence[str]) -> str:
    changed, replaced = _list(plugins), _list(datasets)
    if not datasets:
        return say("The code of {plugins} has changed.", plugins=changed)
    if not plugins:
        return say("The files of {datasets} have changed.", datasets=replaced)
    return say(
        "The code of {plugins} has changed. The files of {datasets} have changed.",
        plugins=changed,
        datasets=replaced,
    )


def _list(names: Sequence[str]) -> str:
    return listed(list(map(code, names)), ",")
