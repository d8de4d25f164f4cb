"""What Streamlit's browser side can do for fragments and `st.fragment` has no option for."""

from collections.abc import Callable

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState, get_script_run_ctx


def again(seconds: float | None, do: Callable[[], None]) -> None:
    """Do something again and again, from some seconds after the page has run; `None` is never."""
    is_drawn = False

    def tick() -> None:
        nonlocal is_drawn
        if is_drawn:
            do()
        is_drawn = True  # before that, it is a run of the whole page, not of the timer

    st.fragment(tick, run_every=seconds)()


def run_fragment_every(seconds: float) -> None:
    """Have the browser run the fragment that runs now at another interval from now on.

    `run_every` of `st.fragment` is sent when the page runs, and the page would have to run for
    another one.
    """
    context, fragment = get_script_run_ctx(), ThreadState.get().fragment_id
    if context and fragment:
        message = ForwardMsg()
        message.auto_rerun.interval = seconds
        message.auto_rerun.fragment_id = fragment
        context.enqueue(message)
