"""Components of this app: their JavaScript and CSS are beside the Python that mounts them."""

from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


def component(name: str, html: str) -> Any:
    """Register the component of `name.js` and `name.css`; return the function that mounts it."""
    return st.components.v2.component(
        f"explorer_{name}",
        html=html,
        css=(_HERE / f"{name}.css").read_text(encoding="utf-8"),
        js=(_HERE / f"{name}.js").read_text(encoding="utf-8"),
    )
