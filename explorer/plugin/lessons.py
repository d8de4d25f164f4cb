"""A lesson as it is described: all that is known of it without its code."""

import inspect
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.lessons.lesson import Asks, Lesson, Need, Part, Source
from explorer.lessons.text import (
    Cited,
    Control,
    Figure,
    Guess,
    LessonText,
    LessonTextError,
    Section,
    Value,
    read_text,
)
from explorer.plugin.options import Option, read_options
from explorer.plugin.sources import Source as Plugin
from explorer.text import suggest

NAME = re.compile("[a-z0-9][a-z0-9-]{0,59}")
LANGUAGE = re.compile("[a-z]{2,3}(_[A-Z]{2})?")
RUN = "run"  # the control of a part that looks into a network: which one
FALLBACK = "en"  # the language that is shown where there is no text in the reader's


class LessonError(ExplorerError, ValueError):
    """A lesson cannot be used; the message says what would be right."""


class UnknownLessonError(ExplorerError, LookupError):
    """No loaded plugin offers a lesson of that name."""


@dataclass(frozen=True, slots=True)
class PartDescription:
    """A part without its code.

    Attributes:
        name: As in the text.
        options: Its controls.
        needs: As `Part` has it; so are the others.
        network: The architecture that is looked into at first.
        asks: What is guessed.
        low: The least number that can be guessed.
        high: The largest.
        unit: Of the number.
    """

    name: str
    options: tuple[Option, ...]
    needs: Need
    network: str
    asks: Asks
    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True)
class LessonDescription:
    """A lesson without its code.

    Attributes:
        name: In the address.
        texts: By language.
        parts: By name, in the lesson's order.
        sources: What is cited, by name.
        uses: The architectures whose networks its parts build.
        plugin: The plugin that offers it.
        fingerprint: A hash of the plugin's source.
    """

    name: str
    texts: Mapping[str, LessonText]
    parts: Mapping[str, PartDescription]
    sources: Mapping[str, Source]
    uses: tuple[str, ...]
    plugin: Plugin
    fingerprint: str

    @property
    def origin(self) -> str:
        """The plugin that offers it, as a person reads it."""
        return self.plugin.origin

    def text(self, language: str = FALLBACK) -> LessonText:
        """Return its text in a language, or else in English, or else in any."""
        for each in (language, language.partition("_")[0], FALLBACK):
            if each in self.texts:
                return self.texts[each]
        return next(iter(self.texts.values()))


def describe(lesson: Lesson, plugin: Plugin, fingerprint: str) -> LessonDescription:
    """Describe a lesson, and check that text and parts go together.

    Raises:
        LessonError: They do not; or a name, a text or a part cannot be used.
        OptionError: A control cannot be shown.
    """
    if not isinstance(lesson.name, str) or not NAME.fullmatch(lesson.name):
        raise LessonError(
            f"The name of a lesson has small letters, digits and hyphens, not {lesson.name!r}."
        )
    parts = {part.name: _part(part) for part in lesson.parts}
    if len(parts) != len(lesson.parts):
        raise LessonError(f"Two parts of the lesson {lesson.name} have one name.")
    texts = _texts(lesson)
    for language, text in texts.items():
        controls = [name for section in text.sections for name in section.names(Control)]
        try:
            if twice := next((each for each in controls if controls.count(each) > 1), None):
                raise LessonError(f"the control {twice} is in two claims; it can be in one.")
            for section in (text.lead, *text.sections):
                _check(section, parts, lesson.sources)
        except LessonError as error:
            raise LessonError(f"In the text {language} of {lesson.name}: {error}") from error
    return LessonDescription(
        lesson.name,
        texts,
        parts,
        dict(lesson.sources),
        tuple(lesson.uses),
        plugin,
        fingerprint,
    )


def split(name: str) -> tuple[str, str]:
    """Return the part and the rest of a slot's name, such as `deeper.accuracy`."""
    part, _, rest = name.partition(".")
    return part, rest


def _part(part: Part) -> PartDescription:
    if not isinstance(part, Part):
        raise LessonError(f"The parts of a lesson are a list of Part(function), not {part!r}.")
    given = list(inspect.signature(part.show).parameters.values())
    first = given[: 2 if part.needs else 1]
    if len(first) < (2 if part.needs else 1) or any(p.kind is p.KEYWORD_ONLY for p in first):
        wanted = "a bench and a session about a network" if part.needs else "a bench"
        raise LessonError(f"The function {part.name} should take {wanted} before its controls.")
    hints = typing.get_type_hints(part.show, include_extras=True)
    controls = [p.replace(annotation=hints.get(p.name, p.empty)) for p in given[len(first) :]]
    return PartDescription(
        part.name,
        read_options(controls),
        part.needs,
        part.network,
        part.asks,
        part.low,
        part.high,
        part.unit,
    )


def _texts(lesson: Lesson) -> dict[str, LessonText]:
    folder = Path(lesson.texts)
    found = {
        file.parent.name: read_text(file)
        for file in sorted(folder.glob(f"*/{lesson.name}.md"))
        if LANGUAGE.fullmatch(file.parent.name)
    }
    if not found:
        raise LessonError(
            f"The lesson {lesson.name} has no text; write one as "
            f"{folder / FALLBACK / lesson.name}.md."
        )
    return found


def _check(
    section: Section, parts: Mapping[str, PartDescription], sources: Mapping[str, Source]
) -> None:
    """Refuse slots of what there is not.

    Raises:
        LessonError: There is one.
    """
    for kind in (Value, Figure, Control, Guess):
        for name in section.names(kind):
            part, rest = split(name)
            if part not in parts:
                raise LessonError(f"there is no part {part!r}; {suggest(part, parts)}")
            names = [option.name for option in parts[part].options]
            names += [RUN] if parts[part].needs else []
            if kind is Control and rest not in names:
                raise LessonError(f"{part} has no control {rest!r}; {suggest(rest, names)}")
            if kind is Guess and not parts[part].asks:
                raise LessonError(f"the part {part} asks nothing; give it asks=….")
    for name in section.names(Cited):
        if name not in sources:
            raise LessonError(f"there is no source {name!r}; {suggest(name, sources)}")
    for guess in section.guesses():
        asks = parts[split(guess.name)[0]].asks
        if (asks == "choice") != (len(guess.choices) > 1):
            raise LessonTextError(
                f"the guess {guess.name} should have two choices or more, each after a bar, if "
                "a choice is asked for, and else none."
            )
