"""How far each run on a panel is, what went wrong, and how it is paused, resumed and stepped."""

from collections.abc import Sequence

import streamlit as st

from explorer.data.cache import is_cached
from explorer.runs.progress import Progress, progress
from explorer.runs.run import GUESSING, Run, Status
from explorer.training.events import Step
from explorer.ui import acts, failure, state
from explorer.ui.words import plain


def status(run: Run, steps: Sequence[Step], key: str, age: float) -> None:
    """Show how far a run is, if it is not finished, and what can be done with it.

    Args:
        run: The run.
        steps: What it reported.
        key: Begins the keys of the buttons.
        age: How many seconds ago it may have been read.
    """
    if run.status.is_live:
        _live(run, steps, key, age)
    elif run.status.is_resumable:
        _resumable(run, steps, key)
    elif _learned_nothing(run):
        _warn(run)
    if run.spec.imported:
        st.caption(
            f":material/upload_file: {plain(run.spec.architecture)} was imported, not trained "
            "here: its lines are level, at its scores on all test images and on as many training "
            "images."
        )


def _live(run: Run, steps: Sequence[Step], key: str, age: float) -> None:
    now = progress(run, steps)
    name = plain(run.spec.architecture)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(now.fraction, f"**{name}** — {plain(_doing(run, steps, now))}")
        if acts.may_stop(run.id, age):
            st.button(
                "Pause",
                icon=":material/pause:",
                key=f"{key}.stop.{run.id}",
                on_click=acts.stop,
                args=([run.id],),
                help="It goes on from this step whenever you like, and can be looked into now.",
            )
    if run.started and run.started.note:
        st.caption(f"{name}: {failure.sentence(run.started.note)}")


def _resumable(run: Run, steps: Sequence[Step], key: str) -> None:
    name = plain(run.spec.architecture)
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.status is Status.PAUSED:
            now = progress(run, steps)
            st.progress(now.fraction, f"**{name}** — {plain(f'paused{_where(run)}')}")
        else:
            show = st.error if run.status is Status.FAILED else st.warning
            kept = f" It is kept{_where(run)}." if run.kept.epoch else ""
            show(f"**{name}** {run.status}.{kept} {failure.sentence(run.reason)}")
        st.button(
            "Resume" if run.kept.epoch else "Start again",
            icon=":material/resume:",
            key=f"{key}.resume.{run.id}",
            on_click=acts.resume,
            args=([run.spec],),
        )
        st.button(
            "Step",
            icon=":material/step:",
            key=f"{key}.step.{run.id}",
            on_click=acts.step,
            args=(run.spec,),
            help="Train on one batch, and see what that does.",
        )
    if run.status is not Status.PAUSED:
        failure.details(run.traceback, acts.printed(run.id))


def _where(run: Run) -> str:
    """Say where a run can go on, such as ` at step 420 of 938`."""
    if not run.kept.epoch or run.started is None:
        return ""
    each = run.started.steps_per_epoch
    step = run.kept.step or run.kept.epoch * each
    return f" at step {step:,} of {each * run.spec.recipe.epochs:,}"


def _warn(run: Run) -> None:
    name = plain(run.spec.architecture)
    if run.spec.imported:
        st.warning(
            f"**{name}** is no better than guessing on {plain(run.spec.dataset)}. It was "
            "imported, and may have been trained on other images, or on images that were "
            "normalised otherwise."
        )
    else:
        st.warning(
            f"**{name}** learned nothing: it is no better than guessing. A lower learning rate "
            "may help."
        )


def _learned_nothing(run: Run) -> bool:
    accuracy = run.last_accuracy or 0
    if accuracy > 0.75:  # more than guessing among two; and plugins may still be loading
        return False
    dataset = state.catalogue().datasets.get(run.spec.dataset)
    return dataset is not None and accuracy < GUESSING / dataset.images.num_classes


def _doing(run: Run, steps: Sequence[Step], now: Progress) -> str:
    if run.status is Status.QUEUED:
        return state.waiting(run)
    if steps:
        speed = f"{now.images_per_second:,.0f} images/s" if now.images_per_second else ""
        here = f"epoch {steps[-1].epoch} of {run.spec.recipe.epochs}"
        return " · ".join(filter(None, [here, now.time_left, speed]))
    dataset = state.catalogue().datasets.get(run.spec.dataset)
    if dataset and not is_cached(dataset, state.settings().cache):
        return f"downloading {dataset.title}, which is used for the first time"
    return "getting ready"
