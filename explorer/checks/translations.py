"""Checks whether what a plugin says is translated, if it has translations."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from explorer.checks.examined import first_four
from explorer.checks.findings import Finding, Found, Report
from explorer.data.dataset import DataSet
from explorer.language import one_line, say
from explorer.plugin.catalogue import Description, Translations
from explorer.plugin.lessons import LessonDescription
from explorer.plugin.options import Option
from explorer.text import cut

_WORD = re.compile(r"[^\W\d_]{2}")  # what has none, as the class "7", is the same in any language
_ROOM = 50  # characters of a text that a sentence names


def with_translations(report: Report, texts: Iterable[str], known: Translations) -> Report:
    """Add to a report what is translated, if its plugin has translations.

    Args:
        report: Of a network, a data set or a lesson.
        texts: What is shown of it.
        known: The plugin's translations.
    """
    own = list(dict.fromkeys(one_line(text) for text in texts if _WORD.search(text)))
    found = [Finding("translations", *each) for each in _translations(own, known)]
    return replace(report, findings=(*report.findings, *found))


def _translations(texts: list[str], known: Translations) -> Found:
    for language, translated in known.items():
        missing = [text for text in texts if text not in translated]
        if missing:
            yield (
                "note",
                say(
                    "It has no translation into {language} of {n} of its {total} texts: {texts}.",
                    language=language,
                    n=len(missing),
                    total=len(texts),
                    texts=first_four([f"“{cut(text, _ROOM)}”" for text in missing]),
                ),
            )
        else:
            yield "ok", say("All its texts are translated into {language}.", language=language)


def texts_of(architecture: Description) -> Iterator[str]:
    """Yield what is shown of an architecture and was written by its author, each paragraph."""
    yield architecture.family
    yield from architecture.description.split("\n\n")
    yield from _texts_of_options(architecture.options)


def texts_of_images(dataset: DataSet) -> Iterator[str]:
    """Yield what is shown of a data set and was written by its author."""
    yield dataset.title
    yield from dataset.classes


def texts_of_lesson(lesson: LessonDescription) -> Iterator[str]:
    """Yield what is shown of a lesson's controls; its text has files of its own."""
    for part in lesson.parts.values():
        yield from _texts_of_options(part.options)
        yield part.unit


def _texts_of_options(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        yield option.label
        yield option.help
        yield from (choice for choice in option.choices if isinstance(choice, str))
