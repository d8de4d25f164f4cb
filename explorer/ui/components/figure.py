"""A small drawing of the explorer's own, in the page's colours."""

from explorer.ui.components.component import component

_mount = component("figure", '<div class="figure"></div>')


def figure(svg: str, key: str) -> None:
    """Show an SVG element; text in `currentColor` has the page's."""
    _mount(data=svg, key=key)
