"""Every cache and every session key. What is shared by all visitors is made here, once."""

import contextlib
import gc
import hashlib
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import streamlit as st

from explorer.charts.curves import Trace, accuracy_curves, loss_curves
from explorer.charts.lessons import draw, with_guess
from explorer.charts.svg import network_svg
from explorer.engines import status
from explorer.engines.children import Nursery
from explorer.engines.hosting import Hosting
from explorer.engines.local import LocalEngine
from explorer.engines.plugins import Plugins
from explorer.engines.questions import Drawn
from explorer.inspection.session import Cache
from explorer.lessons import Shown
from explorer.plugin.catalogue import Catalogue, Description
from explorer.runs.following import Follower
from explorer.runs.recorded import open_examples
from explorer.runs.run import Run, UnknownRunError
from explorer.runs.store import RunStore, StoreError
from explorer.settings import Settings, SettingsError, read_settings
from explorer.training.events import Moment, Score, Step, Update
from explorer.ui.components.chart import Drawn as Chart
from explorer.ui.components.chart import drawn
from explorer.ui.pace import Pace

SHOWN = "shown"  # session key: ids of the runs on the chart, in the order in which they were added
MOST_SHOWN = 8  # of these


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings of this process."""
    return read_settings()


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    """Return the store in which this app keeps its runs."""
    return RunStore(settings().database_url)


@st.cache_resource(show_spinner=False)
def examples() -> RunStore:
    """Return the store of the runs that ship with the explorer."""
    return open_examples()


@st.cache_resource(show_spinner=False)
def example_runs() -> Sequence[Run]:
    """Return the runs that ship with the explorer, which never change."""
    return examples().runs()


@st.cache_resource(show_spinner=False)
def nursery() -> Nursery:
    """Return where all child processes come from."""
    return Nursery()


@st.cache_resource(show_spinner=False)
def plugins() -> Plugins:
    """Return all plugins, loaded once, and again when somebody asks for it."""
    return Plugins(nursery(), settings())


def catalogue() -> Catalogue[Description]:
    """Return what all plugins offer."""
    return plugins().catalogue


@st.cache_data(show_spinner=False, ttl=1)
def changed_plugins() -> list[str]:
    """Return the names of plugins that were edited, added or removed since they were loaded."""
    return plugins().changed()


@st.cache_data(show_spinner=False, ttl=10)
def changed_datasets() -> list[str]:
    """Return the names of data sets whose files have changed since their plugins were loaded."""
    return sorted(name for name, each in catalogue().datasets.items() if each.has_changed)


def reload_plugins() -> None:
    """Load all plugins again, for all visitors."""
    plugins().reload()
    changed_plugins.clear()
    changed_datasets.clear()


@st.cache_resource(show_spinner=False)
def engine() -> LocalEngine:
    """Return the queue of runs, and the processes that train them."""
    made = LocalEngine(store(), settings(), nursery(), plugins().needed)
    status.report(made.status)
    return made


def warm_up() -> None:
    """Make what every page needs before the first visit; what fails here fails there too."""
    with contextlib.suppress(Exception):
        engine()
        catalogue()
        freeze_memory("before any page")


@st.cache_resource(show_spinner=False)
def freeze_memory(when: str) -> None:
    """Exempt what is in memory from garbage collection; once for each `when`.

    Streamlit collects garbage after every run of a page, and would each time look through the
    hundreds of thousands of objects that were loaded for the first one.
    """
    gc.collect()
    gc.freeze()


def shut_down() -> None:
    """End all child processes; a run that is being trained is interrupted, and may be resumed."""
    status.report(None)
    with contextlib.suppress(SettingsError, StoreError):
        engine().close()
    with contextlib.suppress(SettingsError):
        plugins().close()
    nursery().close()


# What is cached as a resource is not copied at each use: these are never changed by who uses them.


def network(
    name: str, values: Mapping[str, Any] | None = None, dataset: str = ""
) -> tuple[Drawn, str]:
    """Return what a network of these options is for a data set, and its drawing, an SVG.

    Args:
        name: The architecture.
        values: Its options.
        dataset: The name of the data set; without one, the images on which it is described.

    Raises:
        AnswerError: It cannot be built so.
    """
    found = plugins().draw(name, values or {}, dataset) if dataset else plugins().draw_alone(name)
    return found, _drawing(catalogue()[name].fingerprint, name, values, dataset, found)


@st.cache_resource(show_spinner=False, max_entries=200)
def _drawing(
    code: str, name: str, values: Mapping[str, Any] | None, dataset: str, _found: Drawn
) -> str:
    return network_svg(_found.parts, _found.images, "vertical", opens=False)


def taught(lesson: str, part: str, values: Mapping[str, Any], run: Run | None) -> Shown:
    """Return what a part of a lesson shows, computed once for all who ask.

    Args:
        lesson: The lesson's name.
        part: The part's.
        values: A value for each of its controls.
        run: The run that it looks into, as it was after its last kept epoch.

    Raises:
        AnswerError: It cannot be computed.
    """
    look = None
    if run:
        look = run, find_run(run.id)[1].moment(run.id)
    return plugins().teach(lesson, part, values, look)


def lesson_figure(shown: Shown, guess: str | None, key: str) -> Chart:
    """Return the figure of a part, with what was guessed, drawn once for all who see the same."""
    return _lesson_figures().once(
        (hashlib.sha256(repr(shown.figure).encode()).digest(), guess, key),
        lambda: drawn(with_guess(draw(shown.figure, key), shown, guess)),
    )


@st.cache_resource(show_spinner=False)
def _lesson_figures() -> Cache:
    return Cache(2**22)


def with_examples(own: Sequence[Run]) -> list[Run]:
    """Return the user's runs, and then those examples that are not among them."""
    known = {run.id for run in own}
    return [*own, *(run for run in example_runs() if run.id not in known)]


def find_run(id: str, age: float = 0.0) -> tuple[Run, RunStore]:
    """Return a run and the store that has it, the user's before the examples.

    Args:
        id: The run.
        age: How many seconds ago it may have been read, if it was live then.

    Raises:
        UnknownRunError: Neither has it.
    """
    try:
        return following().run(id, age), store()
    except UnknownRunError:
        for run in example_runs():
            if run.id == id:
                return run, examples()
        raise


@st.cache_resource(show_spinner=False, max_entries=200)
def recorded_steps(id: str, moment: Moment, _store: RunStore) -> Sequence[Step]:
    """Return the steps of a run that is not live; `moment` is how far it is."""
    return _store.steps(id)


@st.cache_resource(show_spinner=False, max_entries=200)
def recorded_scores(id: str, moment: Moment, _store: RunStore) -> Sequence[Score]:
    """Return the scores within the epochs of such a run, as `recorded_steps` does."""
    return _store.scores(id)


@st.cache_resource(show_spinner=False, max_entries=200)
def recorded_updates(id: str, moment: Moment, _store: RunStore) -> Sequence[Update]:
    """Return the steps of such a run that were looked at closely, likewise."""
    return _store.updates(id)


@st.cache_resource(show_spinner=False)
def following() -> Follower:
    """Return what reads the steps of live runs."""
    return Follower(store())


@st.cache_resource(show_spinner=False)
def pace() -> Pace:
    """Return how often a live run is looked at."""
    return Pace()


@st.cache_resource(show_spinner=False)
def _live_curves() -> Cache:
    return Cache(2**20)  # a moment is over soon, and nobody asks for it again


def curves(traces: Sequence[Trace]) -> tuple[Chart, Chart]:
    """Return accuracy and loss over the epochs, drawn once for all who look at the same."""
    if any(trace.run.status.is_live for trace in traces):
        return _live_curves().once(
            tuple(map(_moment, traces)),
            lambda: (drawn(accuracy_curves(traces)), drawn(loss_curves(traces))),
        )
    return _recorded_curves(
        [(t.run.id, t.run.created, len(t.run.epochs), t.label) for t in traces], traces
    )


def _moment(trace: Trace) -> Hashable:
    """Identify a run and how far it is: whatever changes on its curves changes this."""
    run, steps = trace.run, trace.steps
    last = trace.scores[-1] if trace.scores else None
    return (
        *(run.id, run.created, trace.label, run.started),
        *(run.epochs[-1:], tuple(steps[-1:]), last),
    )


@st.cache_resource(show_spinner=False, max_entries=200)
def _recorded_curves(which: Sequence[Any], _traces: Sequence[Trace]) -> tuple[Chart, Chart]:
    return drawn(accuracy_curves(_traces)), drawn(loss_curves(_traces))


@st.cache_resource(show_spinner=False)
def hosting() -> Hosting:
    """Return the runs, as far as a visitor may have to do with them."""
    return Hosting(store(), settings(), plugins(), lambda: engine())


def waiting(run: Run) -> str:
    """Say where in the queue a run is, and when it will probably begin."""
    return engine().waiting(run.id)


def show(ids: Sequence[str]) -> None:
    """Put these runs on the chart, before those that are on it already."""
    before = st.session_state.get(SHOWN, [])
    st.session_state[SHOWN] = [*ids, *(id for id in before if id not in ids)][:MOST_SHOWN]
