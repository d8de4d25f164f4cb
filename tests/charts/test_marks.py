"""How wide words are, where they are cut, and where their lines end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.charts.marks import LONGEST, SIZE, cut_wide, fitted, is_wide, text_width, wrapped
from explorer.text import cut

CHINESE = st.text(st.sampled_from("卷积层批归一化，。（）×5 ab"), max_size=30)


@pytest.mark.parametrize("text", ["卷积", "（）", "ＡＢ", "かな", "한글"])
def test_a_wide_letter_is_as_wide_as_a_line_is_high(text):
    assert text_width(text) == len(text) * SIZE


def test_a_wide_letter_takes_the_room_of_two_others():
    assert cut_wide("最大池化", 8) == "最大池化"
    assert cut_wide("最大池化", 7) == "最大池…"
    assert cut_wide("最大池化 2×2", 9) == "最大池化…"
    assert cut_wide("", 1) == ""


@given(st.text(st.characters(max_codepoint=0x2FF)), st.integers(1, 40))
def test_latin_text_is_cut_as_it_was(text, room):
    assert cut_wide(text, room) == cut(text, room)


@given(CHINESE, st.integers(1, 40))
def test_text_that_is_cut_has_the_room_that_it_is_given(text, room):
    shown = cut_wide(text, room)
    assert len(shown) < 3 or sum(1 + is_wide(letter) for letter in shown) <= room
    assert shown == text or text.startswith(shown.removesuffix("…"))


def test_lines_of_wide_letters_end_between_them_but_not_before_a_comma():
    assert wrapped(["批归一化之后的激活函数"], 60.0) == ["批归一化之", "后的激活函", "数"]
    assert wrapped(["自适应平均池化，一乘一"], 84.0) == ["自适应平均池", "化，一乘一"]
    assert wrapped(["卷积 5×5", "最大池化"], 60.0) == ["卷积 5×5", "最大池化"]


@given(st.lists(CHINESE.map(str.strip).filter(bool), max_size=4), st.floats(40, 200))
def test_lines_have_all_words_and_room(words, room):
    lines = wrapped(words, room)
    assert "".join("".join(lines).split()).replace("·", "") == "".join("".join(words).split())
    # What may end no line may be wider, as a row of brackets.
    assert all(text_width(line) <= max(room, LONGEST) + SIZE * 12 for line in lines)


def test_latin_words_end_lines_at_spaces_only():
    assert wrapped(["adaptive average pool 1×1"], 60.0) == ["adaptive", "average", "pool 1×1"]
    assert fitted("adaptive average", 60.0).endswith("…")
