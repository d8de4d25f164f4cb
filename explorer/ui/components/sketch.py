"""Axes over which a visitor draws a curve by hand: one height at each place of the axis below."""

import math
from collections.abc import Callable, Sequence

import streamlit as st

from explorer.language import say
from explorer.ui.components.component import component

_HTML = """
<svg class="sheet" tabindex="0" role="application"></svg>
<div class="buttons">
  <button type="button" class="done"></button>
  <button type="button" class="clear"></button>
</div>
"""

_mount = component("sketch", _HTML)


def sketch(
    key: str,
    *,
    x: Sequence[float],
    x_title: str,
    y_title: str,
    low: float,
    high: float,
    percent: bool,
    on_drawn: Callable[[], None],
) -> None:
    """Show the axes.

    Args:
        key: Identifies them.
        x: The places at which the curve has a height, in order.
        x_title: What the places are.
        y_title: What the heights are.
        low: The least height.
        high: The largest.
        percent: Whether heights are shares that are written in percent.
        on_drawn: Called when the curve is given as the guess; `sketched` then returns it.
    """
    words = {
        "sheet": say("Draw {y} for each {x}; arrow keys move a point", x=x_title, y=y_title),
        "axis": x_title,
        "done": say("That is my guess"),
        "clear": say("Clear"),
    }
    _mount(
        data={"x": list(x), "low": low, "high": high, "percent": percent, "words": words},
        key=key,
        on_drawn_change=on_drawn,
    )


def sketched(key: str, count: int, low: float, high: float) -> list[float] | None:
    """Return the heights that were drawn; `None` if what the browser sent is no such curve."""
    given = (st.session_state.get(key) or {}).get("drawn")
    if not isinstance(given, list) or len(given) != count:
        return None
    if not all(isinstance(y, int | float) and math.isfinite(y) for y in given):
        return None
    return [min(high, max(low, float(y))) for y in given]
