"""The page *Runs*: all runs in a table, and the curves of those that are chosen."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.navigation.page import Page

from explorer.language import ENGLISH, current, later, say
from explorer.runs.run import Run, UnreadableRun
from explorer.text import visible
from explorer.ui import acts, live, naming, outline, query_params, state
from explorer.ui.components.copy_link import copy_link
from explorer.ui.failure import sentence
from explorer.ui.tables import headings

_COLUMNS = (
    later("name"),
    later("architecture"),
    later("status"),
    later("epochs"),
    later("images"),
    later("seed"),
    later("options"),
    later("data set"),
    later("note"),
    later("run"),
)


def page(train: Page | None, inside: Page | None) -> None:
    """Show the table, what can be done with the chosen runs, and their curves."""
    outline.page(say("All runs"))
    with query_params.of("runs"):
        _content(train, inside)


def _content(train: Page | None, inside: Page | None) -> None:
    own, recorded = acts.shown_runs(), state.example_runs()
    if not own:
        st.info(
            say(
                "No run of your own yet: the page *Train* makes one. The recorded examples are "
                "listed below."
            ),
            icon=":material/school:",
        )
    _unreadable(state.store().unreadable())
    runs = state.with_examples(own)
    with st.skeleton(height=400):
        rows = _table(runs, recorded)
    chosen = [runs[row] for row in rows if row < len(runs)]
    if not chosen:
        st.caption(say("Tick runs on the left to see their curves in one chart."))
        return
    _actions(chosen, {run.id for run in own}, train, inside)
    live.panel(chosen, "runs")


def _unreadable(runs: Sequence[UnreadableRun]) -> None:
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(sentence(run.reason))
            if acts.mine() is None:
                _delete_button([run.id], f"delete.{run.id}")


def _table(runs: list[Run], recorded: Sequence[Run]) -> list[int]:
    examples = {run.id for run in recorded}
    catalogue = state.catalogue()
    rows = [
        {
            "name": visible(run.name),
            "architecture": visible(run.spec.architecture),
            "best": _percent(run.best_accuracy),
            "last": _percent(run.last_accuracy),
            "status": say("example") if run.id in examples else say(run.status),
            **_training(run),
            "options": visible(run.options_text),
            "data set": visible(run.spec.dataset),
            "seconds": None if run.spec.imported else run.seconds,
            "made": run.created,
            "code": _code(run, is_earlier=not catalogue.is_current(run.spec)),
            "note": visible(run.note),
            "run": run.id,
        }
        for run in runs
    ]
    event: Any = st.dataframe(
        rows,
        hide_index=True,
        placeholder="",
        on_select="rerun",
        selection_mode="multi-row",
        # Rows are chosen by their number, so another set of runs starts with nothing chosen.
        key="runs." + ".".join(run.id for run in runs),
        column_config={
            **headings(_COLUMNS),
            "best": _accuracy_column(say("best"), say("The best test accuracy of any epoch")),
            "last": _accuracy_column(say("last"), say("The test accuracy after the last epoch")),
            "recipe": st.column_config.TextColumn(say("recipe"), width="medium"),
            "seconds": st.column_config.NumberColumn(say("seconds"), format="%.1f s"),
            "code": st.column_config.TextColumn(
                say("code"),
                width=120,
                help=say(
                    "A hash of the plugin's code. *Earlier*: the code or the images have changed "
                    "since."
                ),
            ),
            "made": _made_column(),
        },
    )
    return list(event.selection.rows)


def _code(run: Run, *, is_earlier: bool) -> str:
    code = run.spec.fingerprint[:6]
    return say("{code} (earlier)", code=code) if is_earlier else code


def _training(run: Run) -> dict[str, Any]:
    """Return how a run was trained, which nobody knows of one that was imported."""
    if run.spec.imported:
        return {"epochs": "", "images": "", "recipe": run.recipe_name, "seed": None}
    recipe = run.spec.recipe
    return {
        "epochs": say("{done} of {epochs}", done=len(run.epochs), epochs=recipe.epochs),
        "images": f"{recipe.train_size:,}" if recipe.train_size else say("all"),
        "recipe": run.recipe_name,
        "seed": recipe.seed,
    }


def _actions(chosen: list[Run], own: set[str], train: Page | None, inside: Page | None) -> None:
    made = [run for run in chosen if run.id in own]
    mine = acts.mine()
    resumable = [run for run in made if run.status.is_resumable]
    live_runs = [run for run in made if run.status.is_live and (mine is None or run.id in mine)]
    deletable = [run for run in made if mine is None or mine.get(run.id)]
    with st.container(horizontal=True):
        if train and st.button(say("Open on Train"), icon=":material/model_training:", key="open"):
            st.session_state[state.SHOWN] = [run.id for run in chosen]
            st.switch_page(train)
        trained = [run.id for run in chosen if run.moment.epoch]
        if (
            inside
            and trained
            and st.button(say("Look inside"), icon=":material/search:", key="look")
        ):
            # Two are looked at side by side.
            st.switch_page(inside, query_params=dict(zip(("net", "other"), trained, strict=False)))
        if train:
            query = urlencode([("run", run.id) for run in chosen])
            ids = [run.id for run in chosen]
            copy_link(f"train?{query}", "link", on_copied=lambda: acts.pin(ids))
        if len(deletable) == 1 and len(chosen) == 1:
            naming.offer(deletable[0], "name")
        if resumable:
            st.button(
                say("Resume {count}", count=len(resumable)),
                icon=":material/resume:",
                on_click=acts.resume,
                args=([run.spec for run in resumable],),
                key="resume",
            )
        if live_runs:
            st.button(
                say("Pause {count}", count=len(live_runs)),
                icon=":material/pause:",
                on_click=acts.stop,
                args=([run.id for run in live_runs],),
                key="stop",
            )
        if deletable:
            _delete_button([run.id for run in deletable], "delete")


def _delete_button(ids: list[str], key: str) -> None:
    with st.popover(say("Delete {count}", count=len(ids)), icon=":material/delete:"):
        st.markdown(say("This deletes curves and weights for good."))
        st.button(say("Yes, delete"), type="primary", on_click=acts.delete, args=(ids,), key=key)


def _accuracy_column(heading: str, help: str) -> Any:
    return st.column_config.NumberColumn(heading, format="%.2f %%", help=help)


def _made_column() -> Any:
    # Streamlit says in English how long ago something was.
    if current() == ENGLISH:
        return st.column_config.DatetimeColumn(say("made"), format="distance")
    return st.column_config.DatetimeColumn(
        say("made"), format="YYYY-MM-DD HH:mm", timezone=st.context.timezone
    )


def _percent(accuracy: float | None) -> float | None:
    return None if accuracy is None else 100 * accuracy
