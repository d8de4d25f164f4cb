import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.lessons.text import (
    Cited,
    Control,
    Figure,
    LessonTextError,
    Paragraph,
    Value,
    parse,
    read_text,
    typed_numbers,
)

TEXT = """\
# Why Residual?

A deeper network contains
the shallower one.

## Deeper should not be worse, and is
With {{layers}} layers, {{ plain.train }} are right.
{{control: layers}}
{{figure: degradation}}

The paper has [[27.94 %|he-2016]] for its plain network.

## The skip carries
{{figure: flip}}
"""


def test_a_text_has_a_question_its_answer_and_claims_with_what_shows_them():
    text = parse(TEXT)
    assert text.lead.title == "Why Residual?"
    assert text.lead.blocks == (Paragraph(("A deeper network contains\n", "the shallower one.")),)
    first, second = text.sections
    assert first.title == "Deeper should not be worse, and is"
    assert first.blocks[1:3] == (Control("layers"), Figure("degradation"))
    assert first.names(Value) == ["layers", "plain.train"]
    assert first.names(Figure) == ["degradation"]
    assert first.names(Cited) == ["he-2016"]
    assert second.names(Figure) == ["flip"]
    assert second.names(Value) == []


def test_slots_are_filled_and_citations_name_their_source():
    first = parse(TEXT).sections[0]
    values = {"layers": "20", "plain.train": "**94 %**"}
    filled = [
        block.fill(values.__getitem__, lambda words, source: f"{words} ({source})")
        for block in first.blocks
        if isinstance(block, Paragraph)
    ]
    assert filled == [
        "With 20 layers, **94 %** are right.",
        "The paper has 27.94 % (he-2016) for its plain network.",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line 1: a text begins with its title"),
        ("\n\nWords.", "line 3: a text begins with its title"),
        ("## A claim", "line 1: a text has one title"),
        ("# One\n\n# Two", "line 3: a text has one title"),
        ("# One\n\nSee {{figure: a}} here.", "line 3: {{figure: a}} should be alone on its line"),
        ("# One\n\nWords.\nSee {{A b}}.", "line 4: 'A b' cannot be a name"),
        ("# One\n{{}}", "line 2: '' cannot be a name"),
        ("# One\n{{figure: }}", "line 2: '' cannot be a name"),
        ("# One\nOpen {{name", "line 2: {{ begins or ends a slot"),
        ("# One\nOpen name}}", "line 2: }} begins or ends a slot"),
        ("# One\nSee [[27 %]].", "line 2: [[ begins or ends a slot"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_line(text, sentence):
    with pytest.raises(LessonTextError) as error:
        parse(text)
    assert str(error.value).startswith(sentence)


def test_a_file_is_named_in_what_is_wrong_with_it(tmp_path):
    file = tmp_path / "lesson.md"
    with pytest.raises(LessonTextError, match="cannot be read"):
        read_text(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(LessonTextError, match="cannot be read as text in UTF-8"):
        read_text(file)
    file.write_text("Words.")
    with pytest.raises(LessonTextError, match=r"lesson\.md, line 1: a text begins"):
        read_text(file)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("A 1×1 convolution of 1×28×28 in `ResNet-18`.", []),
        ("He et al. have [[27.94 %|he-2016]], here {{plain}}.", []),
        ("It has 3,210 parameters (of 33,914).", ["3,210", "33,914"]),
        ("About 10% of x2.", ["10%", "x2."]),
        ("{{figure: a2}}", []),
    ],
)
def test_numbers_that_were_typed_are_found(line, found):
    assert list(typed_numbers(f"Words.\n{line}")) == [(2, words) for words in found]


@given(st.text(alphabet="#{}[]|: aé1\n", max_size=60))
def test_any_text_is_understood_or_refused_with_a_line(text):
    said = "line 0"
    try:
        parse(text)
    except LessonTextError as error:
        said = str(error)
    assert said.startswith("line ")


@given(st.lists(st.text(alphabet="ab *_.,", min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_words_stay_as_they_are(lines):
    [paragraph] = parse("# Title\n\n" + "\n".join(lines)).lead.blocks
    assert paragraph.fill(str, str).splitlines() == [line.rstrip() for line in lines]
