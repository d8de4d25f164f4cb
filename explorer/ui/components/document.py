"""Tells the browser in which language the page is, for screen readers, hyphenation and fonts."""

from explorer.ui.components.component import component

_mount = component("document", "<div></div>")


def set_document(language: str) -> None:
    """Set the language of the whole document, such as `zh-CN`."""
    _mount(data=language, key="document")
