import math

import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from torch import nn

from explorer.inspection.results import Filters
from explorer.inspection.weights import filters
from explorer.spec import ImageSpec

ARCHITECTURES = REGISTRY.architectures


def of(*values):
    """Filters of one channel, one row."""
    return Filters("conv", np.float32(values)[:, None, None, :], None)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_filters_of_every_built_in_are_its_convolutions_weights(name):
    model = ARCHITECTURES[name].build(ImageSpec(1, 28, 10))
    found = filters(model)
    state = model.state_dict()
    assert list(found) == [
        name.removesuffix(".weight")
        for name, tensor in state.items()
        if name.endswith(".weight") and tensor.ndim == 4
    ]
    for path, own in found.items():
        assert own.path == path
        assert np.array_equal(own.values, state[f"{path}.weight"])
        assert (own.bias is None) == (f"{path}.bias" not in state)
        assert own.bias is None or np.array_equal(own.bias, state[f"{path}.bias"])


def test_all_convolutions_of_networks_by_others_are_there(stranger):
    found = filters(stranger)
    assert sum(own.values.size for own in found.values()) == sum(
        p.numel() for p in stranger.parameters() if p.ndim == 4
    )


def test_grouped_filters_see_their_groups_channels_alone():
    assert filters(nn.Conv2d(4, 6, (3, 5), groups=2))[""].values.shape == (6, 2, 3, 5)


def test_the_filters_are_plain_copies():
    conv = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
    own = filters(conv)[""]
    before = conv.weight.detach().clone(), conv.bias.detach().clone()
    assert type(own.values) is type(own.bias) is np.ndarray
    assert own.values.flags.c_contiguous
    own.values[:] = 0
    own.bias[:] = 0
    assert torch.equal(conv.weight, before[0])
    assert torch.equal(conv.bias, before[1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_filters_of_any_precision_are_given_in_single(dtype):
    conv = nn.Conv2d(3, 8, 3).to(dtype)
    own = filters(conv)[""]
    assert own.values.dtype == own.bias.dtype == own.norms.dtype == np.float32
    assert np.array_equal(own.values, conv.weight.detach().float())
    assert np.array_equal(own.bias, conv.bias.detach().float())


def test_norms_mean_and_deviation_are_those_of_plain_python():
    own = of([3, 4, 0], [-1, 2, -2])
    assert own.norms.tolist() == [5, 3]
    values = [3, 4, 0, -1, 2, -2]
    assert own.mean == 1
    assert own.std == pytest.approx(math.sqrt(sum((v - 1) ** 2 for v in values) / 6))


@pytest.mark.parametrize(
    ("values", "likeness"),
    [
        ([[1, 2], [2, 4]], 1),
        ([[1, 2], [-3, -6]], 1),
        ([[1, 0], [0, 5]], 0),
        ([[1, 0], [0, 5], [3, 3]], math.sqrt(0.5)),
        ([[3, 4], [4, 3]], 24 / 25),
        ([[0, 0], [1, 0]], 0),
        ([[7, 7]], 0),
    ],
)
def test_the_likeness_is_the_greatest_cosine_of_two_different_filters(values, likeness):
    assert of(*values).likeness == pytest.approx(likeness, abs=1e-6)
