"""A claim of a lesson: its words, with numbers in them, and its controls beside its figure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import Page

from explorer.errors import ExplorerError
from explorer.labs.needs import has
from explorer.language import author, say
from explorer.lessons import Shown, Table
from explorer.lessons.text import (
    Cited,
    Control,
    Figure,
    Guess,
    Paragraph,
    Refuted,
    Section,
    Value,
)
from explorer.plugin.lessons import RUN, LessonDescription, PartDescription, split
from explorer.runs.run import Run, titles
from explorer.text import visible
from explorer.ui import acts, forms, guesses, query_params, state
from explorer.ui.components.chart import chart
from explorer.ui.failure import sentence
from explorer.ui.pages.why import links
from explorer.ui.query_params import OneOf
from explorer.ui.words import bold, plain, prose

MOST_MARKED = 40  # characters of a value that is set in bold; longer ones are sentences
HEIGHT = 340  # pixels, of a figure that is not there yet


class Stand(NamedTuple):
    """Where a part of a lesson stands: what its controls say.

    Attributes:
        values: A value for each control.
        run: The run that it looks into; `None` if it looks into none.
    """

    values: dict[str, Any]
    run: Run | None


def lead(lesson: LessonDescription, question: Section) -> None:
    """Show the question of a lesson and its answer in words; the claims have the figures."""
    st.markdown(f"# {prose(question.title)}")
    stands = {part.name: Stand(_values(part), _first(part)) for part in _parts(lesson, question)}
    shown = _Answers(lesson, stands, st.container())
    for block in question.blocks:
        if isinstance(block, Paragraph):
            _words(lesson, block, shown)


def claim(
    lesson: LessonDescription,
    section: Section,
    key: str,
    pages: Mapping[str, Page],
    *,
    predicts: bool,
) -> None:
    """Show a claim: its words and its controls beside its figure.

    The controls come first, in their places, since the words have numbers that depend on them.

    Args:
        lesson: The lesson.
        section: The claim.
        key: Begins the keys of what is shown.
        pages: The pages that are offered, by name.
        predicts: Whether a guess comes before the figure.
    """
    st.markdown(f"## {prose(section.title)}")
    has_figure = any(isinstance(block, Figure) for block in section.blocks)
    left, right = st.columns([1, 1.5], gap="large") if has_figure else (st.container(), None)
    with left:
        places = [st.container() for _ in section.blocks]
    stands = _stands(lesson, section, places)
    shown = _Answers(lesson, stands, right if right is not None else left)
    for block, place in zip(section.blocks, places, strict=True):
        if isinstance(block, Guess) and predicts:
            with place:
                if not guesses.made(lesson, block, key):
                    with right if right is not None else left:
                        st.caption(say("The figure comes when you have made a guess."))
                    return
                part = lesson.parts[split(block.name)[0]]
                guesses.answer(block, part, shown[part.name])
        elif isinstance(block, Paragraph | Refuted):
            with place:
                _words(lesson, block, shown)
        elif isinstance(block, Figure):
            with right if right is not None else left:
                _figure(lesson, block.name, key, shown, pages, predicts)


def _stands(
    lesson: LessonDescription, section: Section, places: Sequence[DeltaGenerator]
) -> dict[str, Stand]:
    """Show the controls in their places; return where each part of a section stands."""
    asked: dict[str, dict[str, DeltaGenerator]] = {}
    for block, place in zip(section.blocks, places, strict=True):
        if isinstance(block, Control):
            owner, name = split(block.name)
            asked.setdefault(owner, {})[name] = place
    stands = {}
    for part in _parts(lesson, section):
        values, run = _values(part), None
        for name, place in asked.get(part.name, {}).items():
            with place:
                if name == RUN:
                    run = _network(lesson, part)
                    continue
                option = next(each for each in part.options if each.name == name)
                key = f"{lesson.name}.{part.name}.{name}"
                values[name] = forms.widget(option, option.default, key)
        if RUN not in asked.get(part.name, {}):
            run = _first(part)
        stands[part.name] = Stand(values, run)
    return stands


def _parts(lesson: LessonDescription, section: Section) -> list[PartDescription]:
    """Return the parts that a claim has slots of."""
    names = [name for kind in (Value, Figure, Control, Guess) for name in section.names(kind)]
    return [lesson.parts[name] for name in dict.fromkeys(split(name)[0] for name in names)]


def _values(part: PartDescription) -> dict[str, Any]:
    return {option.name: option.default for option in part.options}


def _first(part: PartDescription) -> Run | None:
    """Return the run that a part looks into at first; `None` if it looks into none."""
    return next(iter(_fitting(part)), None) if part.needs else None


def _network(lesson: LessonDescription, part: PartDescription) -> Run | None:
    """Let the visitor choose the network that a part looks into; `None` if there is none."""
    runs = {run.id: run for run in _fitting(part)}
    if not runs:
        st.info(say("No run here has what this looks for; train a network that has."))
        return None
    names, first = titles(list(runs.values())), next(iter(runs))
    key = f"{lesson.name}.{part.name}.{RUN}"
    query_params.take(key, OneOf(runs))
    st.session_state.setdefault(key, first)
    id = st.selectbox(
        say("Try it on"),
        list(runs),
        key=key,
        format_func=lambda id: visible(names[id]),
        persist_state="session",
    )
    query_params.put(key, id, first)
    return runs[id]


def _fitting(part: PartDescription) -> list[Run]:
    """Return the runs whose networks have what a part needs, the recorded example first."""
    here = state.catalogue()
    runs = [run for run in state.with_examples(acts.shown_runs()) if run.epochs]
    examples = {run.id: run.spec.architecture for run in state.example_runs()}
    runs.sort(key=lambda run: examples.get(run.id) != part.network)
    return [run for run in runs if here.is_current(run.spec) and _has(run, part)]


def _has(run: Run, part: PartDescription) -> bool:
    try:
        drawn, _ = state.network(run.spec.architecture, run.spec.options, run.spec.dataset)
    except ExplorerError:
        return False
    return has(drawn.parts, part.needs)


class _Answers:
    """What the parts of a section show, each computed once, when it is first needed."""

    def __init__(
        self, lesson: LessonDescription, stands: Mapping[str, Stand], place: DeltaGenerator
    ) -> None:
        self._lesson, self._stands, self._place = lesson, stands, place
        self._found: dict[str, Shown | None] = {}

    def __getitem__(self, part: str) -> Shown | None:
        if part not in self._found:
            with self._place, st.skeleton(height=HEIGHT):
                stand = self._stands[part]
                if self._lesson.parts[part].needs and stand.run is None:
                    self._found[part] = None  # which is said where one is chosen
                    return None
                try:
                    self._found[part] = state.taught(self._lesson.name, part, *stand)
                except ExplorerError as error:
                    self._found[part] = None
                    st.error(say("This cannot be computed here: {reason}", reason=sentence(error)))
        return self._found[part]

    def run(self, part: str) -> Run | None:
        """Return the run that a part looks into."""
        return self._stands[part].run


def _value(answers: _Answers, name: str, before: str, after: str) -> str:
    """Return what a slot stands for, as Markdown; a dash if that is not known.

    Args:
        answers: What the parts show.
        name: The slot.
        before: What is before it in its paragraph.
        after: What is after it.
    """
    part, rest = split(name)
    shown = answers[part]
    if not shown or rest not in shown.values:
        return "–"
    value = forms.unless_name(shown.values[rest])
    return bold(value, before, after) if len(value) <= MOST_MARKED else plain(value)


def _words(lesson: LessonDescription, block: Paragraph | Refuted, shown: _Answers) -> None:
    paragraph = block.paragraph if isinstance(block, Refuted) else block
    text = _filled(lesson, paragraph, shown)
    if isinstance(block, Refuted):
        text = say("*What would refute it:* {text}", text=text)
    st.markdown(text)


def _filled(lesson: LessonDescription, paragraph: Paragraph, shown: _Answers) -> str:
    """Return a paragraph as Markdown, with its values, and its sources by their numbers."""
    numbers = {name: number for number, name in enumerate(lesson.sources, 1)}
    text, parts = "", paragraph.parts
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        if isinstance(part, str):
            text += prose(part)
        elif isinstance(part, Cited):
            text += f"{plain(part.words)} ({plain(numbers[part.source])})"
        else:
            after = following if isinstance(following, str) else ""
            text += _value(shown, part.name, text, after)
    return text


def _figure(
    lesson: LessonDescription,
    name: str,
    key: str,
    answers: _Answers,
    pages: Mapping[str, Page],
    predicts: bool,
) -> None:
    part, _ = split(name)
    shown = answers[part]
    if shown is None or shown.figure is None:
        return
    if isinstance(shown.figure, Table):
        _table(shown.figure)
    else:
        guess = guesses.own(lesson, part) if predicts else None
        chart(state.lesson_figure(shown, guess, f"{lesson.name}.{part}"), f"why.{key}.{part}")
    st.caption(
        say(
            "{first} {second}",
            first=plain(author(shown.figure.says)),
            second=plain(author(shown.origin)),
        )
    )
    with st.container(horizontal=True):
        for train in shown.trains:
            links.train(train, pages)
        for look in shown.looks:
            links.look(look, answers.run(part), pages)


def _table(table: Table) -> None:
    rows = [_row(row) for row in table.rows]
    st.markdown("\n".join([_row(table.columns), "|" + " --- |" * len(table.columns), *rows]))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(plain(forms.unless_name(cell)) for cell in cells)} |"
