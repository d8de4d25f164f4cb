"""What somebody calls a run, and what they note about it."""

import streamlit as st

from explorer.language import say
from explorer.runs.run import MOST_NAME, MOST_NOTE, Run
from explorer.ui import acts


def offer(run: Run, key: str) -> None:
    """Offer to give a run a name and a note.

    Args:
        run: The run.
        key: Begins the keys of what is shown.
    """
    with st.popover(
        say("Name and note"), icon=":material/edit:", help=say("Of this run, for all who see it")
    ):
        name, note = f"{key}.{run.id}.name", f"{key}.{run.id}.note"
        with st.form(f"{key}.{run.id}", border=False, enter_to_submit=True):
            st.text_input(
                say("Name"),
                run.name,
                max_chars=MOST_NAME,
                key=name,
                placeholder=run.spec.architecture,
                help=say("Shown in place of the architecture on charts."),
            )
            st.text_area(say("Note"), run.note, max_chars=MOST_NOTE, key=note)
            st.form_submit_button(
                say("Save"), type="primary", on_click=_save, args=(run.id, name, note)
            )


def _save(id: str, name: str, note: str) -> None:
    acts.rename(id, st.session_state[name], st.session_state[note])
