"""Every cache and every session key. What is shared by all visitors is made here, once."""

import contextlib
import gc
import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import streamlit as st

from explorer.charts.curves import Axis, Trace, accuracy_curves, loss_curves
from explorer.charts.lessons import draw, with_guess
from explorer.charts.looks import Look, Places
from explorer.charts.miniature import miniature_svg
from explorer.charts.style import Plain
from explorer.charts.svg import network_svg
from explorer.data.cache import is_decoded
from explorer.data.dataset import DataSet
from explorer.data.samples import Samples
from explorer.data.samples import samples as one_of_each
from explorer.data.samples import training_images as some_images
from explorer.engines import status
from explorer.engines.children import Nursery
from explorer.engines.hosting import Hosting
from explorer.engines.local import LocalEngine
from explorer.engines.plugins import Plugins
from explorer.engines.questions import Drawn
from explorer.inspection.session import Cache
from explorer.inspection.telling import Telling
from explorer.labs.seeds import recorded_spread
from explorer.language import current
from explorer.lessons import Shown
from explorer.plugin.catalogue import Catalogue, Description
from explorer.runs.following import Follower
from explorer.runs.recorded import open_examples, open_records
from explorer.runs.run import Run, UnknownRunError
from explorer.runs.store import RunStore, StoreError
from explorer.settings import Settings, SettingsError, read_settings
from explorer.statistics.seeds import Spread
from explorer.training.events import Moment, Score, Step, Update
from explorer.ui.components.chart import Drawn as Chart
from explorer.ui.components.chart import drawn
from explorer.ui.miniatures import Miniatures
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
def tellings() -> Mapping[str, Telling]:
    """Return the switch that tells most about each of these runs that has one, by its id."""
    records = open_records()
    measured = {run.id: records.measured(run, "telling") for run in example_runs()}
    return {id: Telling(**found) for id, found in measured.items() if found}


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
    return found, _drawing(current(), catalogue()[name].fingerprint, name, values, dataset, found)


@st.cache_resource(show_spinner=False)
def miniatures() -> Miniatures:
    """Return what makes the small drawings of all networks."""
    found = plugins()
    return Miniatures(lambda name: miniature_svg(found.draw_alone(name).parts))


@st.cache_resource(show_spinner=False, max_entries=200)
def _drawing(
    language: str,
    code: str,
    name: str,
    values: Mapping[str, Any] | None,
    dataset: str,
    _found: Drawn,
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


def samples(dataset: DataSet) -> Samples | None:
    """Return an image of each class of a data set; `None` while it is not decoded."""
    cache = settings().cache
    if not is_decoded(dataset, cache):
        return None
    return _samples((dataset.name, dataset.version, dataset.images, dataset.url), dataset)


@st.cache_resource(show_spinner=False, max_entries=50)
def _samples(which: Hashable, _dataset: DataSet) -> Samples | None:
    return one_of_each(_dataset, settings().cache)


def training_images(dataset: DataSet, numbers: Sequence[int]) -> Samples | None:
    """Return some training images of a data set; `None` if it is not decoded."""
    cache = settings().cache
    if not is_decoded(dataset, cache):
        return None
    return _training_images((dataset.name, dataset.version), tuple(numbers), dataset)


@st.cache_resource(show_spinner=False, max_entries=20)
def _training_images(which: Hashable, numbers: Sequence[int], _dataset: DataSet) -> Samples | None:
    return some_images(_dataset, settings().cache, numbers)


def lesson_figure(shown: Shown, guess: str | None, key: str) -> Chart:
    """Return the figure of a part, with what was guessed, drawn once for all who see the same."""
    return _lesson_figures().once(
        (hashlib.sha256(repr(shown.figure).encode()).digest(), guess, key, current()),
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


def looks(runs: Sequence[Run]) -> Mapping[str, Look]:
    """Return how each of these runs looks, by its id, on this page and on all others."""
    return _places().looks(runs)


@st.cache_resource(show_spinner=False)
def _places() -> Places:
    made = Places()
    made.looks(example_runs())
    made.looks(store().runs())  # in the order in which they were made
    return made


@st.cache_resource(show_spinner=False)
def seeds() -> Spread | None:
    """Return what seeds alone do to the accuracy of a run, as the recorded runs say."""
    return recorded_spread()


def curves(
    traces: Sequence[Trace], quiet: Sequence[Trace] = (), axis: Axis = "epochs"
) -> tuple[Chart, Callable[[], Chart]]:
    """Return accuracy, and what returns the loss, drawn once for all who look at the same.

    Args:
        traces: The runs.
        quiet: The examples that these are compared with.
        axis: Along which the curves go.
    """
    own = looks([trace.run for trace in traces])
    live = any(trace.run.status.is_live for trace in traces)
    others = tuple(trace.run.id for trace in quiet)
    asked = current(), axis, others, tuple(own.items()), tuple(map(_moment, traces))
    cache = _live_curves() if live else _recorded_curves()

    def once(name: str, draw: Callable[..., Plain]) -> Chart:
        return cache.once(
            (name, *asked), lambda: drawn(draw(traces, quiet=quiet, axis=axis, looks=own))
        )

    return once("accuracy", accuracy_curves), lambda: once("loss", loss_curves)


def _moment(trace: Trace) -> Hashable:
    """Identify a run and how far it is: whatever changes on its curves changes this."""
    run, steps = trace.run, trace.steps
    last = trace.scores[-1] if trace.scores else None
    return (
        *(run.id, run.created, run.status, trace.label, run.started),
        *(run.epochs[-1:], tuple(steps[-1:]), last),
    )


@st.cache_resource(show_spinner=False)
def _recorded_curves() -> Cache:
    return Cache(2**22)


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
