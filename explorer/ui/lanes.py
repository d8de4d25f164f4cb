"""The lanes of a block, drawn in the browser: pixels are read and branches switched right there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "explorer_lanes",
    html='<div class="lanes"></div>',
    css=(_HERE / "lanes.css").read_text(encoding="utf-8"),
    js=(_HERE / "lanes.js").read_text(encoding="utf-8"),
)


def lanes(
    view: dict[str, Any], key: str, on_switch: Callable[[], None], on_open: Callable[[], None]
) -> Any:
    """Draw a view that `explorer.charts.lanes` made.

    Returns:
        What the visitor did since the last run of the page: `switch` is `{"path": …, "on": …}`,
        `open` is `{"name": …, "channel": …}`; either may be `None`.
    """
    return _mount(data=view, key=key, on_switch_change=on_switch, on_open_change=on_open)
