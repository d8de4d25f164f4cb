"""What a drawing of a network is made of, and how wide its text is.

Places are given along the *flow*, from the image to the classes, and *across* it.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal, Protocol, Self, TypeAlias, TypeVar

from explorer.text import cut

SIZE = 12  # pixels of a letter
LARGE = 15
LINE = 15  # pixels of a line of text
LONGEST = 84  # pixels of a word that may stay whole in a narrow place


@dataclass(frozen=True, slots=True)
class _Placed:
    flow: float
    across: float

    def moved(self, flow: float, across: float) -> Self:
        """Return it at another place."""
        return replace(self, flow=self.flow + flow, across=self.across + across)


@dataclass(frozen=True, slots=True)
class Rectangle(_Placed):
    """A rectangle; its place is its corner. It has the look of its style, else its hue."""

    length: float
    breadth: float
    style: str = ""
    hue: str = ""
    corner: float = 0


@dataclass(frozen=True, slots=True)
class Words(_Placed):
    """A line of text; its place is the middle of its height, at its start, middle or end."""

    text: str
    anchor: Literal["start", "middle", "end"] = "middle"
    style: str = ""


@dataclass(frozen=True, slots=True)
class Circle(_Placed):
    """A circle with a sign in it; its place is its centre."""

    radius: float
    sign: str


@dataclass(frozen=True, slots=True)
class Picture(_Placed):
    """A square picture, of which the place is the corner; its address is a data URI."""

    side: float
    address: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Anchor(_Placed):
    """Where what these parts gave comes out; it is not seen, and other lanes may begin there."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ribbon:
    """A line through points `(flow, across)`, smooth where it changes sides."""

    points: tuple[tuple[float, float], ...]
    thickness: float
    hue: str = ""
    macs: int = 0
    style: str = ""

    def moved(self, flow: float, across: float) -> Self:
        """Return it at another place."""
        return replace(self, points=tuple((f + flow, a + across) for f, a in self.points))


@dataclass(frozen=True, slots=True)
class Band:
    """An area between edges `(flow, across, across)`, smooth where it changes sides."""

    edges: tuple[tuple[float, float, float], ...]
    hue: str

    def moved(self, flow: float, across: float) -> Self:
        """Return it at another place."""
        edges = tuple((f + flow, low + across, high + across) for f, low, high in self.edges)
        return replace(self, edges=edges)


@dataclass(frozen=True, slots=True)
class Group:
    """Marks that belong together.

    Attributes:
        marks: The marks.
        title: What is shown under the pointer.
        style: Its classes.
        names: The names by which it can be opened, or the paths of the branch that it draws.
    """

    marks: tuple["Mark", ...]
    title: str = ""
    style: str = ""
    names: tuple[str, ...] = ()

    def moved(self, flow: float, across: float) -> Self:
        """Return it at another place."""
        return replace(self, marks=moved(self.marks, flow, across))


Mark: TypeAlias = Rectangle | Words | Circle | Picture | Anchor | Ribbon | Band | Group


class _Movable(Protocol):
    def moved(self, flow: float, across: float) -> Self: ...


_M = TypeVar("_M", bound=_Movable)


def moved(marks: Iterable[_M], flow: float, across: float) -> tuple[_M, ...]:
    """Return marks at another place."""
    return tuple(mark.moved(flow, across) for mark in marks)


def anchors(marks: Iterable[Mark]) -> dict[str, tuple[float, float]]:
    """Return the places of all anchors among marks, by the names of the parts."""
    found: dict[str, tuple[float, float]] = {}
    for mark in marks:
        if isinstance(mark, Anchor):
            found |= dict.fromkeys(mark.names, (mark.flow, mark.across))
        elif isinstance(mark, Group):
            found |= anchors(mark.marks)
    return found


_NARROW = frozenset("fijlrtI.,:;'|!()[]{}/\\ ·-–")
_WIDE = frozenset("mwMW@%…→")


def text_width(text: str, style: str = "") -> float:
    """Return how wide text is at most, in pixels, in Source Sans, Helvetica or Arial."""
    size = LARGE if style == "times" else SIZE
    return size * sum(map(_ems, text)) * (1.07 if style.startswith(("bold", "times")) else 1)


def _ems(letter: str) -> float:
    if letter in _NARROW:
        return 0.36
    if letter in _WIDE:
        return 0.95
    if letter.isascii() or letter in "×−":
        return 0.74 if letter.isupper() else 0.58
    if is_wide(letter) and unicodedata.category(letter) != "So":
        return 1.0
    return 1.1 if ord(letter) < 0x10000 else 1.5


def is_wide(letter: str) -> bool:
    """Return whether a letter is as wide as high, as those of Chinese are."""
    return unicodedata.east_asian_width(letter) in ("W", "F")


def cut_wide(text: str, room: int) -> str:
    """Shorten text to the room of so many Latin letters, of which a wide letter takes two."""
    ends = list(accumulate(1 + is_wide(letter) for letter in text))
    if not ends or ends[-1] <= room:
        return text
    return text[: max(1, bisect_right(ends, room - 1))] + "…"


def fitted(text: str, room: float, style: str = "") -> str:
    """Return text, cut so that it is at most `room` pixels wide."""
    length = len(text)
    while length > 1 and text_width(cut(text, length), style) > room:
        length -= 1
    return cut(text, length)


def wrapped(words: Sequence[str], room: float) -> list[str]:
    """Return lines of these words, with dots between those that share a line."""
    lines: list[str] = []
    for word in words:
        pieces = _pieces(word, max(room, LONGEST)) if text_width(word) > room else [("", word)]
        for place, (between, piece) in enumerate(pieces):
            joint = between if place else " · "
            if lines and text_width(f"{lines[-1]}{joint}{piece}") <= room:
                lines[-1] += f"{joint}{piece}"
            else:
                lines.append(fitted(piece, max(room, LONGEST)))
    return lines


_NEVER_FIRST = frozenset("，。、；：！？）》」』】”’…·%) ")  # on a line
_NEVER_LAST = frozenset("（《「『【“‘( ")


def _pieces(words: str, room: float) -> Iterator[tuple[str, str]]:
    """Yield what may be on lines of its own, each with what is between it and the one before.

    A line may end at a space, and beside a wide letter if what is between two spaces has no room.
    """
    for word in filter(None, re.split(r" (?!\d)", words)):
        between, begin = " ", 0
        for place in range(1, len(word) if text_width(word) > room else 0):
            before, after = word[place - 1], word[place]
            can_end = after not in _NEVER_FIRST and before not in _NEVER_LAST
            if can_end and (is_wide(before) or is_wide(after)):
                yield between, word[begin:place]
                between, begin = "", place
        yield between, word[begin:]
