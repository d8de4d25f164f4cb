import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.charts.updates import TICKS, update_sizes
from explorer.training.events import Update

NORMS = st.floats(0, 1e6) | st.just(0.0)


def update(gradients, updates, weights):
    return Update(7, 1, (0,), (1,), (0.5,), gradients, updates, weights)


def test_layers_go_from_the_image_to_the_logits_and_updates_are_shares_of_the_parameters():
    norms = {"conv": 0.2, "linear": 0.04}
    chart = update_sizes(
        update(norms, {"conv": 0.01, "linear": 0.02}, {"conv": 4.0, "linear": 0.0}),
        ["linear", "unused", "conv"],
    )
    gradients, moved = chart["data"]
    assert gradients["y"] == moved["y"] == ["linear", "conv"]
    assert gradients["x"] == [0.04, 0.2]
    assert moved["x"] == [None, pytest.approx(0.0025)]  # of nothing, there is no share
    assert gradients["marker"]["symbol"] != moved["marker"]["symbol"]
    assert chart["layout"]["yaxis"]["autorange"] == "reversed"


@given(st.lists(st.tuples(NORMS, NORMS, NORMS), min_size=1, max_size=8))
def test_all_that_is_drawn_is_within_the_axes_which_have_few_ticks(norms):
    names = [f"layer{place}" for place in range(len(norms))]
    columns = (dict(zip(names, column, strict=True)) for column in zip(*norms, strict=True))
    chart = update_sizes(update(*columns), names)
    axes = chart["layout"]["xaxis"], chart["layout"]["xaxis2"]
    shown = [
        (low <= math.log10(value) <= high, 1 <= len(axis["tickvals"]) <= TICKS)
        for line, axis in zip(chart["data"], axes, strict=True)
        for low, high in [axis["range"]]
        for value in line["x"]
        if value is not None
    ]
    assert shown.count((True, True)) == len(shown)
