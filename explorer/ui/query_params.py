"""Keeps what a visitor chose in the address, so that a link shows what somebody saw.

`TABLE` has a row for each name that an address may have. A page shows itself within `of`. There,
`take` gives a widget what the address newly says, and `put` notes what is chosen; at the end all of
it is written at once, so each action is one entry in the browser's history. What is written since a
page was opened, or since the address said something new, is no action, and replaces the entry.

An address of which a page knows nothing, such as that of a link in the navigation, says nothing:
the page shows what it showed before. Any other says everything: what it leaves out is at its
default. What it says and cannot be used is at its default too, and a note names it.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

import streamlit as st

from explorer.ui.components.address import replace_address
from explorer.ui.words import code

_LARGEST = 2**53 - 1  # of whole numbers that a browser knows; and no limit is larger

MOST_NAMED = 3  # values that cannot be used, as a note names them
ANY = "*.*"  # the row of the options, which are named `architecture.option` or `recipe.field`


class Row(NamedTuple):
    """What an address may say.

    Attributes:
        name: In the address.
        page: The page whose address has it; of all pages, an empty text.
        type: What its value is, in words.
        default: The value that is left out of the address; `None` if it depends on others.
        help: What it chooses.
        alias: Another name under which it is read.
    """

    name: str
    page: str
    type: str
    default: Any
    help: str
    alias: str = ""


TABLE = (
    Row("run", "train", "ids, one each", None, "the runs on the chart"),
    Row("architecture", "train", "name", None, "the network to train"),
    Row("dataset", "train", "name", None, "its images"),
    Row("recipe", "train", "name", None, "how it is trained"),
    Row(
        ANY,
        "train",
        "number, word, true or false",
        None,
        "an option of the network, such as `residual-bn.width`, or a field of the recipe, such as "
        "`fast.epochs`",
    ),
    Row("net", "inside", "id", None, "the run whose network is looked at", alias="run"),
    Row("other", "inside", "id", None, "the run beside it"),
    Row("epoch", "inside", "whole number", None, "after which epoch; the last"),
    Row(
        "source",
        "inside",
        "`Test set`, `Draw` or `Upload`",
        "Test set",
        "the picture's source",
    ),
    Row(
        "filter",
        "inside",
        "`all`, `classified incorrectly`, `least confident` or a class",
        "all",
        "which test images are gone through",
    ),
    Row("image", "inside", "whole number", None, "the test image; the first"),
    Row("drawing", "inside", "packed", None, "what was drawn"),
    Row("picture", "inside", "packed", None, "what became of an uploaded picture"),
    Row("off", "inside", "paths, one each", None, "what is switched off"),
    Row("part", "inside", "name", None, "the opened part; the first block"),
    Row("scale", "inside", "`map`, `layer` or `model`", "layer", "within what colours compare"),
    Row("ask", "inside", "word", "Branches", "the question below the network"),
    Row("instead", "inside", "`zero` or `mean`", "zero", "what a branch that is off gives"),
    Row("shares", "inside", "name", None, "the block whose contributions are shown; the last"),
    Row("class", "inside", "number", None, "the class whose pixels are shown; the predicted one"),
    Row("cam", "inside", "name", None, "the layer of Grad-CAM; the last"),
    Row("filters", "inside", "name", None, "the layer whose filters are shown; the first"),
    Row("show", "plugins", "name", None, "what is looked at closely"),
)
DEFAULTS = {row.name: row.default for row in TABLE}


@dataclass(slots=True)
class _Visit:
    """What is known of the address while a page runs.

    Attributes:
        page: The page.
        said: What the address says, by name.
        known: What it may say without being news, by name: what it said, and what was written.
        written: What it should say, as far as the page has come.
        touched: The names that the page has come to.
        is_told: Whether it opened the page, and says everything.
        is_new: Whether the page was opened, or the address said something new.
        refused: What it says and cannot be used.
    """

    page: str
    said: dict[str, list[str]]
    known: dict[str, list[list[str]]] = field(default_factory=dict)
    written: dict[str, list[str]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    is_told: bool = False
    is_new: bool = False
    refused: list[str] = field(default_factory=list)


@contextlib.contextmanager
def of(page: str) -> Iterator[None]:
    """Show a page within, then write into the address what was chosen there.

    A name that the page did not come to stays as it is; one of another page is removed.
    """
    visit = _begin(page)
    place = st.empty()
    yield
    if visit.refused:
        place.caption(f":material/link_off: {_note(visit.refused)}")
    _write(visit)


def _begin(page: str) -> _Visit:
    said = {name: st.query_params.get_all(name) for name in st.query_params}
    for row in _rows(page):
        if row.alias and row.alias in said and row.name not in said:
            said[row.name] = said[row.alias]
    said = {name: values for name, values in said.items() if _belongs(name, page)}
    before = st.session_state.get(_VISIT)
    visit = _Visit(page, said, written=dict(said))
    if before is not None and before.page == page:
        visit.known = before.known
    else:
        visit.is_new, visit.is_told = True, bool(said)
    st.session_state[_VISIT] = visit
    return visit


_VISIT = "visit"  # session key


def _visit() -> _Visit:
    """Return the visit of the page that runs."""
    visit: _Visit = st.session_state[_VISIT]
    return visit


def news(name: str) -> list[str] | None:
    """Return what the address newly says; `None` if it says what it said, or what was written."""
    visit = _visit()
    visit.touched.add(name)
    said, known = visit.said.get(name, []), visit.known.get(name)
    if said in known if known is not None else not (said or visit.is_told):
        return None
    visit.known[name] = [said]
    visit.is_new = True
    return said


def refuse(name: str, said: str) -> None:
    """Note that what the address says cannot be used."""
    _visit().refused.append(f"{name}={said}")


class OneOf:
    """Values that are written as Python writes them.

    Args:
        options: The values.
    """

    def __init__(self, options: Collection[Any]) -> None:
        self._options = options

    def read(self, text: str) -> Any:
        """Return the value that is written so.

        Raises:
            ValueError: There is none.
        """
        for option in self._options:
            if text_of(option) == text:
                return option
        raise ValueError(text)

    def allows(self, value: Any) -> bool:
        """Return whether this is one of the values."""
        return value in self._options


class Number:
    """Numbers within limits.

    Args:
        type: `int` or `float`.
        low: The least, if there is one.
        high: The greatest, if there is one.
        is_optional: Whether an empty text is no number, and allowed.
    """

    def __init__(
        self,
        type: Callable[[str], int | float],
        low: float | None,
        high: float | None,
        *,
        is_optional: bool = False,
    ) -> None:
        self._type, self._low, self._high = type, low, high
        self._is_optional = is_optional

    def read(self, text: str) -> int | float | None:
        """Return the number that is written so.

        Raises:
            ValueError: It is none, or beyond the limits.
        """
        value = None if self._is_optional and not text else self._type(text)
        if not self.allows(value):
            raise ValueError(text)
        return value

    def allows(self, value: float | None) -> bool:
        """Return whether this number is within the limits."""
        if value is None:
            return self._is_optional
        low = -_LARGEST if self._low is None else self._low
        high = _LARGEST if self._high is None else self._high
        return low <= value <= high


def take(name: str, values: OneOf | Number, key: str = "") -> str | None:
    """Set a widget, before it is shown, to what the address newly says, if that can be used.

    If nothing can be used, or what was chosen before no longer can, there is nothing in the session
    for the widget, and it is at its default.

    Args:
        name: In the address.
        values: What can be used.
        key: The widget's, where it is not the name.

    Returns:
        What the address says, if it cannot be used.
    """
    key, unknown = key or name, None
    if (said := news(name)) is not None:
        st.session_state.pop(key, None)
        if said:
            try:
                st.session_state[key] = values.read(said[-1])
            except ValueError:
                unknown = said[-1]
                refuse(name, unknown)
    if key in st.session_state and not values.allows(st.session_state[key]):
        del st.session_state[key]
    return unknown


def put(name: str, value: object, default: object = None) -> None:
    """Note what is chosen.

    Args:
        name: In the address.
        value: What is chosen; `None` is nothing.
        default: What is left out, where the table does not say it.
    """
    left_out = DEFAULTS.get(name) if default is None else default
    put_all(name, [] if value is None or value == left_out else [value])


def put_all(name: str, values: Sequence[object]) -> None:
    """Note several values of one name."""
    visit = _visit()
    visit.touched.add(name)
    visit.written.pop(name, None)
    if values:
        visit.written[name] = [text_of(value) for value in values]


def drop_options() -> None:
    """Remove the options that the page did not come to: those of another network or recipe."""
    visit = _visit()
    for name in [name for name in visit.written if "." in name and name not in visit.touched]:
        del visit.written[name]


def text_of(value: object) -> str:
    """Write a value as an address has it: `true`, `3`, `0.01`; nothing for `None`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def link() -> str:
    """Return what follows the question mark of a link to what the page shows, as it is noted."""
    return urlencode(_in_order(_visit().written), doseq=True)


def is_embedded() -> bool:
    """Return whether a page of another site shows this one in a frame, by `?embed=true`."""
    return bool(st.context.is_embedded)


def _write(visit: _Visit) -> None:
    wanted = _in_order(visit.written)
    said = {name: st.query_params.get_all(name) for name in st.query_params}
    for name in visit.touched:
        written = wanted.get(name, [])
        # What was replaced may be said once more.
        before = [visit.said.get(name, [])] if visit.is_new else []
        visit.known[name] = [*before, written]
    if wanted == said:
        return
    if visit.is_new:
        replace_address(urlencode(said, doseq=True), urlencode(wanted, doseq=True))
    else:
        st.query_params.from_dict(wanted)


def _in_order(values: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return values in the order of the table, so that equal states have equal addresses."""
    order = [row.name for row in TABLE]

    def place(name: str) -> int:
        return order.index(name if name in order else ANY)

    return {name: values[name] for name in sorted(values, key=place)}


def _rows(page: str) -> Iterator[Row]:
    return (row for row in TABLE if row.page in ("", page))


def _belongs(name: str, page: str) -> bool:
    return any(row.name == name or (row.name == ANY and "." in name) for row in _rows(page))


def _note(refused: Sequence[str]) -> str:
    named = ", ".join(map(code, refused[:MOST_NAMED]))
    more = f" and {len(refused) - MOST_NAMED:,} more" if len(refused) > MOST_NAMED else ""
    return f"The address asks for {named}{more}, which cannot be used here; the default is shown."
