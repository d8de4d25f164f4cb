"""What a page shows in place of what failed."""

import logging

import streamlit as st

from explorer.errors import ExplorerError, explain, full_trace, is_ours

_log = logging.getLogger(__name__)


def show(error: Exception) -> bool:
    """Show what the page, a fragment or a callback raised, as a sentence; Streamlit calls it.

    A fault of the explorer says so, with the traceback folded below, and is logged.

    Returns:
        True, so that Streamlit shows nothing itself.
    """
    if isinstance(error, ExplorerError):
        st.error(str(error))
        return True
    _log.error("A page failed", exc_info=error)
    words = "" if is_ours(error, None) else "The code of a plugin failed here. "
    st.error(words + explain(error, None), icon=":material/error:")
    details(full_trace(error))
    return True


def details(trace: str) -> None:
    """Show a traceback, folded; nothing if it is empty."""
    if trace:
        with st.expander("Technical details"):
            st.code(trace, language=None, wrap_lines=True)
