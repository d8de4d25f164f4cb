"""Shows runs as they are: progress, what went wrong, and curves that move while one is live."""

from collections.abc import Sequence

import streamlit as st

from explorer.charts.curves import Trace, accuracy_curves, loss_curves
from explorer.data.catalogue import dataset
from explorer.data.decoded import is_cached
from explorer.events import Step
from explorer.progress import progress
from explorer.runs import Run, Status, distinguish
from explorer.ui import state

POLL_SECONDS = 0.4
_PLOT = {"displaylogo": False, "displayModeBar": False}


def panel(runs: Sequence[Run], key: str) -> None:
    """The state of each run that is not finished, then the curves of all of them.

    While one of them is live, the panel reads the store by itself.
    """
    live = any(run.status.is_live for run in runs)
    ids = [run.id for run in runs]
    st.fragment(_panel, run_every=POLL_SECONDS if live else None)(ids, key, live)


def _panel(ids: Sequence[str], key: str, was_live: bool) -> None:
    runs = [state.find_run(id)[0] for id in ids]
    for run in runs:
        _standing(run, key)
    labels = distinguish(runs)
    traces = [Trace(run, _steps(run), labels[run.id]) for run in runs]
    st.markdown("**Accuracy** — solid: on test images, dashed: on training images")
    st.plotly_chart(accuracy_curves(traces), key=f"{key}.accuracy", config=_PLOT)
    st.caption(
        "The scale stretches towards 100 %: from 98 to 99 % is as far as from 80 to 90 %, or from "
        "0 to 50 %, since each of these halves the errors."
    )
    st.markdown("**Loss** — cross-entropy, on a logarithmic scale")
    st.plotly_chart(loss_curves(traces), key=f"{key}.loss", config=_PLOT)
    if was_live and not any(run.status.is_live for run in runs):
        st.rerun()  # nothing moves any more, so the page need not be read again


def _steps(run: Run) -> list[Step]:
    own = state.find_run(run.id)[1]
    if run.status.is_live:
        return own.steps(run.id)
    return state.recorded_steps(run.id, len(run.epochs), own)


def _standing(run: Run, key: str) -> None:
    epochs = run.spec.recipe.epochs
    if run.status.is_live:
        steps = _steps(run)
        now = progress(run, steps[-1] if steps else None)
        if run.status is Status.QUEUED:
            text = "waiting for its turn"
        elif not steps and not is_cached(dataset(run.spec.dataset), state.settings().cache):
            text = (
                f"downloading {dataset(run.spec.dataset).title}, which is used for the first time"
            )
        elif not steps:
            text = "getting ready"
        else:
            speed = f"{now.images_per_second:,.0f} images/s"
            text = f"epoch {steps[-1].epoch} of {epochs} · {now.time_left} · {speed}"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(now.fraction, f"**{run.spec.architecture}** — {text}")
            stop = st.button("Stop", icon=":material/stop:", key=f"{key}.stop.{run.id}")
        if stop:
            state.engine().stop(run.id)
            st.toast(f"Stopping {run.spec.architecture} …")
    elif run.status.is_resumable:
        done = f"{len(run.epochs)} of {epochs} epochs are kept"
        text = f"**{run.spec.architecture}** {run.status}: {done}. {run.reason}"
        with st.container(horizontal=True, vertical_alignment="center"):
            (st.error if run.status is Status.FAILED else st.warning)(text)
            label = "Resume" if run.epochs else "Start again"
            resume = st.button(label, icon=":material/resume:", key=f"{key}.resume.{run.id}")
        if resume:
            state.engine().submit(run.spec)
            st.rerun()
