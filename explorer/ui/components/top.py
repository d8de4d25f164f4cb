"""Begins a page at its top when all that is on it becomes something else."""

from explorer.ui.components.component import component

_mount = component("top", "<div></div>")


def begin_at_top(what: str) -> None:
    """Scroll up, as for a new page, if something else was shown before.

    Args:
        what: Identifies what is shown.
    """
    _mount(data=what, key="top")
