"""The frame of all pages: title, navigation, and what is shown where a page cannot be."""

from collections.abc import Collection, Mapping
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from explorer.errors import ExplorerError
from explorer.labs.address import is_of_train
from explorer.labs.worksheet import NAVIGATION, WorksheetError
from explorer.language import say
from explorer.ui import controls, reading, reload, said, state, worksheets
from explorer.ui.components.terms import terms
from explorer.ui.failure import sentence
from explorer.ui.http.visitors import HOME, visitor
from explorer.ui.pages import glossary, operator, plugins, runs, train
from explorer.ui.pages.inside import page as inside
from explorer.ui.pages.why import page as why
from explorer.ui.query_params import LESSON
from explorer.ui.worksheets import Opened

PAGES = ("why", "train", "inside", "runs", "plugins", "glossary")  # by the names that settings use
FIRST = "why"  # the page whose address is that of the app

_ICON = Path(__file__).with_name("icon.svg")  # a named icon would be fetched from the network

_STYLE = f"<style>{Path(__file__).with_name('app.css').read_text(encoding='utf-8')}</style>"


def main() -> None:
    """Show the page that the address asks for."""
    reading.begin()
    st.set_page_config(say("Architecture Explorer"), page_icon=_ICON, layout="wide")
    st.html(_STYLE)
    reading.show_switches()
    lesson, failed = _lesson()
    pages = _pages()
    has_navigation = controls.is_shown(NAVIGATION)
    page = st.navigation(list(pages.values()), position="top" if has_navigation else "hidden")
    try:
        state.store()  # where it cannot be opened, no page can be shown
        if failed:
            _go_to_question(pages)
            raise failed
        if lesson:
            _go_to(lesson, page, pages)
        elif FIRST == "why" and page is pages.get(FIRST) and is_of_train(st.query_params):
            # Before there was the page Why?, this was the address of Train.
            st.switch_page(pages["train"], query_params=_said())
        reload.offer()
        said.show()
        page.run()
        if "glossary" in pages and page is not pages["glossary"] and has_navigation:
            terms()
        state.freeze_memory(page.url_path)
    except ExplorerError as error:
        st.error(sentence(error))


def _lesson() -> tuple[Opened | None, ExplorerError | None]:
    """Open the lesson that the address names, or return why that is not possible."""
    try:
        return worksheets.begin(), None
    except ExplorerError as error:
        return None, error


def _go_to(opened: Opened, page: Page, pages: Mapping[str, Page]) -> None:
    """Go to the page of a lesson."""
    wanted = pages.get(opened.lesson.page)
    if wanted is None:
        raise WorksheetError(
            say("The lesson {name} is on a page that is not offered here.", name=opened.name)
        )
    if page is not wanted:
        st.switch_page(wanted, query_params=_said())


def _go_to_question(pages: Mapping[str, Page]) -> None:
    """Go to the page Why? if `?lesson=` names one of its lessons, and not a worksheet."""
    name = st.query_params.get(LESSON, "")
    if "why" in pages and name in state.catalogue().lessons:
        st.switch_page(pages["why"], query_params={**_said(), LESSON: [], why.ABOUT: [name]})


def _pages() -> dict[str, Page]:
    """Return the pages that are offered; of those that are not, no other page has a link."""
    offered = _offered()
    pages: dict[str, Page] = {}
    if "why" in offered:
        pages["why"] = st.Page(
            lambda: why.page(pages),
            title=say("Why?"),
            icon=":material/lightbulb:",
            url_path="why",
            default=FIRST == "why",
        )
    if "train" in offered:
        pages["train"] = st.Page(
            lambda: train.page(pages.get("inside")),
            title=say("Train"),
            icon=":material/model_training:",
            url_path="train",
            default=FIRST == "train",
        )
    if "inside" in offered:
        pages["inside"] = st.Page(
            inside.page, title=say("Look inside"), icon=":material/search:", url_path="inside"
        )
    if "runs" in offered:
        pages["runs"] = st.Page(
            lambda: runs.page(pages.get("train"), pages.get("inside")),
            title=say("Runs"),
            icon=":material/list:",
            url_path="runs",
        )
    if "plugins" in offered:
        pages["plugins"] = st.Page(
            plugins.page, title=say("Plugins"), icon=":material/extension:", url_path="plugins"
        )
    if "glossary" in offered:
        pages["glossary"] = st.Page(
            glossary.page, title=say("Glossary"), icon=":material/menu_book:", url_path="glossary"
        )
    pages["operator"] = st.Page(
        operator.page,
        title=say("Operator"),
        icon=":material/shield_person:",
        url_path="operator",
        visibility="visible" if _is_operator_away_from_home() else "hidden",
    )
    if FIRST not in pages:
        first = next(iter(pages.values()))
        pages["start"] = st.Page(
            lambda: st.switch_page(first, query_params=_said()),
            title=say("Start"),
            default=True,
            visibility="hidden",
        )
    return pages


def _said() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


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
