"""Images side by side, of each a crop large and the whole beside it; a click opens one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.ui.components.component import component, hearing

_mount = component("crops", '<div class="crops"></div>')


def crops(
    rows: Sequence[tuple[str, Sequence[Mapping[str, Any]]]],
    key: str,
    on_open: Callable[[int], object] | None = None,
) -> None:
    """Show images that `explorer.charts.exciting.tile` made.

    Args:
        rows: A heading, which may be empty, and the images below it.
        key: Identifies the crops.
        on_open: Called with the number of an image that was clicked.
            If there is none, nothing can be opened.
    """
    handlers: dict[str, Any] = {"on_open_change": hearing(key, "open", on_open)} if on_open else {}
    data = [{"heading": heading, "tiles": list(tiles)} for heading, tiles in rows]
    _mount(data={"rows": data, "opens": on_open is not None}, key=key, **handlers)
