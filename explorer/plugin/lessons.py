"""A lesson as it is described: all that is known of it without its code."""

import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.lessons.lesson import Asks, Lesson, Need, Part, Source
from explorer.lessons.text import (
    Cited,
    Control,
    Figure,
    Guess,
    LessonText,
    LessonTextError,
    Slot,
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

# What is wrong in a text: in which line, and what is raised.
_Problem: TypeAlias = "tuple[int, LessonError | LessonTextError]"


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
    """Describe a lesson, and check that texts and parts go together.

    Raises:
        LessonError: They do not, or a text has other slots than that in English; or a name, a text
            or a part cannot be used.
        LessonTextError: A guess cannot be made.
        OptionError: A control cannot be shown.
    """
    if not isinstance(lesson.name, str) or not NAME.fullmatch(lesson.name):
        raise LessonError(
            say(
                "The name of a lesson has small letters, digits and hyphens, not {name}.",
                name=repr(lesson.name),
            )
        )
    parts = {part.name: _part(part) for part in lesson.parts}
    if len(parts) != len(lesson.parts):
        raise LessonError(say("Two parts of the lesson {name} have one name.", name=lesson.name))
    texts = _texts(lesson)
    first = FALLBACK if FALLBACK in texts else next(iter(texts))
    for language, text in texts.items():
        wrong = _problems(text, parts, lesson.sources)
        other = _differences(text, texts[first], _file(lesson, first))
        for line, error in chain(wrong, other):
            where = {"file": _file(lesson, language), "line": line}
            raise type(error)(say("In {file}, line {line}: {reason}", reason=error, **where))
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
        raise LessonError(
            say(
                "The parts of a lesson are a list of Part(function), not {given}.", given=repr(part)
            )
        )
    given = list(inspect.signature(part.show).parameters.values())
    first = given[: 2 if part.needs else 1]
    if len(first) < (2 if part.needs else 1) or any(p.kind is p.KEYWORD_ONLY for p in first):
        if part.needs:
            raise LessonError(
                say(
                    "The function {name} should take a bench and a session about a network before "
                    "its controls.",
                    name=part.name,
                )
            )
        raise LessonError(
            say("The function {name} should take a bench before its controls.", name=part.name)
        )
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
    found = {
        file.parent.name: read_text(file)
        for file in sorted(Path(lesson.texts).glob(f"*/{lesson.name}.md"))
        if LANGUAGE.fullmatch(file.parent.name)
    }
    if not found:
        raise LessonError(
            say(
                "The lesson {name} has no text; write one as {file}.",
                name=lesson.name,
                file=_file(lesson, FALLBACK),
            )
        )
    return found


def _file(lesson: Lesson, language: str) -> Path:
    return Path(lesson.texts) / language / f"{lesson.name}.md"


def _problems(
    text: LessonText, parts: Mapping[str, PartDescription], sources: Mapping[str, Source]
) -> Iterator[_Problem]:
    """Yield slots of what there is not, and controls that are in two claims."""
    seen: set[str] = set()
    for section in text.sections:
        controls = {slot.name: slot.line for slot in section.slots(Control)}
        for name, line in controls.items():
            if name in seen:
                yield (
                    line,
                    LessonError(
                        say("the control {name} is in two claims; it can be in one.", name=name)
                    ),
                )
        seen |= controls.keys()
    for section in (text.lead, *text.sections):
        for kind in (Value, Figure, Control, Guess):
            for slot in section.slots(kind):
                if error := _wrong(slot, parts):
                    yield slot.line, error
        for cited in section.slots(Cited):
            if cited.source not in sources:
                yield (
                    cited.line,
                    LessonError(
                        say(
                            "there is no source {name!r}; {meant}",
                            name=cited.source,
                            meant=suggest(cited.source, sources),
                        )
                    ),
                )


def _wrong(
    slot: Slot, parts: Mapping[str, PartDescription]
) -> LessonError | LessonTextError | None:
    """Return what is wrong with a slot, if something is."""
    name, rest = split(slot.name)
    if name not in parts:
        return LessonError(
            say("there is no part {name!r}; {meant}", name=name, meant=suggest(name, parts))
        )
    part = parts[name]
    names = [*(option.name for option in part.options), *([RUN] if part.needs else [])]
    if isinstance(slot, Control) and rest not in names:
        return LessonError(
            say(
                "{part} has no control {name!r}; {meant}",
                part=name,
                name=rest,
                meant=suggest(rest, names),
            )
        )
    if isinstance(slot, Guess) and not part.asks:
        return LessonError(say("the part {name} asks nothing; give it asks=….", name=name))
    if isinstance(slot, Guess) and (part.asks == "choice") != (len(slot.choices) > 1):
        return LessonTextError(
            say(
                "the guess {name} should have two choices or more, each after a bar, if a choice "
                "is asked for, and else none.",
                name=slot.name,
            )
        )
    return None


# How a text has the slots of a kind.
_WRITTEN: Mapping[type[Slot | Cited], str] = {
    Value: "{{%s}}",
    Figure: "{{figure: %s}}",
    Control: "{{control: %s}}",
    Guess: "{{guess: %s}}",
    Cited: "[[…|%s]]",
}


def _differences(text: LessonText, other: LessonText, file: Path) -> Iterator[_Problem]:
    """Yield how a text differs from that in English in what is computed, drawn, asked and cited.

    Args:
        text: The text.
        other: That in English, or the first that there is.
        file: Where that is.
    """
    own, others = (text.lead, *text.sections), (other.lead, *other.sections)
    if len(own) != len(others):
        last = own[min(len(own) - 1, len(others))]
        yield (
            last.line,
            LessonError(
                say(
                    "the text has {count} claims, and {file} has {wanted}.",
                    count=len(own) - 1,
                    file=file,
                    wanted=len(others) - 1,
                )
            ),
        )
    for section, its in zip(own, others, strict=False):
        for kind, written in _WRITTEN.items():
            names, wanted = section.names(kind), its.names(kind)
            for slot in section.slots(kind):
                if slot.name not in wanted:
                    yield (
                        slot.line,
                        LessonError(
                            say(
                                "{slot} is not in this claim in {file}.",
                                slot=written % slot.name,
                                file=file,
                            )
                        ),
                    )
            for slot in its.slots(kind):
                if slot.name not in names:
                    yield (
                        section.line,
                        LessonError(
                            say(
                                "this claim has no {slot}, which {file} has in line {line}.",
                                slot=written % slot.name,
                                file=file,
                                line=slot.line,
                            )
                        ),
                    )
        counts = {guess.name: len(guess.choices) for guess in its.guesses()}
        for guess in section.guesses():
            if len(guess.choices) != counts.get(guess.name):
                yield (
                    guess.line,
                    LessonError(
                        say(
                            "the guess {name} has {count} choices, and in {file} it has {wanted}.",
                            name=guess.name,
                            count=len(guess.choices),
                            file=file,
                            wanted=counts.get(guess.name, 0),
                        )
                    ),
                )
