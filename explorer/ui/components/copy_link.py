"""A button that copies a link to what the page shows."""

from collections.abc import Callable

from explorer.language import say
from explorer.ui.components.component import component

_mount = component(
    "copy_link",
    """
<button type="button" class="copy"></button>
<div class="by-hand" hidden><label><span></span> <input readonly></label></div>
<span class="said" role="status"></span>
""",
)


def copy_link(link: str, key: str, on_copied: Callable[[], None]) -> None:
    """Show the button.

    Args:
        link: Relative to the address of the page, such as `inside?net=1a2b3c`.
        key: Identifies the button.
        on_copied: Called when it was pressed.
    """
    words = {
        "copy": say("Copy link"),
        "byHand": say("Your browser does not let the page copy. Press Ctrl+C:"),
        "copied": say("Copied"),
    }
    _mount(data={"link": link, "words": words}, key=key, on_copied_change=on_copied)
