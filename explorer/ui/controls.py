"""Which controls of a page are shown: all of them, or, in a frame or a lesson, those it names."""

from collections.abc import Callable, Collection
from typing import Any

import streamlit as st

_SHOWN = "shown controls"  # session key: their names; `None` is all


def show_only(names: Collection[str] | None) -> None:
    """Show these controls only, on the page that runs; `None` is all."""
    st.session_state[_SHOWN] = names


def is_shown(*names: str) -> bool:
    """Return whether one of these controls is shown."""
    shown = st.session_state.get(_SHOWN)
    return shown is None or any(name in shown for name in names)


def choose(name: str, widget: Callable[[], object], key: str = "") -> Any:
    """Show a control and return its value; of one that is hidden, return what the session has.

    Args:
        name: The control's, which is also its name in the address.
        widget: Shows it.
        key: The widget's, where it is not the name.
    """
    return widget() if is_shown(name) else st.session_state.get(key or name)
