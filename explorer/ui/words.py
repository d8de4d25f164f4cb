"""Puts text of others into Markdown as text: what an address, a plugin, a file or a run says.

Streamlit renders Markdown in what it shows, in labels, in help texts and in notes. Text of others
goes through `plain` or `code` on its way there, so that no link, picture, formula, icon or colour
comes of it. `tests/ui/test_words.py` finds what does not.
"""

import re

from explorer.language import again
from explorer.text import cut, visible

LONGEST_CODE = 120  # characters of text from an address that a sentence repeats
# Between two characters that would otherwise become one thing; it takes no room and breaks no line.
_JOINER = "\u2060"

_ESCAPED = re.compile(r"[\\`*\[\]<&$~|]|(?<![^\W_])_|_(?![^\W_])")
# A backslash does not help here: addresses and names of icons are looked for in what is left after
# backslashes were taken away.
_JOINED = re.compile(r":(?=\S)|@|(?i:www)(?=\.)")
_AT_THE_START = re.compile(r"[-+=#](?=[-+=#\s]|$)|>|\d+(?=[.)](?:\s|$))")


def plain(text: object) -> str:
    """Return Markdown, of one line, that shows this text as it is.

    Characters that cannot be seen and would change how the others are read are replaced by "�".
    """
    words = " ".join(visible(again(text)).split())
    words = _JOINED.sub(lambda found: found[0] + _JOINER, _ESCAPED.sub(r"\\\g<0>", words))
    start = _AT_THE_START.match(words)
    if start is None:
        return words
    mark = start[0]
    return f"{mark}\\{words[len(mark) :]}" if mark.isdigit() else f"\\{words}"


def bold(text: object, before: str, after: str) -> str:
    """Return Markdown, of one line, that shows this text in bold.

    Args:
        text: What is shown.
        before: What is before it on its line. Markdown takes no asterisks for bold between a letter
            and a sign, as in Chinese, which has no spaces there.
        after: What is after it.
    """
    words = plain(text)
    opening = _JOINER if before[-1:].isalnum() and not words[:1].isalnum() else ""
    closing = _JOINER if after[:1].isalnum() and not words[-1:].isalnum() else ""
    return f"**{opening}{words}{closing}**" if words else ""


def code(text: object) -> str:
    """Return Markdown, of one line, that shows this text in a fixed-width font, cut if it is long.

    The fence is longer than any row of backticks within, so that none of them ends it.
    """
    words = cut(" ".join(visible(again(text)).split()), LONGEST_CODE)
    longest = max(map(len, re.findall("`+", words)), default=0)
    fence = "`" * (longest + 1)
    # A space at both ends is taken away again; without one, a backtick would be part of the fence.
    room = " " if longest else ""
    return f"{fence}{room}{words}{room}{fence}" if words else ""


def prose(text: str) -> str:
    """Return Markdown that shows the text of a lesson: *emphasis*, `code` and lists are meant.

    Nothing else comes of it: no link, picture, formula, icon, heading or HTML.
    """
    return "\n".join(map(_line_of_prose, text.split("\n")))


def _line_of_prose(line: str) -> str:
    item = re.match(r"\s*(?:[-*] |\d+\. )", line)
    mark = item[0] if item else ""
    parts = re.split(r"(`[^`]+`|\*{1,2})", line[len(mark) :])
    return mark + "".join(
        _spaced(part) if not number % 2 else part if part[0] == "*" else code(part[1:-1])
        for number, part in enumerate(parts)
    )


def _spaced(text: str) -> str:
    """Return text as `plain` does, with the spaces at its ends, which words beside it need."""
    if not text.strip():
        return " " if text else ""
    return f"{' ' * text[:1].isspace()}{plain(text)}{' ' * text[-1:].isspace()}"


def paragraphs(text: str) -> str:
    """Return Markdown that shows a docstring as text: its paragraphs, and lines that were meant.

    Lines of a paragraph are joined, unless one of them is indented or begins with a mark of a list.
    """
    return "\n\n".join(map(_paragraph, filter(str.strip, re.split(r"\n\s*\n", text))))


def _paragraph(text: str) -> str:
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    if any(re.match(r"\s|[-*+•] |\d+[.)] ", line) for line in lines):
        return "  \n".join(map(plain, filter(None, lines)))
    return plain(text)
