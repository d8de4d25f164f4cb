"""Bars of what was answered."""

from explorer.charts.answers import MOST_BARS, answers


def test_each_answer_has_a_bar_with_its_count_and_one_s_own_is_marked():
    figure = answers({"2": 12, "7": 3}, own="7")
    (bars,) = figure.data
    assert list(bars.x) == [12, 3]
    assert list(bars.text) == ["12", "3"]
    assert list(figure.layout.yaxis.ticktext) == ["2", "<b>7 (yours)</b>"]
    assert bars.marker.color[0] != bars.marker.color[1]


def test_text_of_others_is_text_and_the_most_frequent_are_drawn():
    figure = answers({"<a href='x'>" + "y" * 99: 1, **{str(n): 1 for n in range(99)}})
    first = figure.layout.yaxis.ticktext[0]
    assert "<a" not in first
    assert "…" in first
    assert len(figure.data[0].x) == MOST_BARS
    assert answers({}).layout.height > 0
