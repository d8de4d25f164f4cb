"""What the last step of a run did, which was taken alone: its batch, and each layer's update."""

from collections.abc import Sequence
from statistics import fmean

import streamlit as st

from explorer.charts.updates import update_sizes
from explorer.language import say
from explorer.runs.run import Run
from explorer.training.events import Step, Update
from explorer.ui import state
from explorer.ui.components.chart import chart
from explorer.ui.components.strip import strip
from explorer.ui.words import plain

MOST_IMAGES = 64  # of a batch that are shown
MOST_LAYERS = 20  # beyond which the chart is scrolled through


def last_step(run: Run, steps: Sequence[Step], key: str) -> None:
    """Show what the step did at which a run is paused, if it was taken alone.

    Args:
        run: The run.
        steps: What it reported.
        key: Begins the keys of what is shown.
    """
    if not run.status.is_resumable or not run.kept.step:
        return
    _, store = state.find_run(run.id)
    updates = state.recorded_updates(run.id, run.moment, store)
    if updates and updates[-1].step == run.kept.step:
        with st.container(border=True):
            _show(run, updates[-1], steps[-1], key)


def _show(run: Run, update: Update, step: Step, key: str) -> None:
    count = len(update.images)
    st.markdown(
        say(
            "**Step {step:,} of {name}**: {right:,} of {count:,} images of its batch were "
            "classified correctly, loss {loss:.3f} before the update.",
            step=update.step,
            name=plain(run.spec.architecture),
            right=round(step.accuracy * count),
            count=count,
            loss=fmean(update.losses),
        )
    )
    dataset = state.catalogue().datasets.get(run.spec.dataset)
    if dataset and (images := state.training_images(dataset, update.images[:MOST_IMAGES])):
        taken = [dataset.classes[number] for number in update.predicted[:MOST_IMAGES]]
        with st.expander(say("The batch"), expanded=True):
            strip(images, f"{key}.batch.{run.id}", taken)
            if count > MOST_IMAGES:
                st.caption(
                    say("The first {shown} of {count:,} images.", shown=MOST_IMAGES, count=count)
                )
    figure = update_sizes(update, list(update.gradients))
    st.markdown(say("**How far each layer moved**"))
    tall = len(update.gradients) > MOST_LAYERS
    with st.container(height=480 if tall else "content", border=False):
        chart(figure, key=f"{key}.updates.{run.id}")
    st.caption(
        say(
            "A layer that moves by much more or much less than a thousandth of its norm at each "
            "step usually has a learning rate that is too high or too low for it."
        )
    )
