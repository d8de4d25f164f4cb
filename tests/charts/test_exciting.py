import numpy as np
import pytest

from explorer.charts.exciting import class_means, seen_by, tile
from explorer.charts.patching import MOST_CLASSES, Carried, answers, carried
from explorer.inspection.excitation import Excitation, Excited, Ranked
from explorer.inspection.fields import NOTHING, Extent, ReceptiveField


def extent(size, stride, offset, units, pixels):
    spans = []
    for unit in range(units):
        first, last = offset + unit * stride, offset + unit * stride + size - 1
        spans.append((max(0, first), min(pixels - 1, last)))
    return Extent(tuple(spans), pixels)


# A 5×5 convolution with padding 2; one of 4×4 with stride 2 and padding 1 across.
FIELD = ReceptiveField(extent(5, 1, -2, 28, 28), extent(4, 2, -1, 14, 28))


@pytest.mark.parametrize(
    ("unit", "window"),
    [
        ((10, 5), (8, 12, 9, 12)),
        ((0, 0), (-2, 2, -1, 2)),
        ((27, 13), (25, 29, 25, 28)),
        ((1, 13), (-1, 3, 25, 28)),
    ],
)
def test_what_a_unit_sees_goes_beyond_the_border_where_its_field_does(unit, window):
    assert seen_by(Excited(3, 1.0, unit), FIELD) == window


def test_where_there_is_no_place_the_whole_image_is_shown():
    whole = ReceptiveField(Extent(((0, 27),), 28), Extent(((0, 27),), 28))
    blind = ReceptiveField(Extent((NOTHING, (0, 3)), 28), Extent(((0, 3), (4, 9)), 28))
    assert seen_by(Excited(3, 1.0, None), FIELD) is None
    assert seen_by(Excited(3, 1.0, (0, 0)), whole) is None
    assert seen_by(Excited(3, 1.0, (0, 0)), None) is None
    assert seen_by(Excited(3, 1.0, (0, 1)), blind) is None


def test_fields_that_no_rule_gives_are_shown_as_far_as_they_are_known():
    uneven = Extent(((0, 4), (3, 9), (4, 20)), 28)
    found = seen_by(Excited(0, 1.0, (1, 2)), ReceptiveField(uneven, uneven))
    assert found == (3, 9, 4, 20)


def test_a_grey_image_is_sent_in_three_colours():
    sent = tile(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), 7, ["a"], (0, 1, 0, 1), "hint")
    assert (sent["height"], sent["width"], sent["number"]) == (2, 3, 7)
    assert len(sent["pixels"]) == 24  # 18 bytes
    assert sent["window"] == [0, 1, 0, 1]


def excitation(means, counts):
    ranked = Ranked(*(np.zeros((1, 1), np.int64) for _ in range(3)), np.ones(1, np.int64))
    return Excitation(
        shape=(1, 2, 2),
        most=ranked,
        least=ranked,
        counts=np.array(counts)[:, None],
        means=np.array(means)[:, None],
        stds=np.ones((len(means), 1)),
    )


def test_the_class_that_excites_a_channel_most_is_marked_and_one_without_images_left_out():
    chart = class_means(excitation([1.0, np.nan, 3.0], [5, 0, 4]), 0, ["a", "b", "c"])
    assert list(chart.data[-1].x) == [1, 3]
    assert list(chart.data[-1].y) == [0, 2]
    assert list(chart.layout.yaxis.ticktext) == ["a", "b", "<b>c</b>"]


def test_of_many_classes_those_that_are_likely_in_a_run_are_drawn():
    probabilities = np.full((3, 50), 0.001, np.float32)
    probabilities[[0, 1, 2], [40, 3, 17]] = 0.9
    chart = answers(*probabilities, [f"class {number}" for number in range(50)])
    names = list(chart.layout.yaxis.ticktext)
    assert len(names) == MOST_CLASSES
    assert {"class 3", "class 17", "class 40"} <= set(names)
    assert names == sorted(names, key=lambda name: int(name.split()[1]))


def test_parts_that_go_back_or_beyond_have_room_and_the_chosen_one_is_marked():
    found = [Carried("a", 0, "", False, -0.25), Carried("b", 1, "#1b9e77", True, 1.5)]
    chart = carried(found, "b")
    low, high = chart.layout.xaxis.range
    assert low < -0.25
    assert high > 1.5
    assert list(chart.data[0].text) == ["−25 %", "150 %"]
    assert list(chart.layout.yaxis.ticktext) == ["a", "<b>b</b>"]
