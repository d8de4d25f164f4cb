"""The lessons' texts say the same in each language: the same claims, slots and citations."""

from pathlib import Path

import pytest

from explorer.labs import errata
from explorer.lessons.text import (
    Cited,
    Control,
    Figure,
    Guess,
    Paragraph,
    Refuted,
    Value,
    read_text,
    typed_numbers,
)

TEXTS = errata.LESSON.texts
TRANSLATED = sorted(file for file in TEXTS.glob("*/*.md") if file.parent.name != "en")


def parts(block):
    """The values and the sources in a block, in no order, which each language has of its own."""
    paragraph = block.paragraph if isinstance(block, Refuted) else block
    if not isinstance(paragraph, Paragraph):
        return []
    return sorted(
        each.source if isinstance(each, Cited) else each.name
        for each in paragraph.parts
        if not isinstance(each, str)
    )


def form(text):
    """What a translation has in common with the English text."""
    return [
        [
            (
                type(block),
                parts(block),
                block.name if isinstance(block, Figure | Control | Guess) else "",
                len(block.choices) if isinstance(block, Guess) else 0,
            )
            for block in section.blocks
        ]
        for section in (text.lead, *text.sections)
    ]


def test_every_lesson_is_translated():
    english = {file.name for file in (TEXTS / "en").glob("*.md")}
    assert {file.name for file in (TEXTS / "zh_CN").glob("*.md")} == english != set()


@pytest.mark.parametrize("file", TRANSLATED, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_translation_has_the_claims_and_the_slots_of_the_english_text(file):
    translated, english = read_text(file), read_text(TEXTS / "en" / file.name)
    assert form(translated) == form(english)
    assert any(section.names(Value) for section in english.sections)


@pytest.mark.parametrize("file", TRANSLATED, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_translation_types_no_number(file: Path):
    assert list(typed_numbers(file.read_text(encoding="utf-8"))) == []
