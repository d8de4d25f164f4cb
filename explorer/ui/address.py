"""Widgets whose value stands in the address by another name than the one they show.

`bind="query-params"` writes what a widget shows, and a run shows its title, not its id.
"""

from collections.abc import Collection, Iterable
from typing import Any

import streamlit as st


def take(key: str, options: Collection[Any]) -> str | None:
    """Before the widget: give it what the address newly says, and nothing that it does not offer.

    Returns:
        What the address says, if it is no option.
    """
    asked, unknown = st.query_params.get(key), None
    if asked is not None and asked != st.session_state.get(_written(key)):
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
    put_all(key, [] if value is None else [str(value)])
    st.session_state[_written(key)] = None if value is None else str(value)


def put_all(key: str, values: Iterable[str]) -> None:
    """Write several values under one key."""
    if chosen := list(values):
        st.query_params[key] = chosen
    else:
        st.query_params.pop(key, None)


def _written(key: str) -> str:
    return f"{key} in the address"
