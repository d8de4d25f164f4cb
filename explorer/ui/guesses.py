"""Guesses at what a part of a lesson will show, made before it is shown, and kept beside it."""

from collections.abc import Mapping

import streamlit as st

from explorer.labs.worksheet import Question
from explorer.language import author, say
from explorer.lessons.figures import Lines
from explorer.lessons.lesson import Shown
from explorer.lessons.text import Guess
from explorer.plugin.lessons import LessonDescription, PartDescription, split
from explorer.ui import predict, state
from explorer.ui.components.sketch import sketch, sketched
from explorer.ui.words import plain

_GUESSES = "guesses"  # session key: by lesson and part


def own(lesson: LessonDescription, part: str) -> str | None:
    """Return what was guessed of a part, as text; `None` if nothing was."""
    found: Mapping[tuple[str, str], str] = st.session_state.setdefault(_GUESSES, {})
    return found.get((lesson.name, part))


def made(lesson: LessonDescription, guess: Guess, key: str) -> bool:
    """Show a question, or what was answered; return whether it is answered."""
    part = lesson.parts[split(guess.name)[0]]
    answered = own(lesson, part.name)
    name = f"guess {key} {lesson.name} {part.name}"

    def keep(text: str) -> None:
        st.session_state[_GUESSES][lesson.name, part.name] = text

    if part.asks == "line":
        return _line(lesson, guess, part, name)
    question = _question(guess, part)
    if answered is None:
        predict.prompt(question, (), name, keep)
        return False
    predict.guess(question, answered)
    return True


def answer(guess: Guess, part: PartDescription, shown: Shown | None) -> None:
    """Show what a choice or a number really is, if that is known."""
    if shown is None or shown.answer is None:
        return
    if part.asks == "choice" and 0 <= shown.answer < len(guess.choices):
        chosen = author(guess.choices[int(shown.answer)])
        st.markdown(say("It is: **{answer}**", answer=plain(chosen)))
    elif part.asks == "number":
        number = f"{shown.answer:.3g} {author(part.unit)}"
        st.markdown(say("It is: **{answer}**", answer=plain(number)))


def _question(guess: Guess, part: PartDescription) -> Question:
    if part.asks == "choice":
        return Question.model_validate(
            {"text": guess.question, "kind": "choice", "choices": guess.choices}
        )
    limits = {"low": part.low, "high": part.high, "unit": part.unit}
    return Question.model_validate({"text": guess.question, "kind": "number", **limits})


def _line(lesson: LessonDescription, guess: Guess, part: PartDescription, key: str) -> bool:
    """Let a curve be drawn by hand over the axes of the figure that is asked about."""
    st.markdown(f"**{plain(author(guess.question))}**")
    shown = state.taught(lesson.name, part.name, {o.name: o.default for o in part.options}, None)
    figure = shown.figure
    if not isinstance(figure, Lines):
        return True
    wanted = next(line for line in figure.lines if line.label == shown.guessed)
    sketch(
        key,
        x=list(wanted.x),
        x_title=author(figure.x.title),
        y_title=author(figure.y.title),
        low=part.low,
        high=part.high,
        percent=figure.y.percent,
        on_drawn=lambda: _keep_line(lesson, part, key, len(wanted.x)),
    )
    return own(lesson, part.name) is not None


def _keep_line(lesson: LessonDescription, part: PartDescription, key: str, count: int) -> None:
    found = sketched(key, count, part.low, part.high)
    if found is not None:
        st.session_state[_GUESSES][lesson.name, part.name] = " ".join(f"{y:.4g}" for y in found)
