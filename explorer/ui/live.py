"""Shows runs: their progress, what went wrong, and curves that grow while one is live."""

import secrets
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import streamlit as st

from explorer.charts.curves import Axis, Trace
from explorer.errors import ExplorerError
from explorer.language import say
from explorer.runs.run import Run, Status, distinguish
from explorer.runs.store import RunStore
from explorer.training.events import Score, Step
from explorer.ui import failure, said, state
from explorer.ui.comparison import comparison
from explorer.ui.components.announce import announce
from explorer.ui.components.chart import chart
from explorer.ui.fragments import run_fragment_every
from explorer.ui.last_step import last_step
from explorer.ui.pace import LEAST
from explorer.ui.status import status
from explorer.ui.words import code, paragraphs, plain

WAITING_SECONDS = 5.0  # between two looks at what may be resumed
SHARED_SECONDS = 0.5  # how old may be what another has read, where many watch
# Session keys.
WATCHER = "watcher"  # identifies this page among those that watch a live run
PAUSE = "watcher.pause"  # seconds between two looks of it


def panel(
    runs: Sequence[Run], key: str, *, examples: Sequence[Run] = (), axis: Axis = "epochs"
) -> None:
    """Show the status of each run that is not finished, then the curves of all of them.

    While one of them is live, the panel looks at the store by itself, as often as `state.pace()`
    says; while one may be resumed, which another visitor can do, it does so less often.

    Args:
        runs: The runs.
        key: Begins the keys of what is on the panel.
        examples: The recorded runs that these are compared with: in words, and as grey lines where
            they are not among them.
        axis: Along which the curves go.
    """
    live = any(run.status.is_live for run in runs)
    pause = None
    if live:
        before = st.session_state.get(PAUSE, LEAST)
        pause = st.session_state[PAUSE] = state.pace().enter(_watcher(), before)
    elif any(run.status.is_resumable for run in runs):
        pause = WAITING_SECONDS
    shown = _Shown([run.id for run in runs], key, examples, axis)
    st.fragment(_panel, run_every=pause)(shown, live, iter([True]))


def _watcher() -> str:
    """Identify this page among those that watch a live run."""
    name: str = st.session_state.setdefault(WATCHER, secrets.token_hex(8))
    return name


class _Shown(NamedTuple):
    """What a panel shows, as `panel` gets it; of the runs, their ids."""

    ids: Sequence[str]
    key: str
    examples: Sequence[Run]
    axis: Axis


def _panel(shown: _Shown, was_live: bool, page_runs: Iterator[bool]) -> None:
    """Show the panel; run the page again where runs begin or end.

    Args:
        shown: What is on it.
        was_live: Whether one of them was live when the page ran.
        page_runs: Yields `True` when the page runs, which is not to wait for others; then nothing.
    """
    pause = st.session_state.get(PAUSE, LEAST) if was_live else LEAST
    if not next(page_runs, False) and pause > LEAST:
        time.sleep(state.pace().until_together())
    before = time.thread_time()
    # Where many watch, one reads for all who look within a moment.
    live = _show(shown, SHARED_SECONDS if pause > LEAST else 0.0)
    if live != was_live:
        said.run_again()
    if live:
        pace = state.pace()
        pace.looked(_watcher(), time.thread_time() - before)
        if (now := pace.seconds(pause)) != pause:
            st.session_state[PAUSE] = now
            run_fragment_every(now)


def _show(shown: _Shown, age: float) -> bool:
    """Show the panel, and return whether a run is live."""
    found = []
    for id in shown.ids:
        try:
            found.append(state.find_run(id, age))
        except ExplorerError as error:  # it was deleted since, from another window
            st.warning(failure.sentence(error))
    runs = [run for run, _ in found]
    labels = distinguish(runs)
    traces = [
        Trace(run, _steps(run, store, age), labels[run.id], _scores(run, store, age))
        for run, store in found
    ]
    for trace in traces:
        status(trace.run, trace.steps, shown.key, age)
        announce(f"run.{trace.run.id}", _heard(trace.run))
        last_step(trace.run, trace.steps, shown.key)
        if note := trace.run.note:
            st.caption(f":material/sticky_note_2: {plain(trace.run.title)}")
            st.markdown(paragraphs(note))
    _curves(traces, shown)
    _note_older_code(runs)
    return any(run.status.is_live for run in runs)


def _heard(run: Run) -> str:
    """Say how a run is, to who hears of a change."""
    if run.status is Status.FINISHED and run.epochs:
        share = run.epochs[-1].test_accuracy
        return say("{run} has finished: test accuracy {share:.2%}", run=run.title, share=share)
    return say("{run}: {status}", run=run.title, status=say(run.status))


def _curves(traces: Sequence[Trace], shown: _Shown) -> None:
    """Show accuracy, and the loss where a reader unfolds it."""
    quiet = [
        Trace(run, (), run.spec.architecture, _scores(run, state.examples(), 0))
        for run in shown.examples
        if run.id not in shown.ids
    ]
    accuracy, loss = state.curves(traces, quiet, shown.axis)
    st.markdown(
        say(
            "**Accuracy** — solid: on test images, dashed: on training images, grey: recorded "
            "examples"
        )
        if quiet
        else say("**Accuracy** — solid: on test images, dashed: on training images")
    )
    chart(accuracy, key=f"{shown.key}.accuracy")
    if compared := comparison([trace.run for trace in traces], shown.examples, state.seeds):
        st.markdown(compared)
    st.caption(
        say(
            "The scale stretches towards 100 %: from 98 to 99 % is as far as from 80 to 90 %, or "
            "from none to half of the images, since each of these halves the errors. It shows "
            "where the curves are after a tenth of the training."
        )
    )
    folded = st.expander(
        say("Loss — cross-entropy, on a logarithmic scale"),
        key=f"{shown.key}.folded",
        on_change="rerun",
    )
    if folded.open:
        with folded:
            chart(loss(), key=f"{shown.key}.loss")


def _note_older_code(runs: Sequence[Run]) -> None:
    for run in runs:
        if not state.catalogue().is_current(run.spec):
            st.caption(f":material/history: {_older(run)}")


def _older(run: Run) -> str:
    name, earlier = plain(run.spec.architecture), code(run.spec.fingerprint[:6])
    if run.spec.imported:
        return say(
            "{name} was imported with earlier code ({code}) or images than are here now. Its "
            "record is kept.",
            name=name,
            code=earlier,
        )
    return say(
        "{name} was trained with earlier code ({code}) or images than are here now. Its record is "
        "kept.",
        name=name,
        code=earlier,
    )


def _scores(run: Run, store: RunStore, age: float) -> Sequence[Score]:
    if not run.spec.recipe.score_every:
        return ()
    if run.status.is_live:
        return state.following().scores(run.id, age)
    return state.recorded_scores(run.id, run.moment, store)


def _steps(run: Run, store: RunStore, age: float) -> Sequence[Step]:
    if run.status.is_live:
        return state.following().steps(run.id, age)
    return state.recorded_steps(run.id, run.moment, store)
