"""Each chart says the numbers that matter in a sentence, and its data can be read as a table."""

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.charts import patching
from explorer.charts.answers import answers
from explorer.charts.bars import Worth, probabilities, shares, worths
from explorer.charts.curves import Trace, accuracy_curves, loss_curves
from explorer.charts.exciting import class_means
from explorer.charts.grids import gradient_history, gradients_by_depth
from explorer.charts.lessons import draw, with_guess
from explorer.charts.maps import filters, saliency
from explorer.charts.style import plain, to_json, told
from explorer.charts.updates import update_sizes
from explorer.charts.words import several
from explorer.inspection.excitation import Excitation, Ranked
from explorer.inspection.results import Filters
from explorer.language import LANGUAGES, speaking
from explorer.lessons import (
    Area,
    Areas,
    Axis,
    Bar,
    Bars,
    Grid,
    Grids,
    Line,
    Lines,
    Shown,
    Surface,
    Surfaces,
)
from explorer.runs.run import UNTRAINED, Run, RunSpec, Status
from explorer.statistics.intervals import Interval
from explorer.training.events import Epoch, Gradients, Started, Step, Update
from explorer.training.recipe import preset


def run(name="plain", accuracy=0.9886, epochs=2):
    spec = RunSpec(name, {}, "mnist", preset("tutorial").changed(epochs=3), "code")
    done = tuple(Epoch(i, 0.4, 0.5, 0.3 / i, accuracy, 5.0, 9000.0) for i in range(1, epochs + 1))
    started = Started("cpu", 8490, 6400, 1000, 100, 3)
    return Run(spec.id, spec, Status.FINISHED, "", datetime.now(UTC), started, done)


def trace(name="plain", accuracy=0.9886, epochs=2):
    return Trace(run(name, accuracy, epochs), [], name)


def imported():
    spec = RunSpec("plain", {}, "mnist", UNTRAINED, "code", imported="0123456789ab")
    return Trace(replace(run(epochs=1), id=spec.id, spec=spec), [], "plain")


def begun():
    step = Step(50, 1, 0.7, 0.45, 0.01, 9000.0, 3200)
    return Trace(run(epochs=0), [step], "plain")


def excitation():
    ranked = Ranked(*(np.zeros((1, 1), np.int64) for _ in range(3)), np.ones(1, np.int64))
    means, counts = np.array([[1.0], [math.nan], [3.0]]), np.array([[5], [0], [4]])
    return Excitation((1, 2, 2), ranked, ranked, counts, means, np.ones((3, 1)))


def worth(branch, lost):
    return Worth(branch, "#111111", 0.98 - lost, 0.1, Interval(lost, lost - 0.01, lost + 0.01, 99))


RECORDED = [Gradients(1, 1, {"conv": 0.1, "fc": 0.0}), Gradients(51, 1, {"conv": 0.001, "fc": 0.5})]
SHARES = {"a": [1.0, -2.0], "b": [-1.5, 3.0]}
COARSE = np.array([[1.0, -3.0], [0.0, 0.5]], np.float32)
PARTS = [patching.Carried(name, 0, "", False, share) for name, share in (("a", -0.25), ("b", 1.5))]
TRIPLE = [np.array(values, np.float32) for values in ([0.9, 0.1], [0.3, 0.7], [0.004, 0.996])]
STEP = Update(
    *(7, 1, (0,), (1,), (0.5,)), {"conv": 0.2, "fc": 0.04}, {"conv": 0.01, "fc": 0.02},
    {"conv": 4.0, "fc": 4.0},
)  # fmt: skip
LINES = Lines(
    "Errors by depth.",
    [
        Line("without", (4, 56), (0.2, 0.9), (0.1, 0.8), (0.3, 1.0)),
        Line("with", (4, 56), (0.1, math.nan)),
    ],
    Axis("layers", "steps"),
    Axis("error", percent=True),
)
BARS = Bars(
    "Accuracy.",
    [Bar("3×3", 0.9, 0.85, 0.95, (0.88, 0.92)), Bar("several", 0.8, before=0.85)],
    Axis("accuracy", percent=True),
)
GRIDS = Grids("", [Grid("left", [[1.0, 10.0], [0.0, math.nan]], rows="ab", columns="xy")])
AREAS = Areas("Costs.", [("alone", [Area("5×5", 400.0)]), ("behind", [Area("1×1", 100.0)])], "MAC")
SURFACES = Surfaces("", [Surface("plain", [[1.0, 2.0], [3.0, 9.0]], (-1, 1), (-1, 1))], "loss")

# Each chart, and what it says.
CHARTS = {
    "accuracy": (
        lambda: accuracy_curves([trace(), trace("residual", 0.9908)]),
        "Accuracy after 2 epochs: residual 99.08 %, plain 98.86 %.",
    ),
    "accuracy at several epochs": (
        lambda: accuracy_curves([trace(), trace("residual", 0.9908, 3)], quiet=[imported()]),
        "Accuracy: residual 99.08 % after 3 epochs, recorded plain 98.86 %, plain 98.86 % after 2 "
        "epochs.",
    ),
    "training alone": (
        lambda: accuracy_curves([begun()]),
        "Accuracy after 0.5 epochs: plain, training 45.00 %.",
    ),
    "imported": (lambda: accuracy_curves([imported()]), "Accuracy: plain 98.86 %."),
    "loss": (
        lambda: loss_curves([trace("plain", epochs=1)], axis="seconds"),
        "Loss after 1 epoch: plain 0.300.",
    ),
    "nothing": (lambda: loss_curves([]), "No run has reported anything yet."),
    "probabilities": (
        lambda: probabilities([0.05, 0.9, 0.0, 0.05], "abcd", 2),
        "Most probable: b with 90.0 %, a with 5.0 %, d with 5.0 %; the correct class is c with "
        "0.0 %.",
    ),
    "probabilities of before": (
        lambda: probabilities([0.2, 0.8], "ab", 0, before=[1.0, 0.0]),
        "Most probable: b with 80.0 %, a (correct) with 20.0 %. With everything on: a (correct) "
        "with >99.9 %.",
    ),
    "worths": (
        lambda: worths([worth("a", 0.01), worth("b", 0.58), worth("c", -0.02), worth("d", -0.03)]),
        "Points of accuracy lost without each branch: b 58.0 (57.0 to 59.0), a 1.0, c −2.0 and 1 "
        "more.",
    ),
    "shares": (
        lambda: shares(SHARES, [0.25, 0.5], {"a": "#f00000", "b": "#0000f0"}, "xy", [-0.25, 1.5]),
        "Contributions to the logit of y, +1.500: b +3.000, a −2.000, bias +0.500.",
    ),
    "inexact shares": (
        lambda: shares(SHARES, None, {"a": "#f00000", "b": "#0000f0"}, "xy", [9, 1]),
        "The logit of x falls without each branch by: b −1.500, a +1.000.",
    ),
    "answers": (lambda: answers({"2": 12, "7": 3}, "7"), "Of 15 answers, 12 “2”, 3 “7” (yours)."),
    "no answers": (lambda: answers({}), "Nobody has answered yet."),
    "class means": (
        lambda: class_means(excitation(), 0, "abc"),
        "Largest value in an image, mean ± standard deviation: c with 3 ± 1, a with 1 ± 1.",
    ),
    "history": (
        lambda: gradient_history(RECORDED, 100),
        "Gradient norm from step 1 to epoch 0.51, of the first and the last of 2 layers: conv from "
        "0.1 to 0.001, fc from 0 to 0.5.",
    ),
    "depth": (
        lambda: gradients_by_depth(RECORDED, 100),
        "Gradient norm of the first layer, conv, and of the last, fc: at step 1, 0.1 and 0; at "
        "epoch 0.51, 0.001 and 0.5.",
    ),
    "saliency": (
        lambda: saliency(np.zeros((1, 4, 4), np.uint8), [("Grad-CAM", COARSE)]),
        "The strongest attributions: Grad-CAM −3 at row 0.5, column 2.5.",
    ),
    "filters": (
        lambda: filters(Filters("conv", COARSE.reshape(2, 2, 1, 1), None), "index"),
        "Kernels of 1×1 for 2 outputs and 2 inputs: weights from −3 to 1.",
    ),
    "patched": (
        lambda: patching.answers(*TRIPLE, "ab"),
        "With the patch: b with 70.0 %; before: a with 90.0 %; the donor: b with 99.6 %.",
    ),
    "carried": (
        lambda: patching.carried(PARTS, "a"),
        "Share of the way to the donor's answer: a, which is chosen, −25 %; the largest of the "
        "others: b 150 %.",
    ),
    "updates": (
        lambda: update_sizes(STEP, ["conv", "fc"]),
        "Step 7: gradient norms from 0.04 (fc) to 0.2 (conv); updates, as shares of the norm of "
        "the parameters, from 0.0025 (conv) to 0.005 (fc).",
    ),
    "lines": (
        lambda: draw(LINES, "k"),
        "Errors by depth. Last points: without 90.0 % at 56, with 10.0 % at 4.",
    ),
    "lines at a place": (
        lambda: draw(replace(LINES, at=4), "k"),
        "Errors by depth. At 4 (layers): without 20.0 %, with 10.0 %.",
    ),
    "a line": (
        lambda: draw(replace(LINES, lines=LINES.lines[:1]), "k"),
        "Errors by depth. Error: without from 20.0 % at 4 to 90.0 % at 56 (layers).",
    ),
    "guessed": (
        lambda: with_guess(draw(LINES, "k"), Shown({}, LINES, guessed="without"), "0.1 0.5"),
        "Errors by depth. Last points: without 90.0 % at 56, with 10.0 % at 4. Your guess: 10.0 % "
        "at 4, 50.0 % at 56.",
    ),
    "bars": (
        lambda: with_guess(draw(BARS, "k"), Shown({}, BARS, answer=0.9), "85"),
        "Accuracy. Accuracy: 3×3 90.0 % (85.0 % to 95.0 %), several 80.0 %. Your guess: 85.0 %.",
    ),
    "grids": (lambda: draw(GRIDS, "k"), "Value: left from 0 to 10, the most at a, y."),
    "areas": (lambda: draw(AREAS, "k"), "Costs. In all: alone 400 MAC, behind 100 MAC."),
    "surfaces": (lambda: draw(SURFACES, "k"), "Loss: plain from 1 to 9."),
    "solids": (lambda: draw(replace(SURFACES, solid=True), "k"), "Loss: plain from 1 to 9."),
}


def sent(chart):
    """A chart as the browser gets it."""
    return json.loads(to_json(plain(chart)))


def meta(chart):
    return sent(chart)["layout"]["meta"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_says_its_main_numbers_in_a_sentence(name):
    chart, says = CHARTS[name]
    assert meta(chart())["says"] == says


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_says_something_in_each_language_with_the_same_numbers(name, language):
    chart, says = CHARTS[name]

    def numbers(text):
        return sorted(re.findall(r"\d[\d.]*\d|\d", text))

    with speaking(language):
        own = meta(chart())["says"]
    assert own.strip()
    assert numbers(own) == numbers(says)


@pytest.mark.parametrize("name", CHARTS)
def test_each_point_has_a_text_for_each_column_of_the_table(name):
    chart = sent(CHARTS[name][0]())
    columns = chart["layout"]["meta"]["columns"]
    data = [each for each in chart["data"] if each.get("hoverinfo") != "skip"]
    keys = 3 if any("z" in each for each in data) else 2  # the columns before the values
    assert len(columns) > keys
    assert all(columns[1:]), "only series may be called what they usually are"
    for each in data:
        if "z" in each:
            assert each.get("name") or "text" in each or columns[0] == ""
            continue
        if keys == 3:  # a path over a grid
            continue
        rows = each["customdata"]
        assert len(rows) == len(each["y" if each.get("orientation") == "h" else "x"])
        rows = [row if isinstance(row, list) else [row] for row in rows]
        assert all(len(row) >= len(columns) - keys for row in rows)
        assert not any(re.search("<[a-z/]", text) for row in rows for text in row)
        assert each.get("name") or columns[0] == ""
        assert re.search(r"<extra></extra>$", each["hovertemplate"]), "its name would be pale"


def test_what_is_small_is_in_the_table_though_it_is_not_drawn():
    donor = sent(patching.answers(*TRIPLE, "ab"))["data"][-1]
    assert donor["x"] == [None, pytest.approx(0.996)]
    assert donor["customdata"] == [["a", "0.4 %"], ["b", "99.6 %"]]
    depth = sent(gradients_by_depth(RECORDED, 100))["data"][0]
    assert depth["y"] == [0.1, None]
    assert depth["customdata"] == [["conv", "0.1"], ["fc", "0"]]


def test_intervals_and_single_values_are_columns():
    chart = sent(draw(BARS, "k"))
    columns = ["", "what", "accuracy", "interval from", "interval to", "before", "each"]
    assert chart["layout"]["meta"]["columns"] == columns
    assert chart["data"][1]["customdata"] == [
        ["3×3", "90.0 %", "85.0 %", "95.0 %", "", "88.0 %, 92.0 %"],
        ["several", "80.0 %", "", "", "85.0 %", ""],
    ]
    within = sent(draw(LINES, "k"))["data"][-1]
    assert within["customdata"] == [["4", "10.0 %", "", ""], ["56", "", "", ""]]


def test_areas_can_be_pointed_at_and_grids_know_the_names_of_their_cells():
    alone, behind = sent(draw(AREAS, "k"))["data"]
    assert (alone["name"], alone["customdata"]) == ("alone", [["5×5", "400"]])
    assert behind["x"] > alone["x"]
    (grid,) = sent(draw(GRIDS, "k"))["data"]
    assert grid["meta"] == {"x": ["x", "y"], "y": ["a", "b"]}


def test_of_many_things_the_first_are_named():
    assert several(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert several(list("abc"), 2) == "a, b and 1 more"
    assert several(list("ab"), 2) == "a, b"


def test_what_is_said_is_kept_in_figures_of_both_kinds_and_is_plain_text():
    figure = told(go.Figure(), "A <b>\u202e", ["", "c"])
    assert figure.layout.meta == {"says": "A <b>�", "columns": ["", "c"]}
    kept = {"data": [], "layout": {"height": 1}}
    assert told(kept, "A.")["layout"] == {"height": 1, "meta": {"says": "A.", "columns": []}}
    assert "meta" not in kept["layout"]


SHARE = st.floats(0, 1)


@given(st.lists(SHARE, min_size=1, max_size=12), st.integers(-1, 11), st.booleans())
def test_any_probabilities_say_something(values, correct, both):
    correct = correct if 0 <= correct < len(values) else None
    before = values[::-1] if both else None
    says = meta(probabilities(values, list(map(str, range(len(values)))), correct, 9, before))[
        "says"
    ]
    assert says.startswith("Most probable: ")
    assert len(re.findall(" with ", says)) <= 7


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 10**9), max_size=40))
def test_any_answers_say_something(counts):
    assert meta(answers(counts))["says"]


@given(st.text(max_size=30), st.lists(st.floats(), max_size=6), st.floats() | st.none())
def test_any_figure_of_a_lesson_says_something(text, values, at):
    x = list(map(float, range(len(values))))
    figures = [
        Lines(text, [Line(text, x, values)], Axis(text), Axis(text), at=at),
        Grids(text, [Grid(text, [values or [0.0]])]),
    ]
    if all(map(math.isfinite, values)):
        figures.append(Bars(text, [Bar(text, value) for value in values or [1.0]], Axis(text)))
    said = [meta(draw(figure, "k"))["says"].strip() for figure in figures]
    assert len(said) >= 2
    assert all(said)
