"""Changes the address in the browser without an entry in its history."""

from explorer.ui.components.component import component

_mount = component("address", "<div></div>")


def replace_address(before: str, after: str) -> None:
    """Replace what follows the question mark, if that still is what it was.

    Streamlit can add an entry only, and Back would then lead to the address that was corrected.

    Args:
        before: What it was, without what Streamlit itself reads there.
        after: What it should be.
    """
    _mount(data={"before": before, "after": after}, key="address")
