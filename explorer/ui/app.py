"""The frame of all pages: title, navigation, and what is shown where a page cannot be."""

from pathlib import Path

import streamlit as st

from explorer.errors import ExplorerError
from explorer.ui import reload, state
from explorer.ui.failure import sentence
from explorer.ui.http.visitors import HOME, visitor
from explorer.ui.pages import operator, plugins, runs, train
from explorer.ui.pages.inside import page as inside

_ICON = Path(__file__).with_name("icon.svg")  # a named icon would be fetched from the network

# Streamlit leaves a hand's breadth above the first line.
_STYLE = "<style>.stMainBlockContainer { padding-top: 4rem; }</style>"


def main() -> None:
    """Show the page that the address asks for."""
    st.set_page_config("Architecture Explorer", page_icon=_ICON, layout="wide")
    st.html(_STYLE)
    look = st.Page(inside.page, title="Look inside", icon=":material/search:", url_path="inside")
    training = st.Page(
        lambda: train.page(look), title="Train", icon=":material/model_training:", default=True
    )
    pages = [
        training,
        look,
        st.Page(
            lambda: runs.page(training, look),
            title="Runs",
            icon=":material/list:",
            url_path="runs",
        ),
        st.Page(plugins.page, title="Plugins", icon=":material/extension:", url_path="plugins"),
        st.Page(
            operator.page,
            title="Operator",
            icon=":material/shield_person:",
            url_path="operator",
            visibility="visible" if _is_operator_away_from_home() else "hidden",
        ),
    ]
    page = st.navigation(pages, position="top")
    try:
        state.store()  # where it cannot be opened, no page can be shown
        reload.offer()
        page.run()
        state.freeze_memory(page.title)
    except ExplorerError as error:
        st.error(sentence(error))


def _is_operator_away_from_home() -> bool:
    try:
        who = visitor()
    except ExplorerError:  # the page says so
        return False
    return who.is_operator and who.id != HOME
