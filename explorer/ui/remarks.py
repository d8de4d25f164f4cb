"""What a data set lacks, beneath its picker."""

from typing import Any

import streamlit as st

from explorer.data.cache import is_cached
from explorer.data.dataset import DataSet
from explorer.errors import ExplorerError
from explorer.language import plural
from explorer.ui import controls, state
from explorer.ui.failure import sentence
from explorer.ui.fragments import run_fragment_every

POLL_SECONDS = 1.0
NEVER_SECONDS = 86_400.0  # the browser has no other way to stop
FEW = 2  # remarks that need not be folded away


def show(dataset: DataSet) -> None:
    """Say what whoever trains on a data set should know of it, once that is known.

    Nothing is downloaded for it.
    """
    if controls.is_shown("dataset") and is_cached(dataset, state.settings().cache):
        if _are_known(dataset.name):
            _show(dataset.name)
        else:
            _wait(dataset.name)


def _are_known(name: str) -> bool:
    try:
        return state.plugins().remarks(name) is not None
    except ExplorerError:
        return True


@st.fragment(run_every=POLL_SECONDS)
def _wait(name: str) -> None:
    _show(name)
    if _are_known(name):
        run_fragment_every(NEVER_SECONDS)


def _show(name: str) -> None:
    try:
        found = state.plugins().remarks(name) or ()
    except ExplorerError as error:
        st.warning(sentence(error))
        return
    place: Any = st
    if len(found) > FEW:
        title = plural("{n} remark on this data set", "{n} remarks on this data set", len(found))
        place = st.expander(title)
    for text in found:
        place.caption(f":material/info: {sentence(text)}")
