"""The controls of a page: what each may be, its default, its address, and whether it shows.

In a frame or a lesson, only those show that it names.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import streamlit as st

from explorer.ui import query_params
from explorer.ui.query_params import Number, OneOf

_SHOWN = "shown controls"  # session key: their names; `None` is all


def show_only(names: Collection[str] | None) -> None:
    """Show these controls only, on the page that runs; `None` is all."""
    st.session_state[_SHOWN] = names


def is_shown(*names: str) -> bool:
    """Return whether one of these controls is shown."""
    shown = st.session_state.get(_SHOWN)
    return shown is None or any(name in shown for name in names)


def choose(
    name: str,
    values: OneOf | Number,
    default: Any,
    show: Callable[[Mapping[str, Any]], object],
    *,
    key: str = "",
    is_always_said: bool = False,
    is_folded: bool = False,
) -> Any:
    """Show a control and return its value, which is in the address unless it is the default.

    The value survives when the visitor goes to another page, back, and forward, and when the page
    is loaded again. What an address asks for and is not possible gives the default and a note. Of a
    control that is hidden, the value is that of the address or of the lesson.

    Args:
        name: The control's, which is also its name in the address.
        values: What can be chosen.
        default: What is chosen at first.
        show: Shows the widget, which takes these arguments beside its own.
        key: The widget's, where it is not the name.
        is_always_said: Whether the address has the default as well.
        is_folded: Whether it is in something that is closed, where a widget would cost time.
    """
    key = key or name
    query_params.take(name, values, key)
    st.session_state.setdefault(key, default)
    common = {"key": key, "persist_state": "session"}
    is_seen = is_shown(name) and not is_folded
    value = show(common) if is_seen else st.session_state[key]
    is_left_out = value == default and not is_always_said
    query_params.put_all(name, [] if is_left_out else [value])
    return value
