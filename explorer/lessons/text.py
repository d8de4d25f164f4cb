"""The text of a lesson: Markdown with named slots for what is computed, drawn or controlled.

    # Why Residual?

    A deeper network contains the shallower one, so it should never be worse.

    ## Deeper should not be worse, and is

    With {{layers}} layers, {{plain}} of the *training* images are classified correctly.

    {{control: layers}}
    {{figure: degradation}}

    The paper has [[27.94 %|he-2016]] for its plain network.

    > It would be refuted by a deeper plain network that fits its training images better.

A question that is answered before the figure is shown begins with its slot, and may end with what
can be chosen:

    {{guess: deeper}} Which one fits its training images better? | the shallow one | the deep one

No number is typed into a text: it is the value of a slot, computed on the spot or read from a
record, or it is cited, with the name of its source after the bar.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

from explorer.errors import ExplorerError
from explorer.language import say

_SLOT = re.compile(r"\{\{\s*(?:(figure|control|guess)\s*:\s*)?([^{}]*?)\s*\}\}")
_CITED = re.compile(r"\[\[([^\[\]|]+)\|([^\[\]|]+)\]\]")
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:[.-][a-z0-9_]+)*")
# What has digits and is a name: `code`, and sizes such as 3×3 or 1×28×28.
_NAMES_WITH_DIGITS = re.compile(r"`[^`]*`|\d+(?:×\d+)+")
_NUMBER = re.compile(r"[^\s(]*\d[^\s)]*")


class LessonTextError(ExplorerError, ValueError):
    """A lesson's text cannot be used; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for what has this name, and in which line of the text it is."""

    name: str
    line: int = field(default=0, compare=False, repr=False, kw_only=True)


class Value(Slot):
    """A slot in a paragraph for a value."""


@dataclass(frozen=True, slots=True)
class Cited:
    """Words that are cited from a source of this name, and in which line of the text they are."""

    words: str
    source: str
    line: int = field(default=0, compare=False, repr=False, kw_only=True)

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Markdown with values and citations in it."""

    parts: tuple[str | Value | Cited, ...]

    def fill(self, value: Callable[[str], str], cite: Callable[[str, str], str]) -> str:
        """Return the paragraph as Markdown.

        Args:
            value: Returns the value of a name, as Markdown.
            cite: Returns words with their source, as Markdown.
        """

        def shown(part: str | Value | Cited) -> str:
            if isinstance(part, Value):
                return value(part.name)
            return cite(part.words, part.source) if isinstance(part, Cited) else part

        return "".join(map(shown, self.parts))


class Figure(Slot):
    """A slot for a figure."""


class Control(Slot):
    """A slot for a control."""


@dataclass(frozen=True, slots=True)
class Guess(Slot):
    """A slot for a question that is answered before what it asks about is shown.

    Attributes:
        question: The question.
        choices: What can be chosen, in the order of their numbers; may be empty.
    """

    question: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuted:
    """What would refute the claim."""

    paragraph: Paragraph


Block: TypeAlias = Paragraph | Figure | Control | Guess | Refuted
S = TypeVar("S", bound=Slot | Cited)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a lesson: one claim, with what shows it.

    Attributes:
        title: The claim; for what stands before the first section, the lesson's question.
        blocks: What stands below it, in its order.
        line: In which line of the text it begins.
    """

    title: str
    blocks: tuple[Block, ...]
    line: int = field(default=0, compare=False, repr=False, kw_only=True)

    def slots(self, kind: type[S]) -> list[S]:
        """Return its slots of a kind, or what it cites."""
        found: list[str | Block | Value | Cited] = []
        for block in self.blocks:
            within = block.paragraph if isinstance(block, Refuted) else block
            found += within.parts if isinstance(within, Paragraph) else [within]
        return [slot for slot in found if isinstance(slot, kind)]

    def names(self, kind: type[Slot | Cited]) -> list[str]:
        """Return the names of its slots of a kind, or of the sources it cites, each once."""
        return list(dict.fromkeys(slot.name for slot in self.slots(kind)))

    def guesses(self) -> list[Guess]:
        """Return its questions."""
        return self.slots(Guess)


@dataclass(frozen=True, slots=True)
class LessonText:
    """A lesson's text in one language.

    Attributes:
        lead: Its question as a title, and its answer in a few sentences.
        sections: Its claims.
    """

    lead: Section
    sections: tuple[Section, ...]


def read_text(file: Path) -> LessonText:
    """Read the text of a lesson.

    Raises:
        LessonTextError: It cannot be read, or not be understood.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LessonTextError(
            say("{file} cannot be read as text in UTF-8: {reason}.", file=file, reason=error)
        ) from error
    try:
        return parse(text)
    except LessonTextError as error:
        raise LessonTextError(say("In {file}, {reason}", file=file, reason=error)) from None


def parse(text: str) -> LessonText:
    """Return a lesson's text from its Markdown.

    Raises:
        LessonTextError: It does not begin with a title, a slot is none, or one for a figure or a
            control is within a paragraph.
    """
    found: list[Section] = []
    title, blocks, begin = "", list[Block](), 1
    for line, lines in _chunks(text):
        heading = re.fullmatch(r"(#{1,2})\s+(.+)", lines[0]) if len(lines) == 1 else None
        if heading:
            if (len(heading[1]) == 1) != (not title):
                raise LessonTextError(
                    say(
                        "line {line}: a text has one title, `# …`, at its beginning; its claims "
                        "have `## …`.",
                        line=line,
                    )
                )
            if title:
                found.append(Section(title, tuple(blocks), line=begin))
            title, blocks, begin = heading[2].strip(), [], line
            continue
        if not title:
            raise _untitled(line)
        blocks += _blocks(line, lines)
    if not title:
        raise _untitled(1)
    lead, *sections = [*found, Section(title, tuple(blocks), line=begin)]
    return LessonText(lead, tuple(sections))


def _untitled(line: int) -> LessonTextError:
    return LessonTextError(say("line {line}: a text begins with its title, `# …`.", line=line))


def typed_numbers(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the words of each number that is neither a slot, nor cited, nor a name."""
    for number, line in enumerate(text.splitlines(), 1):
        rest = line
        for pattern in (_SLOT, _CITED, _NAMES_WITH_DIGITS):
            rest = pattern.sub(" ", rest)
        for match in _NUMBER.finditer(rest):
            yield number, match[0]


def _chunks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield runs of lines with nothing between them, each heading by itself; with line numbers."""
    begin, lines = 0, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if lines and (not line.strip() or line.startswith("#") or lines[0].startswith("#")):
            yield begin, lines
            lines = []
        if line.strip():
            begin = begin if lines else number
            lines.append(line.rstrip())


def _blocks(line: int, lines: list[str]) -> Iterator[Block]:
    if all(text.startswith(">") for text in lines):
        yield Refuted(_paragraph(line, [text[1:].strip() for text in lines]))
        return
    words: list[str] = []
    for number, text in enumerate(lines, line):
        slot = _SLOT.match(text.strip())
        is_whole = slot is not None and slot.end() == len(text.strip())
        if slot and (slot[1] == "guess" or (slot[1] and is_whole)):
            if words:
                yield _paragraph(number - len(words), words)
                words = []
            yield _block(number, slot, text.strip()[slot.end() :])
        else:
            words.append(text)
    if words:
        yield _paragraph(line + len(lines) - len(words), words)


def _block(line: int, slot: re.Match[str], rest: str) -> Block:
    name = _name(line, slot[2])
    if slot[1] != "guess":
        return (Figure if slot[1] == "figure" else Control)(name, line=line)
    question, *choices = (words.strip() for words in rest.split("|"))
    if not question or not all(choices):
        raise LessonTextError(
            say(
                "line {line}: a guess has its question after it, as in {slot} How many?",
                line=line,
                slot="{{guess: part}}",
            )
        )
    return Guess(name, question, tuple(choices), line=line)


def _paragraph(line: int, lines: list[str]) -> Paragraph:
    parts: list[str | Value | Cited] = []
    for number, text in enumerate(lines, line):
        end = 0
        for match in sorted((*_SLOT.finditer(text), *_CITED.finditer(text)), key=_start):
            parts.append(_plain(number, text[end : match.start()]))
            if match.re is _CITED:
                source = _name(number, match[2].strip())
                parts.append(Cited(match[1].strip(), source, line=number))
            elif match[1]:
                raise LessonTextError(
                    say(
                        "line {line}: {slot} should be alone on its line, since it is no part of a "
                        "sentence.",
                        line=number,
                        slot=match[0],
                    )
                )
            else:
                parts.append(Value(_name(number, match[2]), line=number))
            end = match.end()
        is_last = number == line + len(lines) - 1
        parts.append(_plain(number, text[end:]) + ("" if is_last else "\n"))
    return Paragraph(tuple(part for part in parts if part))


def _start(match: re.Match[str]) -> int:
    return match.start()


def _plain(line: int, text: str) -> str:
    for mark, example in (("{{", "{{name}}"), ("}}", "{{name}}"), ("[[", "[[words|source]]")):
        if mark in text:
            raise LessonTextError(
                say(
                    "line {line}: {mark} begins or ends a slot, such as {example}.",
                    line=line,
                    mark=mark,
                    example=example,
                )
            )
    return text


def _name(line: int, text: str) -> str:
    if not _NAME.fullmatch(text):
        raise LessonTextError(
            say(
                "line {line}: {name!r} cannot be a name; use small letters, digits, and - or . "
                "between them.",
                line=line,
                name=text,
            )
        )
    return text
