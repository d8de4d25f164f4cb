"""The lanes of a block, drawn in the browser: pixels are read and branches switched there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.ui.components.component import component

_mount = component("lanes", '<div class="lanes"></div>')


def lanes(
    view: Mapping[str, Any],
    notes: Sequence[str],
    file: str,
    key: str,
    *,
    can_switch: bool,
    on_switch: Callable[[], None],
    on_open: Callable[[], None],
    on_part: Callable[[], None],
) -> None:
    """Draw a view that `explorer.charts.lanes` made.

    Args:
        view: The view.
        notes: Lines below the image, which stays in view; none where the page shows both elsewhere.
        file: The name of the saved picture, without its ending.
        key: Identifies the view.
        can_switch: Whether branches can be switched.
        on_switch: Called when a branch was switched; `st.session_state[key].switch` then has its
            `path` and whether it is `on`.
        on_open: Called when a map was clicked; `st.session_state[key].open` then has its `name` and
            `channel`.
        on_part: Called when a block within a branch was opened; `st.session_state[key].part` then
            is its name.
    """
    _mount(
        data={**view, "notes": list(notes), "file": file, "canSwitch": can_switch},
        key=key,
        on_switch_change=on_switch,
        on_open_change=on_open,
        on_part_change=on_part,
    )
