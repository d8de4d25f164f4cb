"""The frame of all pages: title, navigation, and what is shown where a page cannot be."""

from collections.abc import Collection, Mapping
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from explorer.errors import ExplorerError
from explorer.labs.lesson import NAVIGATION, LessonError
from explorer.ui import acts, controls, lessons, reload, state
from explorer.ui.failure import sentence
from explorer.ui.http.visitors import HOME, visitor
from explorer.ui.lessons import Opened
from explorer.ui.pages import operator, plugins, runs, train
from explorer.ui.pages.inside import page as inside

PAGES = ("train", "inside", "runs", "plugins")  # by the names that settings use

_ICON = Path(__file__).with_name("icon.svg")  # a named icon would be fetched from the network

# Streamlit leaves a hand's breadth above the first line.
_STYLE = "<style>.stMainBlockContainer { padding-top: 4rem; }</style>"


def main() -> None:
    """Show the page that the address asks for."""
    st.set_page_config("Architecture Explorer", page_icon=_ICON, layout="wide")
    st.html(_STYLE)
    lesson, failed = _lesson()
    pages = _pages()
    has_navigation = controls.is_shown(NAVIGATION)
    page = st.navigation(list(pages.values()), position="top" if has_navigation else "hidden")
    try:
        state.store()  # where it cannot be opened, no page can be shown
        if failed:
            raise failed
        if lesson:
            _go_to(lesson, page, pages)
        reload.offer()
        acts.say_refused()
        page.run()
        state.freeze_memory(page.title)
    except ExplorerError as error:
        st.error(sentence(error))


def _lesson() -> tuple[Opened | None, ExplorerError | None]:
    """Open the lesson that the address names, or return why that is not possible."""
    try:
        return lessons.begin(), None
    except ExplorerError as error:
        return None, error


def _go_to(opened: Opened, page: Page, pages: Mapping[str, Page]) -> None:
    """Go to the page of a lesson."""
    wanted = pages.get(opened.lesson.page)
    if wanted is None:
        raise LessonError(f"The lesson {opened.name} is on a page that is not offered here.")
    if page is not wanted:
        said = {name: st.query_params.get_all(name) for name in st.query_params}
        st.switch_page(wanted, query_params=said)


def _pages() -> dict[str, Page]:
    """Return the pages that are offered; of those that are not, no other page has a link."""
    offered = _offered()
    pages: dict[str, Page] = {}
    if "inside" in offered:
        pages["inside"] = st.Page(
            inside.page, title="Look inside", icon=":material/search:", url_path="inside"
        )
    look = pages.get("inside")
    if "train" in offered:
        training = st.Page(
            lambda: train.page(look), title="Train", icon=":material/model_training:", default=True
        )
        pages = {"train": training, **pages}
    if "runs" in offered:
        pages["runs"] = st.Page(
            lambda: runs.page(pages.get("train"), look),
            title="Runs",
            icon=":material/list:",
            url_path="runs",
        )
    if "plugins" in offered:
        pages["plugins"] = st.Page(
            plugins.page, title="Plugins", icon=":material/extension:", url_path="plugins"
        )
    pages["operator"] = st.Page(
        operator.page,
        title="Operator",
        icon=":material/shield_person:",
        url_path="operator",
        visibility="visible" if _is_operator_away_from_home() else "hidden",
    )
    return pages


def _offered() -> Collection[str]:
    """Return the names of the pages that this visitor may open."""
    try:
        names, who = state.settings().offered_pages, visitor()
    except ExplorerError:  # the page says so
        return PAGES
    return PAGES if who.is_operator or not names else {name.lower() for name in names}


def _is_operator_away_from_home() -> bool:
    try:
        who = visitor()
    except ExplorerError:  # the page says so
        return False
    return who.is_operator and who.id != HOME
