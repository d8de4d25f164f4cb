"""Lessons as they are described, and what is refused."""

from typing import Annotated

import pytest

from explorer.lessons import Lesson, Part, Shown, Source
from explorer.lessons.text import LessonTextError
from explorer.plugin.lessons import LessonError, describe
from explorer.plugin.options import OptionError, Range
from explorer.plugin.sources import Source as Plugin

TEXT = """\
# Why gates?

They open: {{opened.share}}.

## They open

{{guess: opened}} How often? | never | always
{{control: opened.width}}
{{figure: opened}}

As in [[the paper|srivastava]].

> A gate that stays shut.
"""


def opened(bench, *, width: Annotated[int, Range(1, 8), "Channels"] = 4):
    return Shown({"share": str(width)})


@pytest.fixture
def written(tmp_path):
    def write(text=TEXT, name="gates", language="en", **changed):
        file = tmp_path / "texts" / language / f"{name}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        given = {
            "name": name,
            "texts": tmp_path / "texts",
            "parts": [Part(opened, asks="choice")],
            "sources": {"srivastava": Source("Srivastava et al.")},
        }
        return Lesson(**given | changed)

    return write


def described(lesson):
    return describe(lesson, Plugin("gates", "gates.py", None), "f00")


def test_a_lesson_is_described_by_its_parts_their_controls_and_its_texts(written):
    found = described(written())
    (part,) = found.parts.values()
    assert (part.name, part.asks) == ("opened", "choice")
    assert [(option.name, option.default) for option in part.options] == [("width", 4)]
    assert found.text("en").lead.title == "Why gates?"
    assert found.text("en").sections[0].guesses()[0].choices == ("never", "always")


def test_a_text_is_shown_in_the_reader_s_language_or_else_in_english(written):
    written(TEXT.replace("Why gates?", "为什么用门?"), language="zh_CN")
    found = described(written())
    assert found.text("zh_CN").lead.title == "为什么用门?"
    assert found.text("de").lead.title == found.text("en_GB").lead.title == "Why gates?"


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("{{opened.share}}", "{{closed.share}}", "there is no part 'closed'; there is opened"),
        ("{{control: opened.width}}", "{{control: opened.high}}", "opened has no control 'high'"),
        ("{{figure: opened}}", "{{figure: shut}}", "there is no part 'shut'; "),
        ("|srivastava]]", "|hochreiter]]", "there is no source 'hochreiter'; "),
    ],
)
def test_a_slot_of_what_there_is_not_is_refused(written, before, after, sentence):
    with pytest.raises(LessonError, match=sentence):
        described(written(TEXT.replace(before, after)))


@pytest.mark.parametrize("choices", ["", "| never"])
def test_a_choice_has_two_answers_or_more(written, choices):
    with pytest.raises(LessonTextError, match="two choices or more"):
        described(written(TEXT.replace("| never | always", choices)))


def test_a_guess_at_what_asks_nothing_is_refused(written):
    with pytest.raises(LessonError, match="the part opened asks nothing"):
        described(written(parts=[Part(opened)]))


def test_a_lesson_without_a_text_says_where_one_is_looked_for(written, tmp_path):
    with pytest.raises(LessonError, match=r"write one as .*en.other\.md"):
        described(Lesson("other", tmp_path / "texts", [Part(opened)]))


@pytest.mark.parametrize("name", ["", "Two words", "über", "x" * 61, 3])
def test_a_name_that_no_address_can_have_is_refused(written, name):
    with pytest.raises(LessonError, match="small letters, digits and hyphens"):
        described(Lesson(name, written().texts, [Part(opened)]))


def test_a_part_takes_a_bench_and_a_session_if_it_looks_into_a_network(written):
    with pytest.raises(LessonError, match="should take a bench and a session about a network"):
        described(written(parts=[Part(opened, needs="skip", asks="choice")]))

    def bare(*, width: int = 1):
        return Shown({})

    with pytest.raises(LessonError, match="should take a bench before its controls"):
        described(written(parts=[Part(bare)]))


def test_a_control_without_a_widget_is_refused(written):
    def listed(bench, *, each: list = ()):
        return Shown({})

    with pytest.raises(OptionError, match="the type of each is list"):
        described(written(parts=[Part(listed)]))


def test_what_is_wrong_is_named_with_its_file_and_line(written):
    with pytest.raises(LessonError, match=r"In .*en.gates\.md, line 9: there is no part 'shut'"):
        described(written(TEXT.replace("{{figure: opened}}", "{{figure: shut}}")))


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "{{opened.share}}",
            "没有",
            r"line 1: this claim has no {{opened.share}}, which .*en.gates",
        ),
        (
            "{{figure: opened}}",
            "",
            r"line 5: this claim has no {{figure: opened}}, which .* line 9",
        ),
        ("As in", "{{opened.share}}", r"line 11: {{opened.share}} is not in this claim in .*en"),
        ("[[the paper|srivastava]]", "论文", r"line 5: this claim has no \[\[…\|srivastava\]\], "),
        ("| never | always", "| 从不 | 有时 | 总是", r"line 7: the guess opened has 3 choices"),
        ("> A gate", "## 再一个\n\n> A gate", r"line 13: the text has 2 claims, and .*md has 1"),
        ("## They open\n", "", r"line 1: the text has 0 claims, and .*en.gates\.md has 1"),
        ("{{opened.share}}", "{{shut.share}}", r"line 3: there is no part 'shut'"),
    ],
)
def test_a_translation_has_the_slots_and_names_of_the_english_text(
    written, before, after, sentence
):
    text = TEXT.replace("They open: ", "开着: ").replace(before, after)
    written(text, language="zh_CN")
    with pytest.raises(LessonError, match=f"zh_CN.gates\\.md, {sentence}"):
        described(written())


def test_a_text_with_fewer_claims_than_the_english_one_is_refused(written):
    written(language="zh_CN")
    with pytest.raises(LessonError, match=r"zh_CN.gates\.md, line 5: the text has 1 claims, and "):
        described(written(TEXT + "\n## Another\n\nWords.\n"))
