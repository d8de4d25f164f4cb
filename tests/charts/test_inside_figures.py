import numpy as np
import pytest

from explorer.charts.bars import Worth, percent, probabilities, shares, worths
from explorer.charts.grids import confusion, gradient_history
from explorer.charts.maps import MOST_KERNELS, ORDERS, arranged, filters, saliency
from explorer.inspection.results import Filters
from explorer.training.events import Gradients

DIGITS = tuple("0123456789")


def test_probabilities_mark_the_correct_class_and_write_out_what_matters():
    values = [0.0] * 10
    values[7], values[1] = 0.9, 0.1
    chart = probabilities(values, DIGITS, correct=1)
    assert chart.layout.yaxis.ticktext[1] == "<b>1 ✓</b>"
    assert chart.data[0].text[7] == "90.0 %"
    assert chart.data[0].text[0] == ""
    assert chart.data[0].marker.color[7] != chart.data[0].marker.color[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "50.0 %"), (0.9994, "99.9 %"), (0.9999999, ">99.9 %"), (1.0, ">99.9 %")],
)
def test_no_certainty_is_called_complete(value, text):
    assert percent(value) == text


def test_the_branch_that_costs_most_comes_first():
    found = [Worth("a", "#111111", 0.97, 0.1), Worth("b", "#222222", 0.4, 2.0)]
    chart = worths(found, accuracy=0.98)
    assert list(chart.layout.yaxis.ticktext) == ["b", "a"]
    assert list(chart.data[0].x) == pytest.approx([58, 1])
    assert list(chart.data[0].marker.color) == ["#222222", "#111111"]
    assert list(chart.data[0].text) == ["40.00 %", "97.00 %"]


def test_a_branch_without_which_it_is_better_has_room_to_the_left():
    chart = worths([Worth("a", "#111111", 0.99, 0.1)], accuracy=0.98)
    assert chart.layout.xaxis.range[0] < chart.data[0].x[0] < 0


def test_what_a_branch_costs_is_in_words_under_the_pointer():
    found = [Worth("a", "#111111", 0.99, 0.1), Worth("b", "#222222", 0.4, 2.0)]
    costs = [words for _, words, _ in worths(found, accuracy=0.98).data[0].customdata]
    assert costs == ["58.00 points less", "1.00 points more"]


def test_exact_shares_show_the_bias_and_the_logits_that_they_sum_to():
    chart = shares(
        {"a": [1.0, -2.0], "b": [0.5, 3.0]}, [0.25, 0.5], {"a": "red", "b": "blue"}, "01"
    )
    traces = {trace.name: trace for trace in chart.data}
    assert list(traces["logit"].y) == pytest.approx([1.75, 1.5])
    assert list(traces["bias"].y) == [0.25, 0.5]
    inexact = shares({"a": [1.0, -2.0]}, None, {"a": "red"}, "01")
    assert [trace.name for trace in inexact.data] == ["a"]


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


def test_the_confusion_shows_what_is_wrong_only():
    heat = confusion([[5, 0], [2, 7]], ["cat", "dog"]).data[0]
    assert [list(row) for row in heat.z] == [[None, None], [2, None]]


def test_a_colour_image_is_shown_in_colour():
    chart = saliency(
        np.zeros((3, 32, 32), np.uint8), [("occlusion", np.ones((32, 32), np.float32))]
    )
    assert chart.data[0].type == "image"
    assert chart.data[1].zmin == 0


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
