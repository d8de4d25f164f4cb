"""Columns and lines of text in which some characters, as Chinese ones, are two columns wide."""

import re

_WIDE = (
    "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60"
    "\uffe0-\uffe6"
)
_EACH = re.compile(f"[{_WIDE}]")
# A line does not begin with the former, nor end with the latter.
_CLOSING, _OPENING = "、。〉》」』】〕！）．，：；？］｝", "〈《「『【〔（［｛"
_BREAK, _NO_BREAK = " ", "\0"


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) + len(_EACH.findall(text))


def padded(text: str, width: int) -> str:
    """Return a text with spaces after it, so that it takes `width` columns or more."""
    return text + " " * (width - columns(text))


def opened(text: str) -> str:
    """Return a text that is as many characters long as its columns, and breaks at spaces.

    Behind each wide character is one more, a space if a line may end there.
    """
    text = _EACH.sub(rf"\g<0>{_BREAK}", text)
    return re.sub(
        f"([{_OPENING}]){_BREAK}|([{_WIDE}]){_BREAK}(?=[{_CLOSING}])",
        rf"\1\2{_NO_BREAK}",
        text,
    )


def closed(text: str) -> str:
    """Return an `opened` text, whose lines may have been broken, as it was."""
    return re.sub(f"([{_WIDE}])[{_BREAK}{_NO_BREAK}]", r"\1", text)
