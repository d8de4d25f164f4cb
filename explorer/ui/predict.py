"""Predict, then see: a question that is answered before what it asks about is shown."""

from collections.abc import Callable, Sequence

import streamlit as st

from explorer.labs.worksheet import Question
from explorer.language import author, say
from explorer.ui.words import plain

DIGITS = 6  # significant ones of a number
FINE = 10  # a range of numbers in which one is a large step


def prompt(
    question: Question, classes: Sequence[str], key: str, on_answer: Callable[[str], None]
) -> None:
    """Show a question with what can be answered.

    Args:
        question: The question.
        classes: What can be answered where it asks for a class.
        key: Begins the keys of what is shown.
        on_answer: Called with the answer, as a text.
    """
    value = f"{key}.value"
    with st.form(key, width="stretch"):
        st.markdown(f"**{plain(author(question.text))}**")
        if question.kind == "number":
            st.number_input(
                say("Your guess, in {unit}", unit=plain(author(question.unit)))
                if question.unit
                else say("Your guess"),
                question.low,
                question.high,
                value=None,
                step=1.0 if question.high - question.low >= FINE else None,
                format="%g",
                key=value,
            )
        else:
            st.radio(
                say("Your guess"),
                classes if question.kind == "class" else question.choices,
                index=None,
                key=value,
                format_func=lambda answer: plain(author(answer)),
                horizontal=question.kind == "class",
                label_visibility="collapsed",
            )
        st.form_submit_button(
            say("That is my guess"),
            type="primary",
            on_click=_take,
            args=(question, classes, value, on_answer),
        )


def _take(
    question: Question, classes: Sequence[str], value: str, on_answer: Callable[[str], None]
) -> None:
    text = read(question, classes, st.session_state.get(value))
    if text is None:
        st.toast(say("Choose an answer first."))
    else:
        on_answer(text)


def read(question: Question, classes: Sequence[str], given: object) -> str | None:
    """Return an answer as a text; `None` if it is none, whatever the browser sent."""
    if question.kind == "number":
        if isinstance(given, int | float) and question.low <= given <= question.high:
            return f"{given:.{DIGITS}g}"
        return None
    possible = classes if question.kind == "class" else question.choices
    return given if isinstance(given, str) and given in possible else None


def guess(question: Question, text: str) -> None:
    """Show what was guessed, beside what was asked."""
    answer = f"{text} {author(question.unit)}" if question.kind == "number" else author(text)
    st.markdown(
        say(
            "{question} Your guess: **{answer}**",
            question=plain(author(question.text)),
            answer=plain(answer),
        )
    )
