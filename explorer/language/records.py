"""Finds out what an English text of a record says, so that it can be said in another language.

Records and databases keep English texts, and a page shows them in the reader's language.
"""

import re
import string
from functools import cache, lru_cache
from typing import Any, NamedTuple

from explorer.language.catalogues import catalogue_file
from explorer.language.sentences import Sentence, again, listed, say
from explorer.language.spoken import ENGLISH, current, folder

_BETWEEN = re.compile(r"(?<=[.?!]) |; ")  # two sentences, or two notes
# Letters of a message's own: in all, or before its first place. What has less may be a part of any
# text.
_LEAST_LETTERS, _FIRST = 9, 5
# The formats of numbers, and what is written by them.
_NUMERIC = re.compile(r"[-+#]?[\d,.]*[defgn%]?")
_NUMBER = r"[-+]?(?:\d[\d,.]*(?:e[-+]?\d+)?%?|nan|inf)"


def recognise(text: str) -> str:
    """Return a text that was kept in English as a `Sentence`, if a catalogue has its message.

    Records and databases keep English texts, and a page shows them in the reader's language.
    """
    if isinstance(text, Sentence):
        return again(text)
    name = current()
    return text if name == ENGLISH else _recognised(name, text[:])


@lru_cache(maxsize=1000)
def _recognised(name: str, text: str) -> str:
    if known := _matched(name, text):
        return known
    # Several, such as two sentences, or the notes of a run.
    for mark in _BETWEEN.finditer(text):
        if first := _matched(name, text[: mark.start()]):
            rest = recognise(text[mark.end() :])
            if mark[0] == "; ":
                return listed([first, rest], say("; "))
            return say("{first} {second}", first=first, second=rest)
    return _matched(name, text, any_name=True) or text


def _matched(name: str, text: str, *, any_name: bool = False) -> Sentence | None:
    """Return a message of a catalogue with what stands in its places here, if there is one.

    Args:
        name: Of the language.
        text: In English.
        any_name: Whether what it begins with, if that is a place, may be a sentence of its own.
    """
    whole, patterns = _patterns(name)
    if known := whole.get(text):
        return Sentence(known.message, {}, known.number)
    for known, pattern in patterns:
        if known.words in text and (found := pattern.fullmatch(text)):
            values = found.groupdict()
            begins = values[known.begins] if known.begins else ""
            if any_name or not _BETWEEN.search(begins):
                kept = {place: _Kept(_value(value)) for place, value in values.items()}
                return Sentence(known.message, kept, known.number)
    return None


def _value(text: str) -> str:
    """Return a value of a kept message: what is one word may be a name, and stays as it is."""
    return recognise(text) if " " in text else text


class _Kept(str):
    """A value as it was formatted before."""

    def __format__(self, spec: str) -> str:
        return "".join(self)

    def __repr__(self) -> str:
        return "".join(self)


class _Known(NamedTuple):
    """A message of a catalogue.

    Attributes:
        message: For one, and for many if that depends on a number.
        number: Which chooses that of the two whose text it is.
        words: The longest of its words that no place interrupts.
        begins: The place that it begins with, if it does.
    """

    message: tuple[str, ...]
    number: int
    words: str
    begins: str


@cache
def _patterns(name: str) -> tuple[dict[str, _Known], list[tuple[_Known, re.Pattern[str]]]]:
    """Return the messages without places, by text, and what matches others, the longest first."""
    from babel.messages.pofile import read_po

    with catalogue_file(name).open("rb") as file:
        ids: list[Any] = [entry.id for entry in read_po(file, locale=folder(name)) if entry.id]
    messages: list[tuple[str, ...]] = [id if isinstance(id, tuple) else (id,) for id in ids]
    whole, found = dict[str, _Known](), []
    for message in messages:
        for index, text in enumerate(message):
            parts = list(string.Formatter().parse(text)) if _is_format(text) else []
            own = [words for words, *_ in parts]
            number = 1 if index == 0 and len(message) > 1 else 2
            begins = (parts[0][1] or "") if parts and not own[0] else ""
            known = _Known(message, number, max(own, key=len, default=""), begins)
            texts = [place for _, place, spec, _ in parts if place and not _is_number(place, spec)]
            if not any(place for _, place, *_ in parts):
                whole[text] = known
            elif _is_telling(own, has_texts=bool(texts)):
                found.append((len("".join(own)), known, text))
    found.sort(key=lambda each: -each[0])
    return whole, [(known, _pattern(text)) for _, known, text in found]


def _is_format(text: str) -> bool:
    """Return whether a message may have places; without values, braces are not special."""
    try:
        return all(
            place is None or place.isidentifier() for _, place, *_ in string.Formatter().parse(text)
        )
    except ValueError:
        return False


def _is_telling(own: list[str], *, has_texts: bool) -> bool:
    """Return whether the words of a message are enough to know it by."""
    letters = _letters("".join(own))
    return (
        letters >= _LEAST_LETTERS or _letters(own[0]) >= _FIRST or (letters > 0 and not has_texts)
    )


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _is_number(place: str, spec: str | None) -> bool:
    return place == "n" or bool(spec and _NUMERIC.fullmatch(spec))


def _pattern(text: str) -> re.Pattern[str]:
    parts, seen = list[str](), set()
    for words, place, spec, _ in string.Formatter().parse(text):
        parts.append(re.escape(words))
        if place is not None:
            what = _NUMBER if _is_number(place, spec) else ".*?"
            parts.append(f"(?P={place})" if place in seen else f"(?P<{place}>{what})")
            seen.add(place)
    return re.compile("".join(parts), re.DOTALL)
