import numpy as np
import pytest

from explorer.charts.bars import Worth, percent, probabilities, shares, top_first, worths
from explorer.charts.grids import Cell, confusion, gradient_history, gradients_by_depth
from explorer.charts.maps import MOST_KERNELS, ORDERS, arranged, filters, saliency
from explorer.inspection.results import Filters
from explorer.statistics.intervals import Interval
from explorer.training.events import Gradients

DIGITS = tuple("0123456789")
IMAGE = np.arange(784, dtype=np.uint8).reshape(1, 28, 28)


def test_probabilities_mark_the_correct_class_and_write_out_what_matters():
    values = [0.0] * 10
    values[7], values[1] = 0.9, 0.1
    chart = probabilities(values, DIGITS, correct=1)
    assert chart.layout.yaxis.ticktext[1] == "<b>1 ✓</b>"
    assert chart.data[0].text[7] == " 90.0 %"
    assert chart.data[0].text[0] == ""
    assert chart.data[0].marker.color[7] != chart.data[0].marker.color[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "50.0 %"), (0.9994, "99.9 %"), (0.9999999, ">99.9 %"), (1.0, ">99.9 %")],
)
def test_no_certainty_is_called_complete(value, text):
    assert percent(value) == text


def test_something_off_shows_what_was_before_as_outlines_behind_the_bars():
    chart = probabilities([0.2, 0.8], "ab", 0, before=[0.9, 0.1])
    ghosts, bars = chart.data
    assert list(ghosts.x) == [0.9, 0.1]
    assert list(bars.x) == [0.2, 0.8]
    assert bars.width < ghosts.width
    assert chart.layout.barmode == "overlay"
    assert [list(words) for words in bars.customdata] == [
        ["a ✓", "20.0 %", "90.0 %"],
        ["b", "80.0 %", "10.0 %"],
    ]
    assert len(probabilities([0.2, 0.8], "ab", 0).data) == 1


def worth(branch, value, low, high):
    return Worth(branch, "#111111", 0.98 - value, 0.1, Interval(value, low, high, 1000))


def test_the_branch_that_costs_most_comes_first_in_points_with_its_interval():
    bars, numbers = worths([worth("a", 0.01, 0.002, 0.018), worth("b", 0.58, 0.5, 0.6)]).data
    assert list(bars.x) == pytest.approx([58, 1])
    assert list(numbers.text) == ["  58.0", "  1.0"]  # the unit of the bars
    assert list(bars.error_x.array) == pytest.approx([2, 0.8])
    assert list(bars.error_x.arrayminus) == pytest.approx([8, 0.8])


def test_a_branch_without_which_it_is_better_has_room_to_the_left():
    chart = worths([worth("a", -0.01, -0.02, 0.0)])
    assert chart.layout.xaxis.range[0] < -2
    assert chart.data[1].text == ("  −1.0",)


def test_what_a_branch_costs_is_in_words_under_the_pointer():
    found = [worth("a", -0.01, -0.02, 0.0), worth("b", 0.58, 0.5, 0.6)]
    costs = [row[1] for row in worths(found).data[0].customdata]
    assert costs == ["−58.0 points (−60.0 to −50.0)", "+1.0 points (0.0 to +2.0)"]


def test_exact_shares_show_the_bias_and_the_logits_that_they_sum_to():
    values = {"a": [1.0, -2.0], "b": [0.5, 3.0]}
    chart = shares(values, [0.25, 0.5], {"a": "red", "b": "blue"}, "01", [1.75, 1.5])
    traces = {trace.name: trace for trace in chart.data}
    assert list(traces["logit"].y) == pytest.approx([1.75, 1.5])
    assert list(traces["bias"].y) == [0.25, 0.5]
    inexact = shares({"a": [1.0, -2.0]}, None, {"a": "red"}, "01", [1.0, 0.0])
    assert [trace.name for trace in inexact.data] == ["a"]


def test_the_two_classes_between_which_it_is_decided_come_first():
    logits = [0.0, 5.0, -1.0, 7.0]
    assert top_first(logits) == [3, 1, 0, 2]
    assert top_first([1.0]) == [0]
    chart = shares({"a": logits}, None, {"a": "red"}, "wxyz", logits)
    assert list(chart.data[0].y) == [7, 5, 0, -1]
    assert list(chart.layout.xaxis.ticktext) == ["z", "x", "w", "y"]
    gaps = np.diff(chart.data[0].x).tolist()
    assert gaps == [1, 1.5, 1]
    assert list(chart.data[0].customdata[3]) == ["y", "−1.000"]


def test_gradients_are_on_a_logarithmic_scale_and_nothing_where_none_arrives():
    recorded = [
        Gradients(1, 1, {"conv": 0.1, "dead": 0.0}),
        Gradients(51, 1, {"conv": 0.001, "dead": 0.0}),
    ]
    heat = gradient_history(recorded, steps_per_epoch=100).data[0]
    assert list(heat.y) == ["conv", "dead"]
    assert list(heat.x) == [0.01, 0.51]
    assert list(heat.z[0]) == pytest.approx([-1, -3])
    assert all(value is None for value in heat.z[1])
    assert list(heat.colorbar.ticktext) == ["0.001", "0.01", "0.1"]


def test_gradients_by_depth_are_lines_from_the_first_layer_to_the_last_at_some_moments():
    recorded = [
        Gradients(step, 1, {"conv": 0.1 / step, "dead": 0.0}) for step in range(1, 902, 100)
    ]
    chart = gradients_by_depth(recorded, steps_per_epoch=100)
    assert [line.name for line in chart.data] == ["step 1", "epoch 3", "epoch 6", "epoch 9"]
    assert list(chart.data[0].y) == [pytest.approx(0.1), None]
    assert list(chart.layout.xaxis.ticktext) == ["conv", "dead"]
    assert len({line.marker.symbol for line in chart.data}) == 4
    assert chart.layout.yaxis.type == "log"
    assert len(gradients_by_depth(recorded[:1], 100).data) == 1
    assert len(gradients_by_depth(recorded[:2], 100).data) == 2


def test_the_confusion_fills_what_is_wrong_only_and_the_darker_the_more():
    cells = confusion([[5, 1], [2, 7]])
    assert [[cell.count for cell in row] for row in cells] == [[5, 1], [2, 7]]
    assert cells[0][0].fill == cells[1][1].fill == ""
    assert cells[1][0].fill == "#f59322"
    assert cells[0][1].fill == "#f8bb75"
    assert confusion([[0]]) == [[Cell(0, "")]]
    assert confusion([[1, 0], [0, 0]])[0][1].fill == ""


def test_a_colour_image_is_shown_in_colour():
    chart = saliency(
        np.zeros((3, 32, 32), np.uint8), [("occlusion", np.ones((32, 32), np.float32))]
    )
    under, over, image = chart.data
    assert image.type == "image"
    assert over.zmin == 0
    assert under.hoverinfo == "skip"


def test_attributions_lie_over_the_digit_within_a_frame():
    coarse = np.array([[1.0, -1.0], [0.0, 0.5]], np.float32)
    chart = saliency(IMAGE, [("Grad-CAM", coarse)])
    under, over, _ = chart.data
    assert np.array_equal(np.sign(under.z), np.sign(IMAGE[0]))
    assert (over.dx, over.dy) == (14, 14)  # as large as the image
    assert (over.x0, over.y0) == (6.5, 6.5)
    middle = next(colour for place, colour in over.colorscale if place == 0.5)
    assert middle.endswith(", 0.0)")  # what is near 0 hides nothing
    assert chart.layout.xaxis2.showline
    assert chart.layout.yaxis2.mirror is True


def of(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return Filters("conv", values, None)


def test_filters_are_a_grid_of_outputs_and_inputs_with_gaps_between():
    found = of(4, 2, 3, 3)
    (heat,) = filters(found, "index").data
    assert heat.z.shape == (4 * 4 - 1, 2 * 4 - 1)
    for output in range(4):
        for input in range(2):
            tile = heat.z[4 * output : 4 * output + 3, 4 * input : 4 * input + 3]
            assert np.array_equal(tile, found.values[output, input])
    assert np.isnan(heat.z[3]).all()
    assert heat.zmax == pytest.approx(np.abs(found.values).max())
    assert heat.text[4][4] == "output 1, input 1"


def test_filters_of_one_pixel_are_a_matrix():
    found = of(6, 3, 1, 1)
    (heat,) = filters(found, "index").data
    assert np.array_equal(heat.z, found.values[:, :, 0, 0])


def test_filters_that_read_one_map_are_side_by_side():
    (heat,) = filters(of(20, 1, 3, 3), "index").data
    assert heat.z.shape == (2 * 4 - 1, 16 * 4 - 1)
    assert (heat.text[0][-1], heat.text[-1][0], heat.text[-1][-1]) == ("output 15", "output 16", "")


def test_of_many_filters_those_with_the_largest_norm_are_drawn():
    found = of(300, 60, 3, 3)
    chart = filters(found, "norm")
    assert chart.data[0].z.shape == (MOST_KERNELS * 4 - 1, MOST_KERNELS * 4 - 1)
    norms = np.linalg.norm(found.values.reshape(300, -1), axis=1)
    assert chart.data[0].text[0][0].startswith(f"output {norms.argmax()},")


@pytest.mark.parametrize("by", ORDERS)
def test_every_order_has_each_filter_once(by):
    assert sorted(arranged(of(12, 2, 3, 3).values, by)) == list(range(12))


def test_filters_are_sorted_by_norm_and_by_likeness():
    values = np.zeros((4, 1, 1, 2), np.float32)
    values[:, 0, 0] = [[1, 0.1], [0, 3], [0.1, 2], [2, 0]]
    assert arranged(values, "index") == [0, 1, 2, 3]
    assert arranged(values, "norm") == [1, 2, 3, 0]
    assert arranged(values, "likeness") == [1, 2, 0, 3]
