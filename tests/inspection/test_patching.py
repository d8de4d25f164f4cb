import pytest
import torch
from inspection.trees import unchanged
from torch import nn

from explorer.branches import Branches
from explorer.inspection.parts import UnknownPartError
from explorer.inspection.patching import patched
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
