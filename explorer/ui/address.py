"""Widgets whose value stands in the address by another name than the one they show.

`bind="query-params"` writes what a widget shows, and a run shows its title, not its id.
"""

from collections.abc import Collection, Iterable
from typing import Any

import streamlit as st


def take(key: str, options: Collection[Any]) -> str | None:
    """Before the widget: give it what the address says, and nothing that it does not offer.

    Returns:
        What the address says, if it is no option.
    """
    asked = st.query_params.get(key)
    unknown = None
    if key not in st.session_state and asked is not None:
        known = {str(option): option for option in options}
        if asked in known:
            st.session_state[key] = known[asked]
        else:
            unknown = asked
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    return unknown


def put(key: str, value: object) -> None:
    """After the widget: write its value into the address, or take it out if it is `None`."""
    if value is None:
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = str(value)


def put_all(key: str, values: Iterable[str]) -> None:
    """Write several values under one key."""
    chosen = list(values)
    if chosen:
        st.query_params[key] = chosen
    else:
        st.query_params.pop(key, None)
