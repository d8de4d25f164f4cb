import pytest
import torch
from hypothesis import given
from inspection.trees import UNUSUAL, networks, property_test, unchanged
from torch import nn

from explorer.branches import Branches
from explorer.inspection.parts import UnknownPartError
from explorer.inspection.patching import patched, patched_each
from explorer.inspection.tracing import trace


class Net(nn.Module):
    """A stem, a block and a classifier, in plain code."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.conv = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 3, 3, padding=1)
        self.drop, self.linear = nn.Dropout(), nn.Linear(3 * 36, 4)

    def forward(self, x, skip=None, conv=None, stem=None):
        x = torch.relu(self.stem(x)) if stem is None else stem
        y = self.conv(x) if conv is None else conv
        x = (x if skip is None else skip) + y
        return self.linear(self.drop(torch.relu(x)).flatten(1))


IMAGES, DONOR = torch.randn(3, 1, 8, 8), torch.randn(1, 8, 8)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("add().skip", "skip"),
        ("conv", "conv"),
        ("add().conv", "conv"),
        ("relu()", "stem"),
    ],
)
def test_a_part_gives_what_it_gave_for_another_image(name, given):
    model = Net()
    seen = trace(model, IMAGES, keep=lambda _: None)
    with unchanged(model):
        found = patched(model, seen, name, IMAGES, DONOR)
    model.eval()
    with torch.no_grad():
        stem = torch.relu(model.stem(DONOR[None])).expand(3, -1, -1, -1)
        values = {"skip": stem, "stem": stem, "conv": model.conv(stem)}
        torch.testing.assert_close(found, model(IMAGES, **{given: values[given]}))
        assert not torch.allclose(found, model(IMAGES), atol=1e-3)


def test_a_patch_of_all_that_follows_is_the_other_image_s_answer():
    model = Net()
    seen = trace(model, IMAGES, keep=lambda _: None)
    found = patched(model, seen, "relu()#2", IMAGES, DONOR)
    with torch.no_grad():
        wanted = model.eval()(DONOR[None])
    torch.testing.assert_close(found, wanted.expand(3, -1))


def test_a_whole_block_can_be_patched():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(1, 1, 1)}, merge="add")
    model = nn.Sequential(block, nn.Flatten(), nn.Linear(64, 3)).eval()
    seen = trace(model, IMAGES, keep=lambda _: None)
    with torch.no_grad():
        wanted = model(DONOR[None]).expand(3, -1)
    torch.testing.assert_close(patched(model, seen, "0", IMAGES, DONOR), wanted)


def test_a_part_that_is_not_there_is_refused_with_a_sentence():
    model = Net()
    seen = trace(model, IMAGES, keep=lambda _: None)
    with pytest.raises(UnknownPartError, match=r"There is no part 'konv'; did you mean 'conv'\?"):
        patched(model, seen, "konv", IMAGES, DONOR)


def same_as_one_by_one(model, image, donor):
    """Compare patching all parts at once with patching one after the other; return the names."""
    seen = trace(model, image[None], keep=lambda _: None)
    with unchanged(model):
        found = patched_each(model, seen, image, donor)
    for name, logits in found.items():
        wanted = patched(model, seen, name, image[None], donor)[0]
        torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)
    return found


@property_test
@given(networks())
def test_all_parts_are_patched_at_once_as_they_are_one_by_one(network):
    model, images = network
    donor = torch.randn_like(images[0])
    found = same_as_one_by_one(model, images[0], donor)
    assert set(found) >= set(trace(model, images[:1], keep=lambda _: None).kept)


@pytest.mark.parametrize("name", UNUSUAL)
def test_all_parts_of_unusual_networks_can_be_patched(name):
    assert same_as_one_by_one(UNUSUAL[name](), IMAGES[0], DONOR)


def test_more_parts_than_run_at_once_are_all_patched(monkeypatch):
    monkeypatch.setattr("explorer.inspection.patching.TOGETHER", 3)
    assert len(same_as_one_by_one(Net(), IMAGES[0], DONOR)) > 6


def test_of_a_network_that_mixes_images_parts_are_patched_one_after_the_other():
    class Mixes(nn.Module):
        """Takes what is above the mean of the batch."""

        def __init__(self):
            super().__init__()
            self.conv, self.linear = nn.Conv2d(1, 3, 3), nn.Linear(3 * 36, 4)

        def forward(self, x):
            x = self.conv(x)
            return self.linear((x - 0.5 * x.mean(0, keepdim=True)).flatten(1))

    assert {"conv", "linear"} <= set(same_as_one_by_one(Mixes(), IMAGES[0], DONOR))


def test_a_network_with_the_images_along_another_side_is_patched_one_by_one():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.linear = nn.Linear(8, 5), nn.Linear(40, 4)

        def forward(self, x):
            x = torch.relu(self.embed(x[:, 0].transpose(0, 1)))  # rows first, then images
            return self.linear(x.transpose(0, 1).flatten(1))

    assert {"embed", "relu()"} <= set(same_as_one_by_one(Turned(), IMAGES[0], DONOR))


def test_a_part_that_the_donor_does_not_pass_is_left_out():
    class Chooses(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.linear = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(64, 4)

        def forward(self, x):
            if x.mean() > 0:
                x = self.conv(x)
            return self.linear(x.flatten(1))

    model = Chooses()
    seen = trace(model, torch.ones(1, 1, 8, 8), keep=lambda _: None)
    found = patched_each(model, seen, torch.ones(1, 8, 8), -torch.ones(1, 8, 8))
    assert "conv" not in found
    with torch.no_grad():
        torch.testing.assert_close(found["linear"], model.eval()(-torch.ones(1, 1, 8, 8))[0])
