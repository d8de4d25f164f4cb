"""Text in which some characters are two columns wide."""

import textwrap

import pytest

from explorer.cli.wide import closed, columns, opened, padded

TEXT = "训练一个架构（例如 GPU 上的 plain），然后保留；下次可以从停下的地方继续。"


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("plain", 5), ("训练", 4), ("5×5 β₁ …", 8), ("用 GPU。", 8)]
)
def test_a_chinese_character_takes_two_columns(text, width):
    assert columns(text) == width
    assert padded(text, 10) == text + " " * (10 - width)
    assert padded(text, 0) == text


def test_text_that_is_opened_is_as_long_as_it_is_wide():
    assert len(opened(TEXT)) == columns(TEXT)
    assert closed(opened(TEXT)) == TEXT
    assert opened("Images in each batch.") == "Images in each batch."


@pytest.mark.parametrize("width", range(8, 50))
def test_lines_of_opened_text_are_broken_where_they_may_be(width):
    lines = closed("\n".join(textwrap.wrap(opened(TEXT), width))).split("\n")
    assert "".join(lines).replace(" ", "") == TEXT.replace(" ", "")
    for line in lines:
        assert columns(line) <= width + 1  # the room behind the last character is not counted
        assert line[0] not in "，；。）"
        assert line[-1] != "（"
