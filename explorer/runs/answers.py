"""What visitors answer in lessons: one answer each, of whom nothing is known, as counts.

A visitor is a text that the caller has made of who it is, another one for each lesson.
"""

import contextlib

import sqlalchemy as sql

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.runs.faults import TakenError
from explorer.runs.schema import ANSWERS, SHOWN_ANSWERS
from explorer.runs.store import RunStore

MOST_ANSWERS = 5_000  # of a lesson
MOST_DIFFERENT = 200  # of these, as there may be with numbers


class EnoughAnswersError(ExplorerError):
    """A lesson has as many answers as are kept."""


def answer(store: RunStore, lesson: str, visitor: str, text: str) -> None:
    """Keep a visitor's answer, in the place of the one before.

    Raises:
        EnoughAnswersError: So many are kept of this lesson.
    """
    of_lesson = ANSWERS.c.lesson == lesson
    # Of two windows of one visitor at the same moment, the first wins.
    with contextlib.suppress(TakenError), store.transaction() as connection:
        connection.execute(ANSWERS.delete().where(of_lesson, ANSWERS.c.visitor == visitor))
        each = sql.select(ANSWERS.c.answer, sql.func.count()).where(of_lesson)
        found = {row[0]: row[1] for row in connection.execute(each.group_by(ANSWERS.c.answer))}
        if sum(found.values()) >= MOST_ANSWERS:
            raise EnoughAnswersError(
                say(
                    "This lesson has {most:,} answers, as many as are kept, so yours is not "
                    "counted.",
                    most=MOST_ANSWERS,
                )
            )
        if text not in found and len(found) >= MOST_DIFFERENT:
            raise EnoughAnswersError(
                say(
                    "This lesson has {most:,} different answers, as many as are kept, so yours is "
                    "not counted.",
                    most=MOST_DIFFERENT,
                )
            )
        connection.execute(ANSWERS.insert().values(lesson=lesson, visitor=visitor, answer=text))


def answered(store: RunStore, lesson: str, visitor: str) -> str | None:
    """Return a visitor's answer; `None` if there is none."""
    query = sql.select(ANSWERS.c.answer)
    with store.transaction() as connection:
        found: str | None = connection.scalar(
            query.where(ANSWERS.c.lesson == lesson, ANSWERS.c.visitor == visitor)
        )
    return found


def counts(store: RunStore, lesson: str | None = None) -> dict[str, dict[str, int]]:
    """Return how often each answer was given, by lesson, the most frequent first.

    Args:
        store: Has the answers.
        lesson: Counts those of this one only.
    """
    query = sql.select(ANSWERS.c.lesson, ANSWERS.c.answer, sql.func.count()).group_by(
        ANSWERS.c.lesson, ANSWERS.c.answer
    )
    if lesson is not None:
        query = query.where(ANSWERS.c.lesson == lesson)
    found: dict[str, dict[str, int]] = {}
    with store.transaction() as connection:
        rows = connection.execute(query).all()
    for name, text, number in sorted(rows, key=lambda row: (row[0], -row[2], row[1])):
        found.setdefault(name, {})[text] = number
    return found


def clear(store: RunStore, lesson: str) -> None:
    """Delete all answers of a lesson."""
    with store.transaction() as connection:
        connection.execute(ANSWERS.delete().where(ANSWERS.c.lesson == lesson))


def show(store: RunStore, lesson: str, *, is_shown: bool) -> None:
    """Show a lesson's answers to those who have answered, or no longer."""
    with store.transaction() as connection:
        connection.execute(SHOWN_ANSWERS.delete().where(SHOWN_ANSWERS.c.lesson == lesson))
        if is_shown:
            connection.execute(SHOWN_ANSWERS.insert().values(lesson=lesson))


def shown(store: RunStore) -> set[str]:
    """Return the lessons whose answers are shown to those who have answered."""
    with store.transaction() as connection:
        return set(connection.scalars(sql.select(SHOWN_ANSWERS.c.lesson)))
