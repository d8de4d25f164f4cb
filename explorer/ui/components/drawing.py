"""A drawing of a network, an SVG whose parts can be opened by a click or the Enter key."""

from collections.abc import Callable
from typing import Any

from explorer.charts.browser import drawing_words
from explorer.ui.components.component import component, hearing

_mount = component(
    "drawing",
    """
<div class="around">
  <div class="drawing"></div>
  <div class="side back" hidden><button type="button">‹</button></div>
  <div class="side on" hidden><button type="button">›</button></div>
  <button type="button" class="fold" hidden></button>
  <div class="tools">
    <button type="button" class="data"></button><button type="button" class="save"></button>
  </div>
</div>
""",
    "table",
)


def drawing(
    svg: str,
    file: str,
    key: str,
    on_open: Callable[[str], object] | None = None,
    *,
    unfolded: bool = False,
    on_fold: Callable[[bool], object] | None = None,
) -> None:
    """Show a drawing that `explorer.charts.svg` made.

    Args:
        svg: The drawing.
        file: The name of the saved file, without its ending.
        key: Identifies the drawing.
        on_open: Called with the name of a part that was opened. If
            there is none, nothing can be opened.
        unfolded: Whether it draws equal parts one by one, and could draw them once.
        on_fold: Called when that is to change, with whether they are drawn once.
    """
    handlers: dict[str, Any] = {"on_open_change": hearing(key, "open", on_open)} if on_open else {}
    if on_fold:
        handlers["on_fold_change"] = hearing(key, "fold", on_fold)
    data = {"svg": svg, "file": file, "unfolded": unfolded, "words": drawing_words()}
    _mount(data=data, key=key, **handlers)
