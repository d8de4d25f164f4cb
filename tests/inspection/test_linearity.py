import itertools

import pytest
import torch
import torch.nn.functional as F
from built_ins import REGISTRY
from hypothesis import assume, given
from hypothesis import strategies as st
from inspection.trees import blocks, property_test, settle, unchanged
from torch import nn
from torchvision.models import resnet18

from explorer.branches import Branches
from explorer.inspection.linearity import TOLERANCE, affine_error, linearity, linearity_between
from explorer.inspection.parts import UnknownPartError
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures


def verdicts(model, images=MNIST):
    return {verdict.block: verdict for verdict in linearity(model, images)}


def convolution(block, channels, kernel):
    """The convolution that answers to single dots as `block` does, as a function."""
    side = 4 * kernel + 1
    middle, half = side // 2, kernel // 2
    constant = block(torch.zeros(1, channels, side, side, dtype=torch.float64))
    weight = []
    for channel in range(channels):
        dot = torch.zeros(1, channels, side, side, dtype=torch.float64)
        dot[0, channel, middle, middle] = 1
        answer = (block(dot) - constant)[0]
        near = answer[:, middle - half :, middle - half :][:, :kernel, :kernel]
        assert near.abs().sum() == pytest.approx(answer.abs().sum().item())
        weight.append(near.flip(1, 2))
    weight, bias = torch.stack(weight, 1), constant[0, :, middle, middle]
    numbers = weight.numel() + bias.numel()
    return numbers, lambda x: F.conv2d(x, weight, bias, padding=half)


def linear(map, shape):
    """The matrix and the bias that do what `map` does, from each unit vector's answer."""
    units = torch.eye(torch.Size(shape).numel(), dtype=torch.float64).view(-1, *shape)
    bias = map(torch.zeros(1, *shape, dtype=torch.float64)).flatten(1)
    return map(units).flatten(1) - bias, bias


def apply(matrix_and_bias, x):
    matrix, bias = matrix_and_bias
    return x.flatten(1) @ matrix + bias


@torch.no_grad()
def test_one_5x5_convolution_could_replace_the_tutorials_first_inception_block(example):
    model = example("inception")
    with unchanged(model):
        verdict = verdicts(model)["incep1"]
    assert verdict.replacement is not None
    assert verdict.error < 1e-12
    assert verdict.replacement.text == "Conv2d(10, 88, 5×5)"
    assert verdict.replacement.parameters == 22_088

    block = model.incep1.double()
    numbers, replaced = convolution(block, 10, 5)
    assert numbers == 22_088
    x = torch.randn(3, 10, 12, 12, dtype=torch.float64)
    error = (replaced(x) - block(x)).abs()
    assert error[:, :, 2:-2, 2:-2].max() < 1e-12
    # At the border, the zeros around what the first of two convolutions gives are not its answer.
    assert error.max() > 1e-3
    assert not verdict.replacement.exact


@torch.no_grad()
def test_one_linear_layer_could_replace_all_from_the_tutorials_second_block_on(example):
    model = example("inception")
    verdict = verdicts(model)["incep2"]
    assert verdict.replacement is not None
    assert verdict.tail_error < 1e-12
    assert verdict.tail_replacement.text == "Linear(320, 10)"
    assert verdict.tail_replacement.parameters == 3_210
    assert verdict.tail_replacement.exact
    end = model.double()
    assert verdict.parameters == sum(p.numel() for p in end.incep2.parameters())
    assert verdict.tail_parameters == verdict.parameters + 88 * 16 * 10 + 10

    def tail(x):
        return end.linear(end.incep2(x).flatten(1))

    matrix, bias = linear(tail, (20, 4, 4))
    assert matrix.numel() + bias.numel() == 3_210
    x = torch.randn(50, 1, 28, 28, dtype=torch.float64)
    entering = end.incep1(F.relu(F.max_pool2d(end.conv1(x), 2)))
    entering = F.relu(F.max_pool2d(end.conv2(entering), 2))
    torch.testing.assert_close(apply((matrix, bias), entering), end(x), rtol=1e-11, atol=1e-11)


def test_what_follows_the_tutorials_first_block_is_not_affine(example):
    verdict = verdicts(example("inception"))["incep1"]
    assert verdict.tail_error > 1e-3
    assert verdict.tail_replacement is None


@pytest.mark.parametrize("name", ["inception-bn", "residual", "residual-bn"])
def test_blocks_with_activations_are_not_affine(name):
    found = linearity(settle(ARCHITECTURES[name].build(MNIST)), MNIST)
    assert len(found) > 1
    for verdict in found:
        assert verdict.replacement is None
        assert verdict.replacement is None
        assert verdict.error > 1e-3


def test_without_its_first_half_the_printed_residual_block_is_one_convolution():
    found = verdicts(ARCHITECTURES["residual-as-printed"].build(MNIST))
    replacements = {name: verdict.replacement for name, verdict in found.items()}
    assert replacements["block1"].text == "Conv2d(16, 16, 3×3)"
    assert replacements["block2"].text == "Conv2d(32, 32, 3×3)"
    assert replacements["block1"].exact


@st.composite
def affine(draw):
    torch.manual_seed(draw(st.integers(0, 2**31)))
    channels, size = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    block, width = draw(blocks(channels, 2, activations=False))
    return block.eval(), width, ImageSpec(channels, size, 3)


def with_classifier(block, width, images):
    flat = width * images.size**2
    return nn.Sequential(block, nn.Flatten(), nn.Linear(flat, images.num_classes))


@given(affine())
@property_test
@torch.no_grad()
def test_random_blocks_without_activations_are_affine_and_so_is_what_follows(drawn):
    block, width, images = drawn
    model = with_classifier(block, width, images)
    verdict = linearity(model, images)[0]
    assert verdict.replacement is not None
    assert verdict.tail_parameters == sum(p.numel() for p in model.parameters())
    entering = images.channels * images.size**2
    assert verdict.tail_replacement.text == f"Linear({entering}, 3)"
    assert verdict.tail_replacement.parameters == 3 * (entering + 1)
    model, shape = model.double(), (images.channels, images.size, images.size)
    x = torch.randn(4, *shape, dtype=torch.float64)
    torch.testing.assert_close(apply(linear(model, shape), x), model(x))


@given(affine())
@property_test
@torch.no_grad()
def test_the_convolution_that_could_replace_a_random_block_does(drawn):
    block, width, images = drawn
    replacement = linearity(with_classifier(block, width, images), images)[0].replacement
    assert replacement.text.startswith("Conv2d(")
    kernels = replacement.text.removesuffix(")").rpartition(" ")[2].split("×")
    rows, columns = map(int, kernels)
    assert replacement.text == f"Conv2d({images.channels}, {width}, {rows}×{columns})"
    assert replacement.parameters == images.channels * width * rows * columns + width
    block, reach = block.double(), max(rows, columns)
    _, replaced = convolution(block, images.channels, reach)
    x = torch.randn(2, images.channels, 3 * reach, 3 * reach, dtype=torch.float64)
    error = (replaced(x) - block(x)).abs()
    assert error[:, :, reach:-reach, reach:-reach].max() < 1e-9
    assert replacement.exact == (error.max().item() < 1e-9)


@given(affine(), st.booleans())
@property_test
def test_with_a_relu_in_one_of_its_branches_a_random_block_is_not_affine(drawn, inside):
    block, width, images = drawn
    assume(images.size > 1)
    relu = nn.Sequential(nn.ReLU(), nn.Conv2d(images.channels, 1, 1)) if inside else nn.ReLU()
    outer = Branches({"affine": block, "relu": relu})
    model = with_classifier(outer, width + (1 if inside else images.channels), images)
    found = linearity(model, images)
    assert found[0].replacement is None
    assert found[0].error > TOLERANCE
    assert found[0].tail_replacement is None
    assert found[1].block == "0.affine"
    assert found[1].replacement is not None


def block_and_linear(*layers, size=8, **branches):
    """A block, and what follows; its second branch does the same, if none is given."""
    if len(branches) == 1:
        branches["again"] = branches["a"]
    model = nn.Sequential(*layers, Branches(branches), nn.Flatten(), nn.LazyLinear(3))
    model(torch.randn(1, 1, size, size))
    return model


@pytest.mark.parametrize(
    ("branches", "text"),
    [
        ({"a": nn.Conv2d(1, 2, 3, stride=2, padding=1), "b": nn.AvgPool2d(2)}, "Linear(64, 48)"),
        ({"a": nn.Conv2d(1, 2, 3), "b": nn.Conv2d(1, 1, 3)}, "Linear(64, 108)"),
        (
            {"a": nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Unflatten(1, (1, 8, 8)))},
            "Linear(64, 128)",
        ),
    ],
    ids=["stride", "no padding", "its own size only"],
)
def test_a_block_that_is_no_convolution_of_its_maps_would_be_a_linear_layer(branches, text):
    (verdict,) = linearity(block_and_linear(**branches), ImageSpec(1, 8, 3))
    assert verdict.replacement is not None
    assert (verdict.replacement.text, verdict.replacement.exact) == (text, True)
    entering, leaving = map(int, text[7:-1].split(", "))
    assert verdict.replacement.parameters == entering * leaving + leaving


def test_a_block_that_does_something_else_at_every_place_is_no_convolution():
    class Ramp(nn.Module):
        def forward(self, x):
            return x * torch.linspace(0, 1, x.shape[3])

    (verdict,) = linearity(block_and_linear(a=Ramp()), ImageSpec(1, 8, 3))
    assert verdict.replacement.text == "Linear(64, 128)"


@torch.no_grad()
def test_batch_norm_is_affine_in_evaluation_and_the_network_stays_in_training():
    model = block_and_linear(a=nn.Conv2d(1, 2, 3, padding=1), b=settle(nn.BatchNorm2d(1)))
    model.train()
    with unchanged(model):
        (verdict,) = linearity(model, ImageSpec(1, 8, 3))
    assert verdict.replacement.text == "Conv2d(1, 3, 3×3)"
    norm = model[0]["b"].double()
    assert affine_error(norm, (1, 8, 8)) > 1e-3  # by the batch's own mean and variance


@pytest.mark.parametrize("layer", [nn.MaxPool2d(3, 1, 1), nn.GELU(), nn.InstanceNorm2d(1)], ids=str)
def test_maxima_activations_and_normalisation_by_the_image_are_not_affine(layer):
    (verdict,) = linearity(block_and_linear(a=layer), ImageSpec(1, 8, 3))
    assert verdict.replacement is None


def test_a_merge_that_multiplies_is_not_affine():
    def product(outputs):
        return outputs[0] * outputs[1]

    block = Branches({"a": nn.Conv2d(1, 1, 1), "b": nn.Identity()}, merge=product)
    (verdict,) = linearity(with_classifier(block, 1, ImageSpec(1, 8, 3)), ImageSpec(1, 8, 3))
    assert verdict.replacement is None


def test_a_block_that_always_gives_the_same_is_affine():
    conv = nn.Conv2d(1, 1, 1)
    nn.init.zeros_(conv.weight)
    nn.init.constant_(conv.bias, 0.1)
    (verdict,) = linearity(block_and_linear(a=conv), ImageSpec(1, 8, 3))
    assert verdict.replacement is not None


def test_the_weights_behind_a_block_without_any_count():
    model = block_and_linear(nn.Conv2d(1, 1, 1), a=nn.Identity(), b=nn.AvgPool2d(3, 1, 1))
    (verdict,) = linearity(model, ImageSpec(1, 8, 3))
    assert (verdict.parameters, verdict.tail_parameters) == (0, 128 * 3 + 3)


class Listed(nn.Module):
    """A stem, a block and a classifier, which run in this order and are listed in another."""

    def __init__(self, *order):
        super().__init__()
        torch.manual_seed(0)
        parts = {
            "stem": nn.Conv2d(1, 2, 5),
            "block": Branches({"a": nn.Conv2d(2, 1, 1), "b": nn.Conv2d(2, 1, 3, padding=1)}),
            "head": nn.Linear(2 * 16, 3),
        }
        for name in order:
            self.add_module(name, parts[name])

    def forward(self, x):
        return self.head(self.block(self.stem(x)).flatten(1))


@pytest.mark.parametrize("order", [*itertools.permutations(["stem", "block", "head"])])
def test_what_follows_a_block_is_what_runs_after_it_however_it_is_listed(order):
    (verdict,) = linearity(Listed(*order), ImageSpec(1, 8, 3))
    assert verdict.parameters == 2 + 1 + 18 + 1
    assert verdict.tail_parameters == verdict.parameters + 32 * 3 + 3


def test_the_blocks_are_judged_in_the_order_in_which_they_run():
    class Backwards(nn.Sequential):
        def forward(self, x):
            for layer in reversed(self):
                x = layer(x)
            return x

    one = Branches({"a": nn.Conv2d(2, 2, 1), "b": nn.Identity()}, merge="add")
    other = Branches({"a": nn.Conv2d(1, 1, 1), "b": nn.Identity()})
    model = Backwards(nn.Linear(128, 3), nn.Flatten(), one, other)
    first, second = linearity(model, ImageSpec(1, 8, 3))
    assert (first.block, second.block) == ("3", "2")
    assert first.tail_parameters == second.tail_parameters + 2


def test_what_runs_beside_a_block_within_another_does_not_follow_it():
    inner = Branches({"a": nn.Conv2d(1, 1, 1), "b": nn.Identity()}, merge="add")
    before, after = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 3, padding=1)
    left = nn.Sequential(before, inner, after)
    outer = Branches({"left": left, "right": nn.Conv2d(1, 1, 5, padding=2)})
    model = nn.Sequential(outer, nn.Flatten(), nn.Linear(2 * 16, 3))
    found = verdicts(model, ImageSpec(1, 4, 3))
    assert found["0"].tail_parameters == 2 + 2 + 10 + 26 + 99
    assert found["0.left.1"].tail_parameters == 2 + 10 + 99


def test_what_begins_where_a_block_within_another_begins_follows_from_there():
    inner = Branches({"a": nn.Conv2d(1, 1, 1), "b": nn.Identity()}, merge="add")
    outer = Branches({"left": nn.Sequential(inner, nn.ReLU()), "right": nn.Conv2d(1, 1, 1)})
    model = nn.Sequential(outer, nn.Flatten(), nn.Linear(2 * 16, 3))
    found = verdicts(model, ImageSpec(1, 4, 3))
    assert found["0"].tail_parameters == found["0.left.0"].tail_parameters == 2 + 2 + 99
    assert found["0.left.0"].parameters == 2


def test_what_follows_counts_parameters_that_no_layer_holds_and_shared_ones_once():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(5))
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x):
            return self.conv(x) * self.scale.mean()

    conv = nn.Conv2d(1, 1, 3, padding=1)
    block = Branches({"a": nn.Identity(), "b": nn.AvgPool2d(1)}, merge="add")
    model = nn.Sequential(conv, block, Scaled(), conv, conv, nn.Flatten(), nn.Linear(16, 3))
    (verdict,) = linearity(model, ImageSpec(1, 4, 3))
    assert verdict.tail_parameters == 5 + 10 + 10 + 51


def test_what_follows_the_first_run_of_a_block_includes_its_second():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(1, 1, 3, padding=1)}, merge="add")
    images = ImageSpec(1, 4, 3)
    for between, affine in ((nn.ReLU(), False), (nn.Identity(), True)):
        model = nn.Sequential(block, between, block, nn.Flatten(), nn.Linear(16, 3))
        first, second = linearity(model, images)
        assert (first.block, second.block) == ("0", "0#2")
        assert first.replacement == second.replacement
        assert first.replacement is not None
        assert (first.tail_replacement is not None) == affine
        assert second.tail_replacement is not None
        assert first.tail_parameters == second.tail_parameters == 10 + 51


def test_the_blocks_of_a_network_by_others_are_judged():
    torch.manual_seed(0)
    model = settle(resnet18(num_classes=10))
    with unchanged(model):
        found = linearity(model, ImageSpec(3, 32, 10))
    assert [verdict.block for verdict in found] == [
        f"layer{stage}.{number}" for stage in (1, 2, 3, 4) for number in (0, 1)
    ]
    assert not any(verdict.replacement or verdict.tail_replacement for verdict in found)
    assert all(verdict.error > TOLERANCE for verdict in found)  # there are ReLUs in all of them
    for first, second in itertools.pairwise(found):
        assert first.tail_parameters == first.parameters + second.tail_parameters
    assert found[-1].tail_parameters == found[-1].parameters + 512 * 10 + 10


def test_a_residual_block_in_plain_code_is_judged_as_the_same_one_in_a_container():
    class Plain(nn.Module):
        def __init__(self, *layers):
            super().__init__()
            self.residual = nn.Sequential(*layers)

        def forward(self, x):
            return x + self.residual(x)

    for last in (nn.ReLU(), nn.Identity()):
        layers = nn.Conv2d(1, 1, 3, padding=1), last
        plain = nn.Sequential(Plain(*layers), nn.Flatten(), nn.Linear(16, 3))
        paths = {"skip": nn.Identity(), "residual": nn.Sequential(*layers)}
        contained = nn.Sequential(Branches(paths, merge="add"), *plain[1:])
        assert linearity(plain, ImageSpec(1, 4, 3)) == linearity(contained, ImageSpec(1, 4, 3))


def test_the_affine_error_is_what_superposition_fails_by():
    assert affine_error(lambda x: 3 * x + 7, (2, 5)) < 1e-14
    assert affine_error(lambda x: x.abs(), (2, 5)) > 0.1
    assert affine_error(lambda x: x + 1e-6 * x.square(), (2, 5)) > TOLERANCE


class Stretches(nn.Module):
    """Two convolutions, an activation, a third one, and a classifier."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1)
        self.three, self.linear = nn.Conv2d(2, 2, 1), nn.Linear(2 * 36, 4)

    def forward(self, x):
        x = torch.relu(self.two(self.one(x)))
        return self.linear(self.three(x).flatten(1))


@pytest.mark.parametrize(
    ("first", "last", "parameters", "layer"),
    [
        ("one", "one", 30, "Conv2d(1, 3, 3×3)"),
        ("one", "two", 30 + 56, "Conv2d(1, 2, 5×5)"),
        ("three", "linear", 6 + 292, "Linear(72, 4)"),
        ("two", "relu()", 56, None),
        ("one", "linear", 30 + 56 + 6 + 292, None),
    ],
)
def test_any_stretch_of_a_network_can_be_judged(first, last, parameters, layer):
    verdict = linearity_between(Stretches(), ImageSpec(1, 6, 4), first, last)
    assert verdict.block == (first if first == last else f"{first} to {last}")
    assert verdict.parameters == parameters
    assert (verdict.replacement.text if verdict.replacement else None) == layer


def test_a_stretch_that_is_not_there_is_refused_with_a_sentence():
    images = ImageSpec(1, 6, 4)
    with pytest.raises(UnknownPartError, match="There is no part 'ones'; did you mean 'one'"):
        linearity_between(Stretches(), images, "ones", "two")
    with pytest.raises(UnknownPartError, match=r"one does not follow from three\."):
        linearity_between(Stretches(), images, "three", "one")


def test_a_network_that_runs_in_single_precision_only_is_judged_in_it():
    class Single(Stretches):
        def forward(self, x):
            return super().forward(x.float()).float()

    verdict = linearity_between(Single(), ImageSpec(1, 6, 4), "one", "two")
    assert verdict.replacement.text == "Conv2d(1, 2, 5×5)"
    assert verdict.error < 1e-4
