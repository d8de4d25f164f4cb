"""Keeps the state of *Look inside* in the address, so that a link shows what somebody saw.

`bind="query-params"` writes what a widget shows, and a run shows its title, not its id. Here the
page itself writes the values, and takes over what the address says when it says something new: at
first, through a link, or by the browser's Back.
"""

import contextlib
import math
from collections.abc import Collection
from typing import Any, Literal

import streamlit as st
from streamlit.errors import StreamlitAPIException

NETWORK = "net"  # always there; without it the address is that of the bare page, and says nothing


def news(key: str) -> list[str] | None:
    """Return the values of `key` in the address, if the page did not write them there."""
    said = st.query_params.get_all(key)
    if NETWORK not in st.query_params or said == st.session_state.get(_written(key)):
        return None
    return said


def take(key: str, options: Collection[Any]) -> str | None:
    """Set a widget, before it is shown, to what a link says, if that is one of its options.

    Returns:
        What the address says, if it is no option.
    """
    unknown = None
    if (said := news(key)) is not None:
        known = {str(option): option for option in options}
        if said and said[0] in known:
            st.session_state[key] = known[said[0]]
        else:
            st.session_state.pop(key, None)
            unknown = said[0] if said else None
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    return unknown


def bound(key: str, *, may_be_empty: bool = False) -> Literal["query-params"] | None:
    """Return the `bind` of a widget of this key: none if what a link says is not for it.

    Streamlit takes "1e400" for a number, and then fails to make a whole one of it; and it takes
    nothing for a choice that is required. Without a bind it removes the key from the address, or
    this does.

    Args:
        key: The widget's key, and its name in the address.
        may_be_empty: Whether nothing is one of the widget's values.
    """
    said = st.query_params.get_all(key)
    if all(map(_is_usable, said)) and (may_be_empty or not said or any(said)):
        return "query-params"
    with contextlib.suppress(StreamlitAPIException):  # it was bound, and removes it itself
        st.query_params.pop(key)
    return None


def _is_usable(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return True  # Streamlit sees that it is no number, or it need not be one


def put(key: str, *values: object) -> None:
    """Write a widget's value into the address after it is shown; without one, remove the key."""
    texts = [str(value) for value in values if value is not None]
    if st.query_params.get_all(key) != texts:
        if texts:
            st.query_params[key] = texts
        else:
            st.query_params.pop(key, None)
    st.session_state[_written(key)] = texts


def _written(key: str) -> str:
    return f"{key} in the address"
