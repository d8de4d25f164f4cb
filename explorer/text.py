"""Wording that several rooms share."""

import difflib
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date

from explorer.language import later, listed, plural, say

_MONTHS = (
    *(later("January"), later("February"), later("March"), later("April"), later("May")),
    *(later("June"), later("July"), later("August"), later("September"), later("October")),
    *(later("November"), later("December")),
)
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown `name`: what was meant, or what there is."""
    names = list(known)
    if close := difflib.get_close_matches(name, names, n=1):
        return say("did you mean {name!r}?", name=close[0])
    if not names:
        return say("there is none.")
    return plural("there is {names}.", "there are {names}.", len(names), names=listed(names, ","))


def dimensions(shape: Sequence[int]) -> str:
    """Write a shape: `1×28×28`."""
    return "×".join(map(str, shape))


def percent(share: float) -> str:
    """Write a probability, 0–1, in percent; never as 100 %, since a softmax never gives 1."""
    if share < 0.9995:
        return say("{number:.1f} %", number=100 * share)
    return say(">{number:.1f} %", number=99.9)


def significant(value: float, digits: int = 2) -> str:
    """Write a number with so many significant digits, very small and large ones as 3×10⁻⁹."""
    if not value or not math.isfinite(value) or 0.001 <= abs(value) < 100_000:
        return f"{float(f'{value:.{digits}g}'):g}".replace("-", "−")
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{float(mantissa):g}".replace("-", "−") + f"×10{str(int(power)).translate(_RAISED)}"


def thousands(number: int) -> str:
    """Write a large number with three digits: `1.41 M`, `23 k`."""
    if number >= 1e6:
        return say("{number:.3g} M", number=number / 1e6)
    return say("{number:.3g} k", number=number / 1e3) if number >= 1e3 else str(number)


def signed(value: float, places: int) -> str:
    """Write a difference with its sign, and with a minus sign in place of a hyphen: `−0.50`."""
    text = f"{value:+.{places}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def date_words(day: date) -> str:
    """Write a date: `5 March 2026`."""
    month = say(_MONTHS[day.month - 1])
    return say("{day} {month} {year}", day=day.day, month=month, year=day.year)


def cut(text: str, room: int) -> str:
    """Shorten `text` to `room` characters, the last of them an ellipsis."""
    return text if len(text) <= room else text[: max(1, room - 1)] + "…"


def on_one_line(text: str) -> str:
    """Return a text on one line as `visible` does; a `Sentence` that needs no change stays one."""
    line = " ".join(visible(text).split())
    return text if line == text else line


def visible(text: str) -> str:
    """Return a text with "�" for each character that cannot be seen and changes how others read.

    These are control characters other than line breaks and tabs, half of a surrogate pair, and what
    turns the direction of writing or takes no room. Joiners stay within words of scripts, and
    emoji, that need them; of accents on one letter, four stay.
    """
    if text.isascii() and text.isprintable():
        return text
    text = re.sub("[\u2028\u2029]", "\n", text)
    return _MANY_ACCENTS.sub(r"\1", "".join(map(_shown, text, f" {text}", f"{text[1:]} ")))


# Unicode's blocks of combining marks, and those that scripts use beside vowels are few.
_MANY_ACCENTS = re.compile(
    r"([\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{4})"
    r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)
_JOINERS = "\u200c\u200d"


def _shown(character: str, before: str, after: str) -> str:
    if character in "\n\t":
        return character
    if character in _JOINERS and before > "\u02ff" and after > "\u02ff":
        return character if unicodedata.category(after) not in ("Cf", "Cc") else "�"
    return "�" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character
