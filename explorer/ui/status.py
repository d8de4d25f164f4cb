"""How far each run on a panel is, what went wrong, and how it is paused, resumed and stepped."""

from collections.abc import Sequence

import streamlit as st

from explorer.data.cache import is_cached
from explorer.language import author, recognise, say
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
            ":material/upload_file: "
            + say(
                "{name} was imported, not trained here: its lines are level, at its scores on all "
                "test images and on as many training images.",
                name=plain(run.spec.architecture),
            )
        )


def _live(run: Run, steps: Sequence[Step], key: str, age: float) -> None:
    now = progress(run, steps)
    name = plain(run.spec.architecture)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(now.fraction, f"**{name}** — {plain(_doing(run, steps, now))}")
        if acts.may_stop(run.id, age):
            st.button(
                say("Pause"),
                icon=":material/pause:",
                key=f"{key}.stop.{run.id}",
                on_click=acts.stop,
                args=([run.id],),
                help=say(
                    "It goes on from this step whenever you like, and can be looked into now."
                ),
            )
    if run.started and run.started.note:
        note = failure.sentence(recognise(run.started.note))
        st.caption(say("{name}: {note}", name=name, note=note))


def _resumable(run: Run, steps: Sequence[Step], key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.status is Status.PAUSED:
            now = progress(run, steps)
            st.progress(now.fraction, _paused(run))
        else:
            show = st.error if run.status is Status.FAILED else st.warning
            show(_ended(run))
        st.button(
            say("Resume") if run.kept.epoch else say("Start again"),
            icon=":material/resume:",
            key=f"{key}.resume.{run.id}",
            on_click=acts.resume,
            args=([run.spec],),
        )
        st.button(
            say("Step"),
            icon=":material/step:",
            key=f"{key}.step.{run.id}",
            on_click=acts.step,
            args=(run.spec,),
            help=say("Train on one batch, and see what that does."),
        )
    if run.status is not Status.PAUSED:
        failure.details(run.traceback, acts.printed(run.id))


def _paused(run: Run) -> str:
    name, where = plain(run.spec.architecture), _where(run)
    if where is None:
        return say("**{name}** — paused", name=name)
    step, steps = where
    return say(
        "**{name}** — paused at step {step:,} of {steps:,}", name=name, step=step, steps=steps
    )


def _ended(run: Run) -> str:
    """Say how a run ended, where it can go on, and why it ended."""
    name, where = plain(run.spec.architecture), _where(run)
    status, reason = say(run.status), failure.sentence(recognise(run.reason))
    if where is None:
        return say("**{name}** {status}. {reason}", name=name, status=status, reason=reason)
    step, steps = where
    return say(
        "**{name}** {status}. It is kept at step {step:,} of {steps:,}. {reason}",
        name=name,
        status=status,
        step=step,
        steps=steps,
        reason=reason,
    )


def _where(run: Run) -> tuple[int, int] | None:
    """Return the step at which a run can go on, and how many there are; `None` if it begins."""
    if not run.kept.epoch or run.started is None:
        return None
    each = run.started.steps_per_epoch
    return run.kept.step or run.kept.epoch * each, each * run.spec.recipe.epochs


def _warn(run: Run) -> None:
    name = plain(run.spec.architecture)
    if run.spec.imported:
        st.warning(
            say(
                "**{name}** is no better than guessing on {dataset}. It was imported, and may have "
                "been trained on other images, or on images that were normalised otherwise.",
                name=name,
                dataset=plain(run.spec.dataset),
            )
        )
    else:
        st.warning(
            say(
                "**{name}** learned nothing: it is no better than guessing. A lower learning rate "
                "may help.",
                name=name,
            )
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
        speed = ""
        if now.images_per_second:
            speed = say("{speed:,.0f} images/s", speed=now.images_per_second)
        epochs = run.spec.recipe.epochs
        here = say("epoch {epoch} of {epochs}", epoch=steps[-1].epoch, epochs=epochs)
        return " · ".join(filter(None, [here, now.time_left, speed]))
    dataset = state.catalogue().datasets.get(run.spec.dataset)
    if dataset and not is_cached(dataset, state.settings().cache):
        title = author(dataset.title)
        return say("downloading {title}, which is used for the first time", title=title)
    return say("getting ready")
