"""Checks a lesson: every part computes what the text needs, and no number is typed."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from explorer.checks.findings import Found, Report, place_of, run_check
from explorer.errors import explain, place
from explorer.language import listed, say
from explorer.lessons.lesson import Lesson, Part, Shown
from explorer.lessons.text import Figure, Paragraph, Refuted, Section, Value, typed_numbers
from explorer.plugin.lessons import LessonDescription, split


class Examined:
    """A lesson while it is checked; its parts compute once for all checks.

    Args:
        lesson: The lesson.
        description: The same as it is described.
        show: Returns what a part shows with its default controls.
    """

    def __init__(
        self, lesson: Lesson, description: LessonDescription, show: Callable[[Part], Shown]
    ) -> None:
        self.lesson, self.description, self._show = lesson, description, show

    @cached_property
    def computed(self) -> dict[str, Shown | Exception]:
        """What each part shows with its default controls, or what it raised."""
        found: dict[str, Shown | Exception] = {}
        for part in self.lesson.parts:
            try:
                shown = self._show(part)
                if not isinstance(shown, Shown):
                    raise TypeError(f"it should return Shown(…), not {shown!r}")
                found[part.name] = shown
            except Exception as error:  # an author's code may raise anything
                found[part.name] = error
        return found

    @property
    def shown(self) -> dict[str, Shown]:
        """What those that compute show."""
        return {name: each for name, each in self.computed.items() if isinstance(each, Shown)}

    @property
    def sections(self) -> Iterator[tuple[str, Section]]:
        """All sections of all texts, each with its language."""
        for language, text in self.description.texts.items():
            for section in (text.lead, *text.sections):
                yield language, section


def examine(
    lesson: Lesson, description: LessonDescription, show: Callable[[Part], Shown]
) -> Report:
    """Run every check on a lesson; the arguments are those of `Examined`."""
    examined = Examined(lesson, description, show)
    location = description.plugin.location
    home = place_of(lesson.parts[0].show) if lesson.parts else ""
    findings = [
        finding
        for name, check in CHECKS.items()
        for finding in run_check(name, check, examined, location, home)
    ]
    facts = {
        "origin": description.origin,
        "languages": list(description.texts),
        "parts": list(description.parts),
    }
    return Report("lesson", lesson.name, facts, tuple(findings))


def _computes(examined: Examined) -> Found:
    location = examined.description.plugin.location
    for name, found in examined.computed.items():
        if isinstance(found, Exception):
            reason = explain(found, location)
            yield "error", say("{name}: {reason}", name=name, reason=reason), place(found, location)
    yield "ok", say("Every part computes with its default controls.")


def _says(examined: Examined) -> Found:
    for language, section in examined.sections:
        for name in section.names(Value):
            part, value = split(name)
            if part in examined.shown and value not in examined.shown[part].values:
                known = listed([*examined.shown[part].values], ",")
                yield (
                    "error",
                    say(
                        "The text ({language}) has {{{{{name}}}}}, and {part} shows no value "
                        "{value!r}; its values are {known}.",
                        language=language,
                        name=name,
                        part=part,
                        value=value,
                        known=known or say("none"),
                    ),
                )
        for name in section.names(Figure):
            part = split(name)[0]
            if part in examined.shown and examined.shown[part].figure is None:
                yield (
                    "error",
                    say(
                        "The text ({language}) has a figure of {name}, which shows none.",
                        language=language,
                        name=name,
                    ),
                )
    if len(examined.shown) == len(examined.computed):
        yield "ok", say("Every slot of the text is filled.")


def _numbers(examined: Examined) -> Found:
    for language, section in examined.sections:
        for block in section.blocks:
            paragraph = block.paragraph if isinstance(block, Refuted) else block
            if isinstance(paragraph, Paragraph):
                said = "".join(part for part in paragraph.parts if isinstance(part, str))
                for _, number in typed_numbers(said):
                    yield (
                        "note",
                        say(
                            "The text ({language}, {title!r}) has the number {number}, which is "
                            "neither computed, {{{{part.value}}}}, nor cited, [[words|source]].",
                            language=language,
                            title=section.title,
                            number=number,
                        ),
                    )
    yield "ok", say("Every number of the text is computed or cited.")


CHECKS: Mapping[str, Callable[[Examined], Found]] = {
    "computes": _computes,
    "says": _says,
    "numbers": _numbers,
}
