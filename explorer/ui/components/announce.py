"""Tells who cannot see the page what changed on it, through the page's one live region."""

from explorer.ui.components.component import component

_mount = component("announce", "<div></div>", "region")


def announce(what: str, text: str) -> None:
    """Have a screen reader read a sentence, politely, when it is another than before.

    Args:
        what: Identifies what the sentence is about; what is first said of it is not read, since the
            page was just opened and is read itself.
        text: The sentence; may be empty.
    """
    _mount(data={"what": what, "text": text}, key=f"announce.{what}")
