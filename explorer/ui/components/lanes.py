"""The lanes of a block, drawn in the browser: pixels are read and branches switched there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.charts.browser import lanes_words
from explorer.ui.components.component import component, hearing

_mount = component("lanes", '<div class="lanes"></div>', "fill", "region", "table")


def lanes(
    view: Mapping[str, Any],
    notes: Sequence[str],
    file: str,
    key: str,
    *,
    can_switch: bool,
    on_switch: Callable[[Mapping[str, Any]], object],
    on_open: Callable[[Mapping[str, Any]], object],
    on_part: Callable[[str], object],
) -> None:
    """Draw a view that `explorer.charts.lanes` made.

    Args:
        view: The view.
        notes: Lines below the image, which stays in view; none where the page shows both elsewhere.
        file: The name of the saved picture, without its ending.
        key: Identifies the view.
        can_switch: Whether branches can be switched.
        on_switch: Called when a branch was switched, with its `path` and whether it is `on`.
        on_open: Called when a map was clicked, with its `name` and `channel`.
        on_part: Called with the name of a block within a branch that was opened.
    """
    _mount(
        data={
            **view,
            "notes": list(notes),
            "file": file,
            "canSwitch": can_switch,
            "words": lanes_words(),
        },
        key=key,
        on_switch_change=hearing(key, "switch", on_switch),
        on_open_change=hearing(key, "open", on_open),
        on_part_change=hearing(key, "part", on_part),
    )
