"""What the parts of lessons show, as figures."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.charts.lessons import draw, with_guess
from explorer.charts.style import ROLES, to_json
from explorer.lessons import (
    Area,
    Areas,
    Axis,
    Bar,
    Bars,
    Box,
    Grid,
    Grids,
    Line,
    Lines,
    Shown,
    Surface,
    Surfaces,
)

LINES = Lines(
    "Errors by depth.",
    [
        Line("without", (4, 8, 56), (0.1, 0.2, 0.9), (0.0, 0.1, 0.8), (0.2, 0.3, 1.0), "chain"),
        Line("with", (4, 8, 56), (0.1, 0.1, 0.1), role="skip"),
    ],
    Axis("layers", "steps"),
    Axis("error", percent=True, low=0, high=1),
    at=8,
)
BARS = Bars(
    "Accuracy.",
    [Bar("3×3", 0.9, 0.85, 0.95, (0.88, 0.92), "3x3"), Bar("several", 0.8, before=0.85)],
    Axis("accuracy", percent=True),
)
GRIDS = Grids(
    "Gradients.",
    [
        Grid("left", [[1.0, 10.0], [0.0, math.nan]], rows=("1", "2"), columns=("0", "5")),
        Grid("right", [[1e-6, 2.0, 3.0]], boxes=[Box(0, 1, 1, 2, "5x5")], role="skip"),
    ],
    log=True,
)
AREAS = Areas(
    "Costs.",
    [("alone", [Area("5×5", 400.0, "5x5")]), ("behind", [Area("1×1", 100.0, "1x1")])],
    "multiply-adds",
)
SURFACES = Surfaces(
    "Ground.",
    [Surface("plain", [[1.0, 2.0], [3.0, 100.0]], (-1, 1), (-1, 1), [(0, 0), (0.5, 0.5)])],
    "loss",
)
ALL = [LINES, BARS, GRIDS, AREAS, SURFACES]


@pytest.mark.parametrize("figure", ALL, ids=lambda figure: type(figure).__name__)
def test_every_figure_is_json_with_data_a_height_and_its_key(figure):
    drawn = json.loads(to_json(draw(figure, "a key")))
    assert drawn["data"]
    assert drawn["layout"]["height"] > 100
    assert drawn["layout"]["uirevision"] == "a key"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(TypeError, match="cannot be drawn"):
        draw("a figure", "a key")


def test_a_line_has_the_hue_of_what_it_is_of_its_interval_as_a_band_and_even_steps():
    band, without, within = draw(LINES, "k")["data"]
    assert without["line"]["color"] == ROLES["chain"]
    assert within["line"]["color"] == ROLES["skip"]
    assert without["marker"]["symbol"] != within["marker"]["symbol"]
    assert without["x"] == [0, 1, 2]
    assert band["y"] == [0.2, 0.3, 1.0, 0.8, 0.1, 0.0]
    (at,) = draw(LINES, "k")["layout"]["shapes"]
    assert at["x0"] == at["x1"] == 1


def test_bars_have_their_intervals_their_seeds_and_what_was_before():
    before, main, each = draw(BARS, "k")["data"]
    assert before["x"] == [None, 0.85]
    assert main["error_x"]["array"] == [pytest.approx(0.05), 0.0]
    assert each["x"] == [0.88, 0.92]
    assert {note["text"] for note in draw(BARS, "k")["layout"]["annotations"]} == {
        "<b>90.0 %</b>",
        "<b>80.0 %</b>",
    }


def test_grids_of_one_ramp_share_a_scale_and_nothing_is_drawn_for_what_is_no_number():
    left, right = draw(GRIDS, "k")["data"]
    assert (left["zmin"], left["zmax"]) == (right["zmin"], right["zmax"]) == (-6.0, 1.0)
    shown = json.loads(to_json({"z": left["z"]}))["z"]
    assert shown == [[0.0, 1.0], [None, None]]
    (box,) = draw(GRIDS, "k")["layout"]["shapes"]
    assert (box["x0"], box["x1"], box["xref"]) == (0.5, 2.5, "x2")


def test_areas_are_to_scale():
    shapes = draw(AREAS, "k")["layout"]["shapes"]
    sizes = [(each["x1"] - each["x0"]) * (each["y1"] - each["y0"]) for each in shapes]
    assert sizes[0] / sizes[1] == pytest.approx(4)


def test_a_curve_that_was_guessed_stays_in_the_figure():
    shown = Shown({}, LINES, guessed="without")
    drawn = with_guess(draw(LINES, "k"), shown, "0.1 0.5 0.7")
    assert drawn["data"][-1]["y"] == [0.1, 0.5, 0.7]
    assert drawn["data"][-1]["name"] == "your guess"
    assert with_guess(draw(LINES, "k"), shown, "0.1 0.5") == draw(LINES, "k")


def test_a_number_that_was_guessed_is_a_level():
    shown = Shown({}, BARS, answer=0.9)
    (line,) = with_guess(draw(BARS, "k"), shown, "85")["layout"]["shapes"]
    assert line["x0"] == line["x1"] == pytest.approx(0.85)


@given(st.text(max_size=40))
def test_any_guess_and_any_text_are_survived(text):
    lines = Lines(text, [Line(text, (1,), (2.0,))], Axis(text), Axis(text))
    shown = Shown({}, lines, guessed=text, answer=1.0)
    drawn = with_guess(draw(lines, text), shown, text)
    assert "<" not in drawn["layout"]["xaxis"]["title"]["text"]
    json.loads(to_json(drawn))
