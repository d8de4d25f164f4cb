"""Components of this app: their JavaScript and CSS are beside the Python that mounts them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


def component(name: str, html: str, *before: str) -> Any:
    """Register the component of `name.js` and `name.css`; return the function that mounts it.

    Args:
        name: Its name.
        html: What it begins with.
        before: The names of the scripts that it shares with others, such as `table`.
    """
    return st.components.v2.component(
        f"explorer_{name}",
        html=html,
        css=source("css", *before, name),
        js=source("js", *before, name),
    )


def source(kind: str, *names: str) -> str:
    """Return the CSS or the JavaScript of these names together; a component cannot import."""
    files = [_HERE / f"{name}.{kind}" for name in names]
    return "\n".join(file.read_text(encoding="utf-8") for file in files if file.exists())


def hearing(key: str, name: str, do: Callable[[Any], object]) -> Callable[[], None]:
    """Return the callback that hands on what a component says under a name.

    What somebody did may still be on its way when the component is taken from the page; then
    nothing is handed on.
    """

    def hear() -> None:
        said = st.session_state.get(key)
        value = said.get(name) if said is not None else None
        if value is not None:
            do(value)

    return hear
