"""The arithmetic of one unit, drawn in the browser, where it follows the pointer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.language import say
from explorer.ui.components.component import component, hearing

_mount = component("unit", '<section class="unit"></section>', "fill")


def unit(
    drawn: Mapping[str, Any],
    facts: Sequence[str],
    key: str,
    *,
    id: str,
    at: Sequence[int] | None,
    scroll: bool,
    switch: Mapping[str, Any] | None,
    on_open: Callable[[Mapping[str, Any]], object],
    on_unit: Callable[[Mapping[str, Any]], object],
    on_switch: Callable[[Mapping[str, Any]], object],
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
        on_open: Called when another map was asked for, with its `name` and `channel`.
        on_unit: Called when a unit was chosen, with its `y` and `x`.
        on_switch: Called when the channel was switched, with its `path` and whether it is `on`.
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
            "words": _words(),
        },
        key=key,
        on_open_change=hearing(key, "open", on_open),
        on_unit_change=hearing(key, "unit", on_unit),
        on_switch_change=hearing(key, "switch", on_switch),
        on_close_change=on_close,
    )


def _words() -> Mapping[str, str]:
    """Return what the browser says; it fills the named places, and draws what is in `<i>` paler."""
    return {
        "title": say("Arithmetic"),
        # The head.
        "channel": say("channel {channel}<i> of 0 to {last}</i>"),
        "before": say("Channel before"),
        "after": say("Channel after"),
        "isOn": say("This channel is on"),
        "on": say("on"),
        "off": say("off"),
        "close": say("Close"),
        # The map, and where the unit is.
        "map": say("{part}, channel {channel}: {height}×{width}; arrow keys move the unit"),
        "play": say("Play"),
        "stop": say("Stop"),
        "slides": say("Slide the window over the map"),
        "at": say("row {row}, column {column}"),
        "spoken": say("Row {row}, column {column}: {steps} = {value}"),
        "readBy": say("<i>Read by </i>{parts}"),
        "readByMore": say("<i>Read by </i>{parts} and {count} more"),
        # What it reads.
        "oneMap": say("It reads one map"),
        "maps": say("It reads {count} maps"),
        "largest": say("largest product first"),
        "byChannel": say("by channel"),
        "values": say("values"),
        "weights": say("weights"),
        "rest": say("and {count} more, together"),
        "more": say("Show {count} more"),
        "open": say("Open this map"),
        # Its arithmetic.
        "inputs": say("Σ of {count} inputs"),
        "inputsOfProducts": say("Σ of {count} inputs × {height}×{width} products"),
        "product": say("Σ of 1 product"),
        "products": say("Σ of {count} products"),
        "others": say("the other {count} inputs"),
        "bias": say("+ bias"),
        "largestOf": say("the largest of {values}"),
        "largestOfMany": say("the largest of {count} values"),
        "sum": say("Σ of {count} values"),
        "where": say("{formula} at x = {value}"),
        "padded": say("padded: of no map"),
        "copied": say("copied from {name}, row {row}, column {column}"),
        "isOff": say("this channel is switched off"),
        "rounded": say("computed in lower precision, so not to the last digit"),
        # What is listed, and sentences one after the other.
        "comma": say(", "),
        "then": say("{first} {second}"),
    }
