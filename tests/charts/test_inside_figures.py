import math

import numpy as np
import pytest

from explorer.charts.bars import Worth, percent, probabilities, shares, worths
from explorer.charts.grids import confusion, gradient_history
from explorer.charts.maps import feature_map, filters, saliency
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


IMAGE = np.arange(784, dtype=np.uint8).reshape(1, 28, 28)


def test_a_map_is_beside_the_image_and_its_filter_which_has_another_ramp():
    values = np.array([[-1.0, 2.0], [0.5, 0.0]], np.float32)
    planes = np.array([[[0.1, -0.4], [0.2, 0.3]]], np.float32)
    chart = feature_map(IMAGE, values, 2.0, "channel 3", planes)
    image, filter, map = chart.data
    assert np.array_equal(image.z, IMAGE[0])
    assert np.array_equal(filter.z, planes[0])
    assert np.array_equal(map.z, values)
    assert (map.zmin, map.zmax) == (-2, 2)
    assert (filter.zmin, filter.zmax) == pytest.approx((-0.4, 0.4))
    assert filter.colorscale != map.colorscale
    assert map.showscale
    assert [a.text for a in chart.layout.annotations] == ["image", "its filter, ±0.4", "channel 3"]
    assert len(feature_map(IMAGE, values, 2.0, "channel 3", None).data) == 2


def test_row_zero_is_at_the_top_and_pixels_are_square():
    chart = feature_map(IMAGE, IMAGE[0].astype(np.float32), 255.0, "x", None)
    for axis in (chart.layout.yaxis, chart.layout.yaxis2):
        assert axis.range[0] > axis.range[1]
    assert chart.layout.yaxis2.scaleanchor == "x2"


def test_a_colour_image_is_shown_in_colour():
    chart = saliency(
        np.zeros((3, 32, 32), np.uint8), [("occlusion", np.ones((32, 32), np.float32))]
    )
    assert chart.data[0].type == "image"
    assert chart.data[1].zmin == 0


def test_filters_are_tiles_with_gaps_between():
    values = np.arange(4 * 2 * 9, dtype=np.float32).reshape(4, 2, 3, 3)
    mosaic = filters(values).data[0].z
    assert mosaic.shape == (3, 4 * 4 - 1)
    assert np.array_equal(mosaic[:, :3], values[0].mean(axis=0))
    assert np.isnan(mosaic[:, 3]).all()


def test_filters_of_one_pixel_have_no_gaps_between():
    mosaic = filters(np.ones((6, 3, 1, 1), np.float32)).data[0].z
    assert mosaic.shape == (1, 6)
    assert not any(math.isnan(value) for value in mosaic[0])
