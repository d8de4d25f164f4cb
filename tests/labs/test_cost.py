from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from explorer.labs.cost import Design, behind_1x1, break_even, direct, macs, parameters

TEXTBOOK = Design(size=28, channels=192, kernel=5, filters=32, reduced=16)
SMALL = st.integers(1, 12)
DESIGNS = st.builds(Design, SMALL, SMALL, st.sampled_from([1, 3, 5, 7]), SMALL, SMALL)


def test_the_textbook_s_case_is_the_product_and_not_the_figure_that_circulates():
    assert macs(direct(TEXTBOOK)) == 120_422_400
    assert [layer.macs for layer in behind_1x1(TEXTBOOK)] == [2_408_448, 10_035_200]
    assert macs(behind_1x1(TEXTBOOK)) == 12_443_648 != 12_433_648


def test_the_first_inception_module_of_googlenet():
    # arXiv:1409.4842, table 1, row "inception (3a)": 64, 96 → 128, 16 → 32, and 32 behind a pool.
    one, pool = (direct(replace(TEXTBOOK, kernel=1, filters=n))[0] for n in (64, 32))
    three = Design(28, 192, 3, 128, 96)
    reduced = (one, *behind_1x1(three), *behind_1x1(TEXTBOOK), pool)
    without = (one, *direct(three), *direct(TEXTBOOK))
    assert sum(layer.weights for layer in reduced) == 163_328
    assert macs(reduced) == 128_049_152
    assert sum(layer.weights for layer in without) == 387_072
    assert macs(without) == 303_464_448


def test_in_the_tutorial_s_net_the_1x1_widens_and_costs():
    # 10 channels, 16 of the 1×1, 24 filters of 5×5.
    tutorial = Design(12, 10, 5, 24, 16)
    assert [layer.parameters for layer in behind_1x1(tutorial)] == [176, 9_624]
    assert [layer.weights for layer in behind_1x1(tutorial)] == [160, 9_600]
    assert direct(tutorial)[0].weights == 6_000
    assert tutorial.reduced > break_even(tutorial)


@given(DESIGNS)
def test_parameters_are_those_of_torch_s_layers(design):
    half = design.kernel // 2
    single = nn.Conv2d(design.channels, design.filters, design.kernel, padding=half)
    double = nn.Sequential(
        nn.Conv2d(design.channels, design.reduced, 1),
        nn.Conv2d(design.reduced, design.filters, design.kernel, padding=half),
    )
    images = torch.zeros(1, design.channels, design.size, design.size)
    for layers, module in ((direct(design), single), (behind_1x1(design), double)):
        assert parameters(layers) == sum(p.numel() for p in module.parameters())
        assert module(images).shape == (1, design.filters, design.size, design.size)


@given(DESIGNS)
def test_a_1x1_saves_with_fewer_channels_than_at_the_break_even_and_costs_with_more(design):
    even = break_even(design)
    assert 0 < even < min(design.channels, design.kernel**2 * design.filters)
    saves = macs(behind_1x1(design)) < macs(direct(design))
    assert saves == (design.reduced < even)
