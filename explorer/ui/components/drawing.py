"""An SVG drawing whose named parts can be opened by a click or the Enter key."""

from collections.abc import Callable

from explorer.ui.components.component import component

_mount = component("drawing", '<div class="frame-of-it"><div class="drawing"></div></div>')


def drawing(svg: str, file: str, key: str, on_open: Callable[[], None]) -> None:
    """Show `svg`, which is saved as `file`; whatever has a `data-name` in it can be opened.

    The name is in `st.session_state[key].open` when `on_open` is called.
    """
    _mount(data={"svg": svg, "file": file}, key=key, on_open_change=on_open)
