"""Buttons that walk through the parts of a network; the browser keeps the time."""

from collections.abc import Callable, Sequence

from explorer.ui.components.component import component

_mount = component(
    "walk",
    """
<div class="walk" role="group" aria-label="Step through">
  <div class="buttons">
    <button type="button" class="back" aria-label="Previous part">‹</button>
    <button type="button" class="play">Step through</button>
    <button type="button" class="on" aria-label="Next part">›</button>
  </div>
  <span class="place"></span>
  <span class="line" role="status"></span>
</div>
""",
)


def walk(steps: Sequence[str], at: int, line: str, key: str, on_step: Callable[[], None]) -> None:
    """Show the buttons, and a line on the part that is open.

    Args:
        steps: The names of the parts in the order in which they are walked through.
        at: Which of them is open.
        line: What it does.
        key: Identifies the buttons.
        on_step: Called when another part is to be opened; `st.session_state[key].step` then has its
            `name` and whether it `plays`, which is no action of the visitor's.
    """
    _mount(data={"steps": list(steps), "at": at, "line": line}, key=key, on_step_change=on_step)
