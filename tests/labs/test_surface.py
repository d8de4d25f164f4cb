"""The loss on a plane around a network."""

import copy

import pytest
import torch
from torch import nn

from explorer.data.loader import Split
from explorer.labs.surface import around, normalised

torch.manual_seed(0)


def network():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)
    )


def split():
    images = torch.randint(0, 255, (32, 1, 8, 8), dtype=torch.uint8)
    labels = torch.arange(32) % 3
    return Split(images, labels, torch.full((1, 1, 1), 0.5), torch.ones(1, 1, 1))


def walk(model, steps=4):
    path = []
    for step in range(steps):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.01 * (step + 1) * torch.randn_like(parameter)
        path.append({name: p.detach().clone() for name, p in model.named_parameters()})
    return path


def test_the_middle_of_the_plane_is_the_network_and_the_end_of_its_path():
    model, images = network().eval(), split()
    path = walk(model)
    before = copy.deepcopy(model.state_dict())
    found = around(model, images, path, points=5)
    assert found["at"] == [-1.0, -0.5, 0.0, 0.5, 1.0]
    batch = copy.deepcopy(model)
    batch[1].train()
    with torch.no_grad():
        logits = batch(images.normalise(images.images))
    expected = float(nn.functional.cross_entropy(logits, images.labels))
    assert found["loss"][2][2] == pytest.approx(expected, abs=1e-4)
    assert found["path"][-1] == (0.0, 0.0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training


def test_each_filter_of_a_direction_has_the_size_of_the_network_s_own():
    like = dict(network().named_parameters())
    direction = {name: torch.randn_like(value) for name, value in like.items()}
    scaled = normalised(direction, like)
    for name, value in like.items():
        if value.dim() < 2:
            assert not scaled[name].any()
        else:
            own = scaled[name].flatten(1).norm(dim=1)
            assert torch.allclose(own, value.flatten(1).norm(dim=1), rtol=1e-5)


def test_a_path_of_one_epoch_spans_no_plane():
    model = network().eval()
    with pytest.raises(ValueError, match="two epochs"):
        around(model, split(), walk(model, 1), points=3)
