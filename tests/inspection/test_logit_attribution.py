import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from inspection.trees import Breaks, Noise, settle, unchanged
from torch import nn

from explorer.branches import Branches
from explorer.inspection.ablation import ablated
from explorer.inspection.activations import record
from explorer.inspection.logit_attribution import (
    UnknownBlockError,
    logit_attribution,
    logit_falls,
)
from explorer.inspection.parts import blocks
from explorer.inspection.tracing import trace
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures


@pytest.fixture
def images(digits):
    return digits.normalise(digits.images[:16])


def attributed(model, block, images):
    return logit_attribution(model, seen(model, images), block, images)


def close(found, wanted, tolerance):
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=0, atol=tolerance)


def seen(model, images):
    return trace(model, images, keep=lambda _: None)


def sums_to_the_logits(found, model, images):
    logits = record(model, images).logits
    total = found.bias + np.stack(list(found.branches.values())).sum(0)
    assert found.exact
    np.testing.assert_allclose(total, logits, rtol=0, atol=1e-4)


def is_what_each_logit_loses(found, model, images):
    assert not found.exact
    assert found.bias is None
    whole, run = record(model, images).logits, seen(model, images)
    (block,) = [block for block in blocks(run.parts) if block.name == found.block]
    assert list(found.branches) == list(block.branches)
    for name, values in found.branches.items():
        with ablated(model, run, [block.branches[name].path]):
            lost = whole - record(model, images).logits
        np.testing.assert_allclose(values, lost, rtol=0, atol=1e-4)


def test_the_contributions_of_the_tutorials_last_inception_block_sum_to_the_logits(example, images):
    model = example("inception")
    found = attributed(model, "incep2", images)
    assert found.block == "incep2"
    assert list(found.branches) == ["branch1x1", "branch5x5", "branch3x3", "branch_pool"]
    assert {values.shape for values in found.branches.values()} == {(16, 10)}
    sums_to_the_logits(found, model, images)
    close(found.bias, model.linear.bias.detach(), 1e-5)


def test_each_contribution_is_what_the_linear_layer_makes_of_that_branchs_maps(example, images):
    model = example("inception")
    maps, found = record(model, images).maps, attributed(model, "incep2", images)
    start = 0
    for name, values in found.branches.items():
        own = torch.from_numpy(maps[f"incep2.{name}"]).flatten(1)
        weight = model.linear.weight.detach()[:, start : start + own.shape[1]]
        close(values, own @ weight.T, 1e-4)
        start += own.shape[1]
    assert start == model.linear.in_features


@pytest.mark.parametrize(
    ("name", "block"), [("inception", "incep1"), ("residual", "block1"), ("residual", "block2")]
)
def test_what_a_relu_or_a_maximum_follows_is_not_exact_and_gives_what_each_logit_loses(
    name, block, example, images
):
    model = example(name)
    is_what_each_logit_loses(attributed(model, block, images), model, images)


def test_the_attribution_is_exact_through_the_mean_over_a_map(images):
    model = settle(ARCHITECTURES["inception-bn"].build(MNIST)).eval()
    found = attributed(model, "blocks.1", images)
    sums_to_the_logits(found, model, images)
    close(found.bias, model.linear.bias.detach(), 1e-5)
    assert not attributed(model, "blocks.0", images).exact


def test_the_attribution_of_a_sum_is_exact_if_only_a_linear_layer_follows(images):
    paths = {"skip": nn.Identity(), "residual": nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())}
    model = nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=4), Branches(paths, merge="add"), nn.Flatten(), nn.Linear(144, 10)
    )
    found = attributed(model, "1", images)
    sums_to_the_logits(found, model, images)
    maps, linear = record(model, images).maps, model[3]
    for name in paths:
        own = torch.from_numpy(maps[f"1.{name}"]).flatten(1)
        close(found.branches[name], own @ linear.weight.detach().T, 1e-5)


def test_the_whole_model_and_a_block_within_a_branch_can_be_asked_for():
    inner = Branches({"a": nn.Conv2d(1, 2, 4), "b": nn.Conv2d(1, 1, 4)})
    model = nn.Sequential(Branches({"x": inner, "y": nn.Conv2d(1, 1, 4)}), nn.Flatten())
    images = torch.randn(3, 1, 4, 4)
    sums_to_the_logits(attributed(model, "0", images), model, images)
    flat = Branches({n: nn.Sequential(nn.Flatten(), nn.Linear(16, 4)) for n in "ab"}, merge="add")
    sums_to_the_logits(attributed(flat, "add()", images), flat, images)
    # What the other branch of the outer block gives flows around the inner one.
    assert not attributed(model, "0.x", images).exact


def test_a_block_with_a_path_around_it_is_not_called_exact():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Branches({"a": nn.Conv2d(1, 1, 1), "b": nn.Identity()}, merge="add")
            self.linear = nn.Linear(16, 10)

        def forward(self, x):
            return self.linear((x + self.block(x)).flatten(1))

    model, images = Around(), torch.randn(4, 1, 4, 4)
    is_what_each_logit_loses(attributed(model, "block", images), model, images)


def test_a_relu_that_these_images_never_meet_is_found_by_random_ones():
    less = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(less.weight, -0.5)
    block = Branches({"skip": nn.Identity(), "less": less}, merge="add")
    model = nn.Sequential(block, nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(16, 10))
    nn.init.ones_(model[1].weight)
    nn.init.ones_(model[1].bias)
    images = torch.rand(4, 1, 4, 4)  # the ReLU gets 0.5 to 2 of them, whatever is off
    is_what_each_logit_loses(attributed(model, "0", images), model, images)


def test_a_relu_on_channels_that_are_side_by_side_keeps_the_attribution_exact():
    block = Branches({"a": nn.Conv2d(1, 2, 1), "b": nn.Conv2d(1, 1, 1)})
    model = nn.Sequential(block, nn.ReLU(), nn.Flatten(), nn.Linear(48, 10))
    images = torch.randn(4, 1, 4, 4)
    sums_to_the_logits(attributed(model, "0", images), model, images)


def test_a_merge_that_multiplies_is_not_called_exact():
    def product(outputs):
        return outputs[0] * outputs[1]

    block = Branches({"a": nn.Conv2d(1, 1, 1), "b": nn.Identity()}, merge=product)
    model, images = nn.Sequential(block, nn.Flatten(), nn.Linear(16, 10)), torch.randn(4, 1, 4, 4)
    is_what_each_logit_loses(attributed(model, "0", images), model, images)


@pytest.mark.parametrize("path", ["incep3", "linear", "incep1.branch5x5", ""])
def test_a_path_without_a_block_is_refused_with_a_sentence(path):
    model = ARCHITECTURES["inception"].build(MNIST)
    with pytest.raises(LookupError, match=f"^There is no block '{path}' in this network\\.$"):
        attributed(model, path, torch.randn(1, 1, 28, 28))


def test_the_last_block_of_a_network_by_others_is_attributed(stranger):
    images = torch.randn(2, 1, 32, 32)
    with unchanged(stranger):
        last = list(blocks(seen(stranger, images).parts))[-1].name
        found = attributed(stranger, last, images)
    assert {values.shape for values in found.branches.values()} == {(2, 10)}
    if len(found.branches) == 2 and "identity" in found.branches:  # a ReLU follows the sum
        is_what_each_logit_loses(found, stranger, images)
    else:  # what follows treats each channel by itself, up to the linear layer
        sums_to_the_logits(found, stranger, images)


def test_the_attribution_of_a_block_in_plain_code_is_that_of_the_same_branches():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 3, 3, padding=1)
            self.linear = nn.Linear(5 * 16, 10)

        def forward(self, x):
            first, second = self.one(x), self.other(x)
            return self.linear(torch.cat([first, second], 1).flatten(1))

    model, images = Plain(), torch.randn(4, 1, 4, 4)
    found = attributed(model, "cat()", images)
    assert list(found.branches) == ["first", "second"]
    sums_to_the_logits(found, model, images)
    with torch.no_grad():
        weight = model.linear.weight
        first = model.one(images).flatten(1) @ weight[:, :32].T
        second = model.other(images).flatten(1) @ weight[:, 32:].T
    close(found.branches["first"], first, 1e-5)
    close(found.branches["second"], second, 1e-5)
    close(found.bias, model.linear.bias.detach(), 1e-5)


def test_attributing_leaves_the_network_unchanged_even_after_an_exception():
    block = Branches({"a": nn.BatchNorm2d(1), "b": nn.Dropout()})
    layers = [block, nn.Flatten(), nn.Linear(32, 10)]
    images = torch.randn(4, 1, 4, 4)
    model = nn.Sequential(*layers).train()
    with unchanged(model):
        assert attributed(model, "0", images).exact
    run = seen(model, images)
    model = Breaks(*layers, Noise()).train()
    with unchanged(model), pytest.raises(RuntimeError, match="on purpose"):
        logit_attribution(model, run, "0", images)


@pytest.mark.parametrize(
    ("name", "block"), [("inception", "incep1"), ("inception", "incep2"), ("residual", "block1")]
)
def test_what_a_logit_loses_without_a_branch_is_its_contribution_where_that_is_exact(
    example, images, name, block
):
    model, image = example(name), images[:1]
    run = seen(model, image)
    falls, found = logit_falls(model, run, block, image), attributed(model, block, image)
    assert list(falls) == list(found.branches)
    assert {values.shape for values in falls.values()} == {(10,)}
    for branch, values in falls.items():
        np.testing.assert_allclose(values, found.branches[branch][0], rtol=0, atol=1e-3)


def test_nothing_falls_in_a_block_that_is_not_there(example, images):
    model = example("residual")
    with pytest.raises(UnknownBlockError, match="There is no block 'block9' in this network"):
        logit_falls(model, seen(model, images[:1]), "block9", images[:1])
