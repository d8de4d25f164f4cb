"""What a visitor does with runs, in their own name; what is refused is said on the page."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import streamlit as st

from explorer.engines import hosting
from explorer.engines.limits import recipe_ends
from explorer.engines.questions import Drawn
from explorer.errors import ExplorerError
from explorer.language import say
from explorer.plugin.catalogue import Catalogue, Description
from explorer.runs import answers, keeping
from explorer.runs.run import Run, RunSpec
from explorer.training.recipe import PRESETS
from explorer.ui import said, state
from explorer.ui.failure import sees_everything
from explorer.ui.http.visitors import acting_visitor, pseudonym, visitor


def submit(spec: RunSpec, steps: int | None = None) -> Run | None:
    """Queue the run of this spec, or some steps of it; `None` if that is refused."""
    with _saying():
        return state.hosting().submit(spec, acting_visitor(), steps)
    return None


def resume(specs: Sequence[RunSpec]) -> None:
    """Queue these runs again, each from where it is kept."""
    for spec in specs:
        submit(spec)


def step(spec: RunSpec) -> None:
    """Train a run on one batch."""
    submit(spec, steps=1)


def stop(ids: Sequence[str]) -> None:
    """Pause these runs, or leave them to others who want them too."""
    for id in ids:
        with _saying():
            if not state.hosting().stop(id, acting_visitor()):
                st.toast(say("Others asked for this run too, so it goes on for them."))


def delete(ids: Sequence[str]) -> None:
    """Delete these runs."""
    for id in ids:
        with _saying():
            state.hosting().delete(id, acting_visitor())


def rename(id: str, name: str, note: str) -> None:
    """Give a run a name and a note."""
    with _saying():
        state.hosting().rename(id, acting_visitor(), name, note)


def pin(ids: Sequence[str]) -> None:
    """Keep these runs when room is made, since this visitor copied a link to them.

    The examples need no room.
    """
    examples = {run.id for run in state.example_runs()}
    for id in ids:
        if id not in examples:
            with _saying():
                state.hosting().pin(id, acting_visitor())


def answer(lesson: str, text: str) -> None:
    """Count this visitor's answer to a lesson's question, in the place of the one before."""
    with _saying():
        answers.answer(state.store(), lesson, pseudonym(acting_visitor(), lesson), text)


def answered(lesson: str) -> str | None:
    """Return what this visitor answered to a lesson's question; `None` if nothing."""
    return answers.answered(state.store(), lesson, pseudonym(visitor(), lesson))


def shown_answers(lesson: str) -> Mapping[str, int]:
    """Return how often each answer of a lesson was given, where the operator shows that."""
    store = state.store()
    if lesson not in answers.shown(store):
        return {}
    return answers.counts(store, lesson).get(lesson, {})


def all_answers() -> dict[str, dict[str, int]]:
    """Return how often each answer was given, by lesson."""
    return answers.counts(state.store())


def lessons_with_shown_answers() -> set[str]:
    """Return the lessons whose answers are shown to those who have answered."""
    return answers.shown(state.store())


def show_answers(lesson: str, *, is_shown: bool) -> None:
    """Show a lesson's answers to those who have answered, or no longer; the operator may."""
    if visitor().is_operator:
        answers.show(state.store(), lesson, is_shown=is_shown)


def clear_answers(lesson: str) -> None:
    """Delete all answers of a lesson; the operator may."""
    if visitor().is_operator:
        answers.clear(state.store(), lesson)


def offered() -> Catalogue[Description]:
    """Return the architectures and data sets that this visitor may train."""
    return state.hosting().offered(visitor())


def refusal(spec: RunSpec, drawn: Drawn) -> str:
    """Say in a sentence why this visitor may not train that; empty if they may."""
    return state.hosting().refusal(spec, drawn, visitor())


def recipe_limits() -> tuple[Sequence[str], Mapping[str, int]]:
    """Return the presets that this visitor may choose, and the largest values of their fields."""
    settings = state.settings()
    if visitor().is_operator:
        return tuple(PRESETS), {}
    offered = [name for name in PRESETS if name in (settings.offered_recipes or PRESETS)]
    return offered or tuple(PRESETS), recipe_ends(settings)


def shown_runs() -> list[Run]:
    """Return the runs that this visitor sees in lists, the newest first, without the examples."""
    return state.hosting().shown(state.store().runs(), visitor())


def mine() -> dict[str, bool] | None:
    """Return the runs that this visitor may stop, by id, and whether they may delete them.

    `None` means all.
    """
    return state.hosting().mine(visitor())


def may_stop(id: str, age: float = 0.0) -> bool:
    """Return whether this visitor may stop a live run, as of at most `age` seconds ago."""
    return hosting.may_stop(visitor(), state.following().wishers(id, age))


def printed(id: str) -> str:
    """Return what a run's process printed, to who may see it; may be empty."""
    if not sees_everything():
        return ""
    try:
        return keeping.read_log(state.store(), id)
    except ExplorerError:
        return ""


@contextlib.contextmanager
def _saying() -> Iterator[None]:
    """Keep the sentence of what is refused within the block, to be shown on the page."""
    try:
        yield
    except ExplorerError as error:
        said.say(str(error))
