"""A drawing of a network, an SVG whose parts can be opened by a click or the Enter key."""

from collections.abc import Callable
from typing import Any

from explorer.ui.components.component import component

_mount = component(
    "drawing",
    """
<div class="around">
  <div class="drawing"></div>
  <div class="side back" hidden><button type="button" aria-label="Scroll back">‹</button></div>
  <div class="side on" hidden><button type="button" aria-label="Scroll on">›</button></div>
  <button type="button" class="fold" hidden>Fold repeats</button>
  <button type="button" class="save">Save as SVG</button>
</div>
""",
)


def drawing(
    svg: str,
    file: str,
    key: str,
    on_open: Callable[[], None] | None = None,
    *,
    unfolded: bool = False,
    on_fold: Callable[[], None] | None = None,
) -> None:
    """Show a drawing that `explorer.charts.svg` made.

    Args:
        svg: The drawing.
        file: The name of the saved file, without its ending.
        key: Identifies the drawing.
        on_open: Called when a part was opened; `st.session_state[key].open` then is its name. If
            there is none, nothing can be opened.
        unfolded: Whether it draws equal parts one by one, and could draw them once.
        on_fold: Called when that is to change; `st.session_state[key].fold` then says whether they
            are drawn once.
    """
    handlers: dict[str, Any] = {"on_open_change": on_open} if on_open else {}
    if on_fold:
        handlers["on_fold_change"] = on_fold
    _mount(data={"svg": svg, "file": file, "unfolded": unfolded}, key=key, **handlers)
