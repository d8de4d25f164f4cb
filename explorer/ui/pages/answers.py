"""On the operator's page: the lessons, and what was answered to their questions."""

import csv
import io
import re
from collections.abc import Mapping

import streamlit as st

from explorer.charts.answers import answers as draw_answers
from explorer.labs.worksheet import Worksheet, WorksheetError, address_of, worksheets
from explorer.language import say
from explorer.ui import acts, outline, state
from explorer.ui.components.chart import chart
from explorer.ui.failure import sentence
from explorer.ui.words import code, plain

# What a spreadsheet would calculate; a negative number is one.
_FORMULA = re.compile(r"[=+@\t\r-](?!\d+([.,]\d+)?$)")


def section() -> None:
    """Show each lesson with its counts, what can be done with them, and a file of all."""
    folder, counts = state.settings().lessons, acts.all_answers()
    found = worksheets(folder) if folder else {}
    if not found and not counts:
        return
    outline.section(say("Lessons"))
    shown = acts.lessons_with_shown_answers()
    for name in sorted({*found, *counts}):
        with st.container(border=True):
            _lesson(name, found.get(name), counts.get(name, {}), is_shown=name in shown)
    if counts:
        st.download_button(
            say("All answers (.csv)"),
            lambda: to_csv(counts),
            "answers.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="answers.csv",
        )


def _lesson(
    name: str,
    lesson: Worksheet | WorksheetError | None,
    counts: Mapping[str, int],
    *,
    is_shown: bool,
) -> None:
    if isinstance(lesson, Worksheet):
        address = f"{address_of(lesson.page)}?lesson={name}"
        st.markdown(f"**{plain(lesson.title)}** {code(address)}")
    else:
        st.markdown(code(name))
        st.warning(sentence(lesson or say("Its file is gone; its answers are kept.")))
    if not counts:
        st.caption(say("Nobody has answered yet."))
        return
    st.caption(say("{count:,} answered", count=sum(counts.values())))
    chart(draw_answers(counts), key=f"answers.{name}")
    key = f"show answers {name}"
    st.session_state.setdefault(key, is_shown)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.toggle(
            say("Show this to all who have answered"),
            key=key,
            on_change=lambda: acts.show_answers(name, is_shown=st.session_state[key]),
        )
        clear = say("Clear {count:,}", count=sum(counts.values()))
        with st.popover(clear, icon=":material/delete:"):
            st.markdown(say("This deletes the answers for good."))
            st.button(
                say("Yes, clear"),
                type="primary",
                key=f"clear {name}",
                on_click=acts.clear_answers,
                args=(name,),
            )


def to_csv(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the counts as CSV; what a spreadsheet would take for a formula begins with `'`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("lesson", "answer", "count"))
    for lesson, answers in counts.items():
        for answer, number in answers.items():
            writer.writerow((_as_text(lesson), _as_text(answer), number))
    return text.getvalue()


def _as_text(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell
