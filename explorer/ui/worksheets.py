"""The lesson that an address names: what its page shows, what it asks, and what was answered."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import streamlit as st

from explorer.charts.answers import answers as draw_answers
from explorer.labs.worksheet import Worksheet, find_worksheet
from explorer.language import say
from explorer.ui import acts, controls, outline, predict, query_params, state
from explorer.ui.components.chart import chart
from explorer.ui.query_params import LESSON, Plan
from explorer.ui.words import paragraphs

_OPEN, _ANSWERS = "open lesson", "answers"  # session keys: the lesson; own answers, by its name
OFF = "off"  # the control of a page in a frame
_RUNS = ("net", "other", "run")  # values that may be the name of a recorded example


class Opened(NamedTuple):
    """The lesson that is open, and its name."""

    name: str
    lesson: Worksheet


def begin() -> Opened | None:
    """Open the lesson that the address names, and show its controls only; without one, all.

    Raises:
        WorksheetError: There is no such lesson, or it has mistakes.
    """
    st.session_state[_OPEN] = None
    query_params.follow(None)
    controls.show_only((OFF,) if query_params.is_embedded() else None)
    if (name := st.query_params.get(LESSON)) is None:
        return None
    lesson = find_worksheet(state.settings().lessons, name)
    st.session_state[_OPEN] = opened = Opened(name, lesson)
    query_params.follow(Plan(name, lesson.page, _values(lesson), lesson.controls))
    controls.show_only(lesson.controls)
    return opened


def _values(lesson: Worksheet) -> Mapping[str, Sequence[str]]:
    """Return what a lesson shows; the name of a recorded example becomes its id."""
    ids = {run.spec.architecture: run.id for run in state.example_runs()}
    return {
        name: [ids.get(value, value) if name in _RUNS else value for value in values]
        for name, values in lesson.values.items()
    }


def active() -> Opened | None:
    """Return the lesson that is open."""
    found: Opened | None = st.session_state.get(_OPEN)
    return found


def says(name: str) -> bool:
    """Return whether the lesson says what a hidden control shows."""
    opened = active()
    return opened is not None and name in opened.lesson.values


def title(otherwise: str) -> None:
    """Show the lesson's title and text; without a lesson, the page's own title."""
    opened = active()
    outline.page(opened.lesson.title if opened else otherwise)
    if opened and opened.lesson.text:
        st.markdown(paragraphs(opened.lesson.text))


def is_waiting() -> bool:
    """Return whether the lesson asks something that this visitor has not answered."""
    opened = active()
    return opened is not None and opened.lesson.ask is not None and _own(opened.name) is None


def ask(classes: Sequence[str] = ()) -> None:
    """Show the lesson's question, and that its answer comes after the visitor's.

    Args:
        classes: What can be answered where it asks for a class.
    """
    opened = active()
    if opened and opened.lesson.ask:
        _prompt(opened, classes, "ask")
        st.caption(say("What the network does is shown when you have made a guess."))


def after(classes: Sequence[str] = ()) -> None:
    """Show what the visitor guessed, how the others did if that is allowed, and the last text."""
    opened = active()
    if opened is None:
        return
    question, own = opened.lesson.ask, _own(opened.name)
    if question and own is not None:
        with st.container(border=True):
            predict.guess(question, own)
            if found := acts.shown_answers(opened.name):
                st.markdown(say("How all {count:,} guessed", count=sum(found.values())))
                chart(draw_answers(found, own), key="answers")
            with st.popover(say("Guess again")):
                _prompt(opened, classes, "again")
    if opened.lesson.after:
        st.markdown(paragraphs(opened.lesson.after))


def _prompt(opened: Opened, classes: Sequence[str], key: str) -> None:
    assert opened.lesson.ask
    name = opened.name

    def keep(text: str) -> None:
        st.session_state.setdefault(_ANSWERS, {})[name] = text
        acts.answer(name, text)

    predict.prompt(opened.lesson.ask, classes, f"{key} {name}", keep)


def _own(name: str) -> str | None:
    own: dict[str, str | None] = st.session_state.setdefault(_ANSWERS, {})
    if name not in own:
        own[name] = acts.answered(name)
    return own[name]
