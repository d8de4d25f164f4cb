"""Buttons that walk through the parts of a network; the browser keeps the time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.language import say
from explorer.ui.components.component import component, hearing

_mount = component(
    "walk",
    """
<div class="walk" role="group">
  <div class="buttons">
    <button type="button" class="back">‹</button>
    <button type="button" class="play"></button>
    <button type="button" class="on">›</button>
  </div>
  <span class="place"></span>
  <span class="line" role="status"></span>
</div>
""",
    "fill",
)


def walk(
    steps: Sequence[str],
    at: int,
    line: str,
    key: str,
    on_step: Callable[[Mapping[str, Any]], object],
) -> None:
    """Show the buttons, and a line on the part that is open.

    Args:
        steps: The names of the parts in the order in which they are walked through.
        at: Which of them is open.
        line: What it does.
        key: Identifies the buttons.
        on_step: Called when another part is to be opened, with its `name` and whether it `plays`,
            which is no action of the visitor's.
    """
    words = {
        "walk": say("Step through"),
        "pause": say("Pause"),
        "back": say("Previous part"),
        "on": say("Next part"),
        "place": say("{at} of {count}"),
    }
    data = {"steps": list(steps), "at": at, "line": line, "words": words}
    _mount(data=data, key=key, on_step_change=hearing(key, "step", on_step))
