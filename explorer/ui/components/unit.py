"""The arithmetic of one unit, drawn in the browser, where it follows the pointer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.ui.components.component import component

_mount = component("unit", '<section class="unit" aria-label="Arithmetic"></section>')


def unit(
    drawn: Mapping[str, Any],
    facts: Sequence[str],
    key: str,
    *,
    id: str,
    at: Sequence[int] | None,
    scroll: bool,
    switch: Mapping[str, Any] | None,
    on_open: Callable[[], None],
    on_unit: Callable[[], None],
    on_switch: Callable[[], None],
    on_close: Callable[[], None],
) -> None:
    """Show what `explorer.charts.unit` made of a channel.

    Args:
        drawn: What it made.
        facts: Sentences below.
        key: Identifies the panel.
        id: Changes with what is drawn.
        at: The row and the column of the unit; the middle if `None`.
        scroll: Whether the panel comes into view if it is a new one.
        switch: The `path` of the channel's switch and whether it is `on`; `None` if it has none.
        on_open: Called when another map was asked for; `st.session_state[key].open` then has its
            `name` and `channel`.
        on_unit: Called when a unit was chosen; `st.session_state[key].unit` then has its `y` and
            `x`.
        on_switch: Called when the channel was switched; `st.session_state[key].switch` then has its
            `path` and whether it is `on`.
        on_close: Called when the panel was closed.
    """
    _mount(
        data={
            **drawn,
            "facts": list(facts),
            "id": id,
            "unit": None if at is None else list(at),
            "scroll": scroll,
            "switch": switch,
        },
        key=key,
        on_open_change=on_open,
        on_unit_change=on_unit,
        on_switch_change=on_switch,
        on_close_change=on_close,
    )
