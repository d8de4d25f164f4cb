"""Sentences: texts that know their message and values, and so can be said in any language."""

import re
import string
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from numbers import Real
from typing import Any, TypeVar

from explorer.language.authors import authored
from explorer.language.catalogues import catalogue, symbols, translated
from explorer.language.spoken import ENGLISH, current, speaking

_Text = TypeVar("_Text", bound=str)  # may be a literal
# What may be said of how a value is written: `.1%`, `capital`.
_SPEC = re.compile(r"[a-z]*|[-+<>^,~]{0,2}\d{0,2}[-+,]?(?:\.\d{1,2})?[a-z%]?")
_AUTHORS = -1  # in place of the number of a `Sentence`: its message is a text of an author


class Sentence(str):
    """Text that knows its message and its values, and so can be said in another language.

    Attributes:
        message: The English message; or, for one that depends on a number, that for one and that
            for many.
        values: What stands in its named places.
        number: The number that chooses between one and many.
        language: In which it is said.
    """

    message: tuple[str, ...]
    values: Mapping[str, Any]
    number: int
    language: str

    def __new__(  # noqa: D102
        cls, message: tuple[str, ...], values: Mapping[str, Any], number: int = 0
    ) -> "Sentence":
        self = super().__new__(cls, _formatted(message, values, number))
        self.message, self.values, self.number = message, values, number
        self.language = current()
        return self

    def __str__(self) -> str:
        return self  # so that `str(error)` knows it too

    def __reduce__(self) -> tuple[Any, ...]:
        return Sentence, (self.message, dict(self.values), self.number)

    def __format__(self, spec: str) -> str:
        change = _CHANGES.get(spec)
        return change(self[:]) if change else super().__format__(spec)


class Recorded(str):
    """An English text of a record; who shows it, `again`, has it said as `recognise` knows it."""

    language = ""  # which is to be found out where it is said

    def __str__(self) -> str:
        return self


# How a sentence may stand within another: formats such as `{reason:bare}`.
_CHANGES: Mapping[str, Callable[[str], str]] = {
    "capital": lambda text: text[:1].upper() + text[1:],
    "small": lambda text: text[:1].lower() + text[1:],
    "bare": lambda text: text.rstrip(".。"),
}


def say(message: str, /, **values: object) -> str:
    """Return a message in the spoken language.

    Args:
        message: In English, with named places as `str.format` has them: `{name}`, `{share:.1%}`.
        values: What stands in these places.
    """
    return Sentence((message,), _plain(values))


def plural(one: str, many: str, number: int, /, **values: object) -> str:
    """Return the message for one or for many, in which `{n}` is the number.

    Args:
        one: For one, in English.
        many: For any other number.
        number: How many.
        values: What stands in other named places.
    """
    return Sentence((one, many), _plain({"n": number, **values}), number)


def later(message: _Text) -> _Text:
    """Mark a message of a constant, which `say` says when it is shown."""
    return message


def again(text: object) -> str:
    """Return a text in the spoken language, if it is a `Sentence` or an error that says one."""
    text = str(text)
    if isinstance(text, Recorded):
        from explorer.language.records import recognise  # which makes sentences

        return recognise(text)
    if not isinstance(text, Sentence):
        return text
    values = {
        place: again(value) if isinstance(value, Sentence | Recorded) else value
        for place, value in text.values.items()
    }
    return Sentence(text.message, values, text.number)


def author(text: str) -> str:
    """Return a text of a plugin's author in the spoken language, if the plugin has it so."""
    return again(text) if isinstance(text, Sentence) else Sentence((text,), {}, _AUTHORS)


def english(text: object) -> str:
    """Return a text as it is kept in records and logs, which are English."""
    with speaking(ENGLISH):
        return again(text)[:]  # no `Sentence`


def listed(items: Sequence[str], last: str = "", comma: str = "") -> str:
    """Return `a, b and c`.

    Args:
        items: What is listed.
        last: What is between the last two, such as `say(" or ")`; commas only if it is `,`.
        comma: What is between others, such as `say("; ")`.
    """
    comma = comma or say(", ")
    last = comma if last == "," else last or say(" and ")
    if len(items) < 2:
        return items[0] if items else ""
    values = {f"item{place}": item for place, item in enumerate(items)}
    places = [f"{{item{place}}}" for place in range(len(items))]
    message = "{comma}".join(places[:-1]) + "{last}" + places[-1]
    return Sentence((message,), _plain({**values, "comma": comma, "last": last}))


def capital(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return _changed(text, "capital")


def small(text: str) -> str:
    """Return a text that begins with a small letter."""
    return _changed(text, "small")


def bare(text: str) -> str:
    """Return a text without the full stop at its end."""
    return _changed(text, "bare")


def _changed(text: str, how: str) -> str:
    if isinstance(text, Sentence):
        return Sentence((f"{{text:{how}}}",), {"text": text})
    return _CHANGES[how](text)


def _formatted(message: tuple[str, ...], values: Mapping[str, Any], number: int) -> str:
    name = current()
    if number == _AUTHORS:
        return authored(name, *message)
    one, *many = message
    known = catalogue(name)
    text = known.ngettext(one, many[0], number) if many else translated(known, one)
    if not values or not has_plain_places(text):
        return text
    said = {
        place: value if getattr(value, "language", name) == name else again(value)
        for place, value in values.items()
    }
    if own := symbols(name):
        return _Formatter(own).vformat(text, (), said)
    return text.format(**said)


@lru_cache(maxsize=10_000)
def has_plain_places(text: str) -> bool:
    """Return whether a message names its values, and asks for nothing else of them.

    A sentence may come from a process in which a plugin's code runs. A place such as
    `{x.__class__}` would read what is in this one, and `{x:999999999}` would fill its memory.
    """
    try:
        places = [place for place in string.Formatter().parse(text) if place[1] is not None]
    except ValueError:
        return False
    return all(
        str(name).isidentifier() and conversion in (None, "r", "s") and _SPEC.fullmatch(spec or "")
        for _, name, spec, conversion in places
    )


class _Formatter(string.Formatter):
    """Formats numbers with the symbols of a language."""

    def __init__(self, symbols: Mapping[int, str]) -> None:
        self._symbols = symbols

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        return text.translate(self._symbols) if isinstance(value, Real) else text


def _plain(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values that can go to another process; an error is what it says."""
    return {
        name: value if isinstance(value, str | Real) else str(value)
        for name, value in values.items()
    }
