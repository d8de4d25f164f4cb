"""The page *Why?*: the questions that the explorer answers, and a lesson about each."""

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import Page

from explorer.language import author, current, folder, say
from explorer.lessons.text import LessonText
from explorer.plugin.lessons import LessonDescription
from explorer.ui import acts, outline, query_params
from explorer.ui.components.top import begin_at_top
from explorer.ui.pages.why.claim import claim, lead
from explorer.ui.query_params import OneOf
from explorer.ui.words import plain, prose

ABOUT, PREDICT = "about", "predict"  # names in the address
ALL = "all"  # in the address: no lesson, but all questions


def page(pages: Mapping[str, Page]) -> None:
    """Show the lesson that is chosen, or all questions."""
    lessons = acts.offered().lessons
    with query_params.of("why"):
        query_params.take(ABOUT, OneOf([ALL, *lessons]))
        name = st.session_state.get(ABOUT, ALL)
        query_params.put(ABOUT, None if name == ALL else name)
        predicts = _predicts()
        begin_at_top(name)
        if name == ALL:
            _front(lessons, pages, predicts)
        else:
            _lesson(lessons[name], pages, predicts)
        query_params.drop_options()


def _predicts() -> bool:
    query_params.take(PREDICT, OneOf((True, False)))
    predicts = bool(st.session_state.get(PREDICT, False))
    query_params.put(PREDICT, predicts)
    return predicts


def _front(
    lessons: Mapping[str, LessonDescription], pages: Mapping[str, Page], predicts: bool
) -> None:
    outline.page(say("Why do these networks work?"))
    st.markdown(
        say(
            "Questions about convolutional networks, each answered by measurements that you can "
            "repeat and change: every number is computed on the spot, or recorded by a command "
            "that you have too. Nothing is drawn by hand."
        )
    )
    for lesson in lessons.values():
        st.divider()
        if predicts:
            st.markdown(f"## {prose(_text(lesson).lead.title)}")
        else:
            claim(lesson, _text(lesson).lead, "front", pages, predicts=False)
        _open(lesson.name, say("Claim by claim"), ":material/arrow_forward:")
    st.divider()
    _do_it_yourself(pages)


def _lesson(lesson: LessonDescription, pages: Mapping[str, Page], predicts: bool) -> None:
    _open(ALL, say("All questions"), ":material/arrow_back:")
    text = _text(lesson)
    if predicts:  # its answer would give away what is guessed
        st.markdown(f"# {prose(text.lead.title)}")
    else:
        lead(lesson, text.lead)
    for number, section in enumerate(text.sections):
        st.divider()
        claim(lesson, section, f"claim {number}", pages, predicts=predicts)
    st.divider()
    _sources(lesson)
    _do_it_yourself(pages)


def _text(lesson: LessonDescription) -> LessonText:
    return lesson.text(folder(current()))


def _open(name: str, label: str, icon: str) -> None:
    def choose() -> None:
        st.session_state[ABOUT] = name

    st.button(plain(label), icon=icon, key=f"open {name}", on_click=choose, type="tertiary")


def _sources(lesson: LessonDescription) -> None:
    if not lesson.sources:
        return
    outline.section(say("Sources"))
    for number, source in enumerate(lesson.sources.values(), 1):
        title = plain(f"{number}. {author(source.title)}")
        if _is_web(source.url):
            st.page_link(source.url, label=title)
        else:
            st.markdown(title)


def _is_web(url: str) -> bool:
    return url.startswith("https://") and not set(url) & set(" <>()[]\"'\\")


def _do_it_yourself(pages: Mapping[str, Page]) -> None:
    outline.section(say("Do it yourself"))
    with st.container(horizontal=True):
        if "train" in pages:
            st.page_link(
                pages["train"], label=say("Train a network"), icon=":material/model_training:"
            )
        if "inside" in pages:
            st.page_link(
                pages["inside"], label=say("Look inside a trained one"), icon=":material/search:"
            )
