"""Keeps what a visitor chose in the address, so that a link shows what somebody saw.

`labs.address.TABLE` has a row for each name that an address may have. A page shows itself within
`of`. There, `take` gives a widget what the address newly says, and `put` notes what is chosen; at
the end all of it is written at once, so each action is one entry in the browser's history. What is
written since a page was opened, or since the address said something new, is no action, and replaces
the entry.

An address of which a page knows nothing, such as that of a link in the navigation, says nothing:
the page shows what it showed before. Any other says everything: what it leaves out is at its
default. What it says and cannot be used is at its default too, and a note names it.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.labs.address import ANY, BIG, LANGUAGE, TABLE, Row, belongs
from explorer.language import listed, say
from explorer.ui.components.address import replace_address
from explorer.ui.words import code

_LARGEST = 2**53 - 1  # of whole numbers that a browser knows; and no limit is larger

_VISIT, _PLAN, _EVERYWHERE = "visit", "plan", "everywhere"  # session keys
LESSON = "lesson"  # a name in the address
USUAL = "default"  # in an address of a lesson: not what the lesson says, but what is usual
MOST_NAMED = 3  # values that cannot be used, as a note names them
DEFAULTS = {row.name: row.default for row in TABLE}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a lesson says of a page; an address of it says how what is shown differs from that.

    Attributes:
        lesson: The lesson's name.
        page: The page.
        values: What the page shows, by name.
        controls: The names that an address may say otherwise.
    """

    lesson: str
    page: str
    values: Mapping[str, Sequence[str]]
    controls: Collection[str]

    def read(self, said: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Return what an address of the lesson says in full."""
        found = {name: list(values) for name, values in self.values.items()}
        for name in self.controls:
            if name in said:
                found[name] = [] if said[name] == [USUAL] else said[name]
        return {LESSON: [self.lesson], **{name: each for name, each in found.items() if each}}

    def write(self, written: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Return what an address of the lesson has to say."""
        found = {LESSON: [self.lesson]}
        for name in self.controls:
            values = written.get(name, [])
            if values != list(self.values.get(name, [])):
                found[name] = values or [USUAL]
        return found


@dataclass(slots=True)
class _Visit:
    """What is known of the address while a page runs.

    Attributes:
        page: The page.
        plan: What a lesson says of it.
        said: What the address says, by name; in a lesson, in full.
        known: What it may say without being news, by name: what it said, and what was written.
        written: What it should say, as far as the page has come.
        touched: The names that the page has come to.
        is_told: Whether it opened the page, and so says everything that is not known yet.
        is_new: Whether the page was opened, or the address said something new.
        listens: Whether what it says may be news: the page was opened, or Back was pressed, and the
            page has not come to its end since. At other times it may say what it said a moment ago,
            as an action was on its way when it was written.
        is_done: Whether the page came to its end.
        last: What was written last.
        refused: What it says and cannot be used.
        is_quiet: Whether what changed is no action of the visitor's.
    """

    page: str
    plan: Plan | None
    said: dict[str, list[str]]
    known: dict[str, list[list[str]]] = field(default_factory=dict)
    written: dict[str, list[str]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    is_told: bool = False
    is_new: bool = False
    listens: bool = True
    is_done: bool = False
    last: dict[str, list[str]] | None = None
    refused: list[str] = field(default_factory=list)
    is_quiet: bool = False


def follow(plan: Plan | None) -> None:
    """Let the page that runs be as a lesson says; as the address alone says without one."""
    st.session_state[_PLAN] = plan


def say_everywhere(values: Mapping[str, str | None]) -> None:
    """Let the address of every page say these values from now on; `None` is nothing."""
    st.session_state[_EVERYWHERE] = {name: [value] for name, value in values.items() if value}


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
    said = {
        name: values
        for name, values in said.items()
        if belongs(name, page) and name not in (LANGUAGE, BIG)
    }
    plan: Plan | None = st.session_state.get(_PLAN)
    if plan and plan.page != page:
        plan = None
    if plan:
        said = plan.read(said)
    before = st.session_state.get(_VISIT)
    visit = _Visit(page, plan, said, written=dict(said))
    if (
        before
        and before.page == page
        and (before.plan and before.plan.lesson) == (plan and plan.lesson)
    ):
        visit.known, visit.is_told, visit.last = before.known, before.is_told, before.last
        visit.listens = went_back() or (before.listens and not before.is_done)
    else:
        visit.is_new, visit.is_told = True, bool(said)
    if visit.is_new:
        standing = st.session_state.get(_EVERYWHERE, {})
        for name in (LANGUAGE, BIG):
            for value in st.query_params.get_all(name):
                if name not in standing:
                    visit.refused.append(f"{name}={value}")
    st.session_state[_VISIT] = visit
    return visit


def _visit() -> _Visit:
    """Return the visit of the page that runs."""
    visit: _Visit = st.session_state[_VISIT]
    return visit


def news(name: str) -> list[str] | None:
    """Return what the address newly says; `None` if it says what it said, or what was written."""
    visit = _visit()
    visit.touched.add(name)
    said, known = visit.said.get(name, []), visit.known.get(name)
    if known is None:
        # An option that it left out is one of another network, chosen since.
        is_news = bool(said) or (visit.is_told and (visit.is_new or "." not in name))
    else:
        is_news = visit.listens and said not in known
    if not is_news:
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


def replace_entry() -> None:
    """Let what the page writes replace the entry in the history: no visitor asked for it."""
    _visit().is_quiet = True


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
    return urlencode(_wanted(_visit()), doseq=True)


def went_back() -> bool:
    """Return whether the page runs since the browser's Back or Forward was pressed."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def is_embedded() -> bool:
    """Return whether a page of another site shows this one in a frame, by `?embed=true`."""
    return bool(st.context.is_embedded)


def _write(visit: _Visit) -> None:
    wanted = _wanted(visit)
    said = {name: st.query_params.get_all(name) for name in st.query_params}
    for name in visit.touched:
        written = visit.written.get(name, [])
        # What was replaced may be said once more.
        before = [visit.said.get(name, [])] if visit.is_new or visit.is_quiet else []
        visit.known[name] = [*before, written]
    visit.is_done = True
    is_written = wanted == said and visit.last in (None, wanted)
    earlier, visit.last = visit.last, wanted
    if is_written:
        return
    if visit.is_new:
        replace_address(urlencode(said, doseq=True), urlencode(wanted, doseq=True))
    elif visit.is_quiet:
        # The browser's part of Streamlit does not know what was replaced, and says it once more.
        there = said if earlier is None else earlier
        replace_address(urlencode(there, doseq=True), urlencode(wanted, doseq=True))
    else:
        st.query_params.from_dict(wanted)


def _wanted(visit: _Visit) -> dict[str, list[str]]:
    """Return what the address should say."""
    written = visit.plan.write(visit.written) if visit.plan else visit.written
    return _in_order({**written, **st.session_state.get(_EVERYWHERE, {})})


def _in_order(values: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return values in the order of the table, so that equal states have equal addresses."""
    order = [row.name for row in TABLE]

    def place(name: str) -> int:
        return order.index(name if name in order else ANY)

    return {name: values[name] for name in sorted(values, key=place)}


def _rows(page: str) -> Iterator[Row]:
    return (row for row in TABLE if row.page in ("", page))


def _note(refused: Sequence[str]) -> str:
    named = listed(list(map(code, refused[:MOST_NAMED])), ",")
    if len(refused) > MOST_NAMED:
        return say(
            "The address asks for {named} and {more:,} more, which cannot be used here; the "
            "default is shown.",
            named=named,
            more=len(refused) - MOST_NAMED,
        )
    return say(
        "The address asks for {named}, which cannot be used here; the default is shown.",
        named=named,
    )
