import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from built_ins import REGISTRY
from hypothesis import assume, given
from hypothesis import strategies as st
from inspection.trees import (
    MEASURED,
    Breaks,
    by_hand,
    networks,
    property_test,
    small_data,
    unchanged,
)
from torch import nn

from explorer.branches import Branches, add, concat
from explorer.inspection.ablation import AblationError, ablated, mean_outputs
from explorer.inspection.activations import record
from explorer.inspection.intervene import InterventionError
from explorer.inspection.parts import Block, blocks, branches
from explorer.inspection.tracing import trace
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures


def seen(model, images):
    return trace(model, images, keep=lambda _: None)


def product(outputs):
    return outputs[0] * outputs[1]


def two(merge="concat"):
    """A block between a convolution and a ReLU."""
    block = Branches({"left": nn.Conv2d(2, 3, 1), "right": nn.Conv2d(2, 3, 3, padding=1)}, merge)
    return nn.Sequential(nn.Conv2d(1, 2, 1), block, nn.ReLU())


@given(networks(), st.data())
@property_test
def test_branches_that_are_off_count_as_zeros_where_they_are_merged(drawn, data):
    model, images = drawn
    run = seen(model, images)
    paths = list(branches(run.parts))
    assume(paths)
    off = data.draw(st.lists(st.sampled_from(paths), unique=True, max_size=len(paths)))
    with torch.no_grad(), unchanged(model):
        whole = model(images)
        with ablated(model, run, off):
            answer = model(images)
        again = model(images)
    assert torch.equal(answer, by_hand(model, images, off=off))
    assert torch.equal(again, whole)


@given(networks())
@property_test
def test_with_all_branches_of_every_block_off_each_block_gives_zeros_of_its_shape(drawn):
    model, images = drawn
    run = seen(model, images)
    found = [part for part in run.parts if isinstance(part, Block)]
    assume(found)
    off = [branch.path for block in found for branch in block.branches.values()]
    shapes = {block.name: record(model, images).maps[block.name].shape for block in found}
    with ablated(model, run, off):
        maps = record(model, images).maps
    for name, shape in shapes.items():
        assert np.array_equal(maps[name], np.zeros(shape))


@given(networks())
@property_test
def test_with_nothing_off_nothing_changes_to_the_bit(drawn):
    model, images = drawn
    with torch.no_grad():
        whole = model(images)
        with ablated(model, seen(model, images), []):
            assert torch.equal(model(images), whole)


@pytest.mark.parametrize("name", ["residual", "residual-as-printed", "residual-bn"])
def test_a_sum_without_its_skip_is_the_residual_and_without_the_residual_the_input(name):
    model, images = ARCHITECTURES[name].build(MNIST), torch.randn(2, 1, 28, 28)
    run, whole = seen(model, images), record(model, images).maps
    found = [block.name for block in blocks(run.parts)]
    assert len(found) > 1
    last = "conv2" if name == "residual-as-printed" else "residual"
    for path in found:
        skip, residual = f"{path}.skip", f"{path}.{last}"
        assert np.array_equal(whole[path], whole[skip] + whole[residual])
        with ablated(model, run, [skip]):
            assert np.array_equal(record(model, images).maps[path], whole[residual])
        with ablated(model, run, [residual]):
            assert np.array_equal(record(model, images).maps[path], whole[skip])


@pytest.mark.parametrize("name", sorted(ARCHITECTURES.keys() - MEASURED))
def test_a_built_in_without_some_branches_gives_what_it_does_by_hand(name):
    model, images = ARCHITECTURES[name].build(MNIST).eval(), torch.randn(2, 1, 28, 28)
    run = seen(model, images)
    off = list(branches(run.parts))[1::3]
    with torch.no_grad(), ablated(model, run, off):
        answer = model(images)
    with torch.no_grad():
        whole = model(images)
        torch.testing.assert_close(answer, by_hand(model, images, off=off))
    assert torch.equal(answer, whole) == (not off)


def test_a_branch_that_is_off_leaves_zeros_between_its_neighbours_channels():
    model = ARCHITECTURES["inception"].build(MNIST)
    images = torch.randn(2, 1, 28, 28)
    whole = record(model, images).maps["incep1"]
    with ablated(model, seen(model, images), ["incep1.branch5x5"]):
        without = record(model, images).maps["incep1"]
    assert np.array_equal(without[:, :16], whole[:, :16])
    assert not without[:, 16:40].any()
    assert np.array_equal(without[:, 40:], whole[:, 40:])
    assert whole[:, 16:40].all()


def test_a_channel_that_is_off_is_zero_and_the_others_do_not_change():
    model, images = two(), torch.randn(3, 1, 4, 5)
    whole = record(model, images).maps
    run = seen(model, images)
    with unchanged(model), ablated(model, run, ["0:1"]):
        maps = record(model, images).maps
    wanted = torch.from_numpy(whole["0"].copy())
    wanted[:, 1] = 0
    assert wanted[:, 0].all()
    assert np.array_equal(maps["0"], wanted)
    with torch.no_grad():
        assert np.array_equal(maps["1.left"], model[1]["left"](wanted))
        assert np.array_equal(maps["1.right"], model[1]["right"](wanted))


def test_several_channels_of_several_modules_go_off_at_once():
    model, images = two(), torch.randn(3, 1, 4, 5)
    with torch.no_grad():
        block = model[1](model[0](images) * torch.tensor([1.0, 0]).view(2, 1, 1))
        block[:, [0, 4]] = 0
        with ablated(model, seen(model, images), ["1:0", "0:1", "1:4"]):
            assert torch.equal(model(images), block.clamp(min=0))


def test_the_channels_of_a_flat_output_and_of_the_logits_can_be_off():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU())
    images = torch.randn(2, 1, 2, 2)
    with torch.no_grad():
        wanted = model(images)
        wanted[:, 3] = 0
        with ablated(model, seen(model, images), ["1:3"]):
            assert torch.equal(model(images), wanted)


def test_the_channels_of_a_branch_and_of_an_operation_can_be_off():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.other = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 3, 1)

        def forward(self, x):
            return torch.relu(self.conv(x)) + self.other(x)

    model, images = Gated(), torch.randn(2, 1, 4, 5)
    run, mask = seen(model, images), torch.tensor([1.0, 0, 1]).view(3, 1, 1)
    (conv, other) = branches(run.parts)
    with torch.no_grad():
        left, right = model.conv(images).clamp(min=0), model.other(images)
        for off, wanted in [
            ("relu():1", left * mask + right),
            (f"{conv}:1", left * mask + right),
            (f"{other}:1", left + right * mask),
            ("other:1", left + right * mask),
            ("add():1", (left + right) * mask),
        ]:
            with unchanged(model), ablated(model, run, [off]):
                assert torch.equal(model(images), wanted)


def test_a_channel_of_a_repeated_layer_is_off_in_the_run_that_is_named():
    conv = nn.Conv2d(2, 2, 1)
    model, images = nn.Sequential(conv, conv), torch.randn(3, 2, 4, 5)
    run, mask = seen(model, images), torch.tensor([0.0, 1]).view(2, 1, 1)
    with torch.no_grad():
        for off, wanted in [
            (["0:0"], conv(conv(images) * mask)),
            (["0#2:0"], conv(conv(images)) * mask),
            (["0:0", "0#2:0"], conv(conv(images) * mask) * mask),
        ]:
            with ablated(model, run, off):
                assert torch.equal(model(images), wanted)


def test_a_channel_of_a_network_by_others_can_be_off(stranger):
    images = torch.randn(2, 1, 32, 32)
    last = [path for path, module in stranger.named_modules() if isinstance(module, nn.Linear)][-1]
    with unchanged(stranger):
        whole = record(stranger, images).logits
        with ablated(stranger, seen(stranger, images), [f"{last}:4"]):
            without = record(stranger, images).logits
    whole[:, 4] = 0
    assert np.array_equal(without, whole)


def test_without_the_residual_of_a_network_by_others_its_block_is_the_skip(stranger):
    images = torch.randn(2, 1, 32, 32)
    with unchanged(stranger):
        run, whole = seen(stranger, images), record(stranger, images).maps
        some = [part for part in run.parts if isinstance(part, Block)][1]
        ways = list(some.branches.values())
        for off in ways:
            with ablated(stranger, run, [off.path]):
                found = record(stranger, images).maps[some.name]
            given = [whole[way.path] * (way is not off) for way in ways]
            wanted = np.concatenate(given, 1) if some.kind == "concat" else given[0] + given[1]
            assert np.array_equal(found, wanted)


def test_what_hands_its_input_on_is_no_layer_and_a_write_after_it_leaves_the_images_alone():
    model, images = nn.Sequential(nn.Identity(), nn.Conv2d(2, 2, 1)), torch.randn(1, 2, 3, 3)
    before, run = images.clone(), seen(model, images)
    with pytest.raises(AblationError, match="no branch '0:1'"), ablated(model, run, ["0:1"]):
        pytest.fail("the block was entered")
    with ablated(model, run, ["1:1"]):
        model(images)
    assert torch.equal(images, before)


def test_a_layer_that_writes_into_its_input_does_so_with_a_channel_off():
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.conv(x)
            self.relu(y)
            return y

    model, images = Writes(), torch.randn(2, 1, 3, 3)
    with torch.no_grad():
        wanted = model.conv(images).clamp(min=0) * torch.tensor([1.0, 0]).view(2, 1, 1)
        with ablated(model, seen(model, images), ["relu:1"]):
            assert torch.equal(model(images), wanted)


def test_switches_may_be_nested():
    model, images = two(add), torch.randn(2, 1, 4, 4)
    run = seen(model, images)
    with torch.no_grad(), unchanged(model):
        with ablated(model, run, ["1.left"]):
            with ablated(model, run, ["1.right", "0:0"]):
                neither = model(images)
            one = model(images)
        assert not neither.any()
        assert torch.equal(one, by_hand(model, images, off=["1.left"]))


def test_one_branch_of_a_block_within_a_branch_can_be_off():
    inner = Branches({"a": nn.Conv2d(1, 2, 1), "b": nn.Identity()})
    outer = Branches({"x": nn.Sequential(inner, nn.Conv2d(3, 1, 1)), "skip": nn.Identity()}, "add")
    model, x = nn.Sequential(outer), torch.randn(2, 1, 3, 3)
    run = seen(model, x)
    with torch.no_grad():
        wanted = outer["x"][1](torch.cat([torch.zeros(2, 2, 3, 3), x], 1)) + x
        with ablated(model, run, ["0.x.0.a"]):
            assert torch.equal(model(x), wanted)
    with torch.no_grad(), ablated(model, run, ["0.x"]):
        assert torch.equal(model(x), x)


def test_a_block_that_is_used_twice_is_without_the_branch_in_the_run_that_is_named():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(1, 1, 1)}, merge="add")
    model, x = nn.Sequential(block, block), torch.randn(1, 1, 3, 3)
    run = seen(model, x)
    with torch.no_grad():
        once = x + block["conv"](x)
        for off, wanted in [
            (["0.conv"], once),
            (["0#2.conv"], once),
            (["0.conv", "0#2.conv"], x),
            (["0.skip"], block["conv"](x) + block["conv"](block["conv"](x))),
            (["0#2.skip"], block["conv"](once)),
        ]:
            with ablated(model, run, off):
                assert torch.equal(model(x), wanted)


def test_a_module_that_serves_in_two_branches_can_be_off_in_one_of_them():
    conv = nn.Conv2d(1, 2, 1)
    model, x = nn.Sequential(Branches({"a": conv, "b": conv})), torch.randn(1, 1, 3, 3)
    with torch.no_grad():
        wanted = torch.cat([conv(x), torch.zeros(1, 2, 3, 3)], 1)
        with ablated(model, seen(model, x), ["0.b"]):
            assert torch.equal(model(x), wanted)


def test_an_authors_own_merge_gets_zeros_and_keeps_its_name():
    def last_minus_first(outputs):
        return outputs[-1] - outputs[0]

    model, x = two(last_minus_first), torch.randn(1, 1, 3, 3)
    run = seen(model, x)
    with torch.no_grad(), ablated(model, run, ["1.left"]):
        assert model[1].extra_repr() == "merge=last_minus_first"
        right = model(x)
    with torch.no_grad(), ablated(model, run, ["1.right"]):
        left = model(x)
    with torch.no_grad():
        entering = model[0](x)
        assert torch.equal(right, model[1]["right"](entering).clamp(min=0))
        assert torch.equal(left, (-model[1]["left"](entering)).clamp(min=0))
    assert (run.parts[1].kind, run.parts[1].merge.kind) == ("sum", "sub")
    assert model[1].merge is last_minus_first


@pytest.mark.parametrize("merge", [concat, add])
def test_the_merges_name_is_still_printed_while_a_branch_is_off(merge):
    model = two(merge)
    printed, run = repr(model), seen(model, torch.randn(1, 1, 3, 3))
    with ablated(model, run, ["1.right"]):
        assert repr(model) == printed


def test_everything_is_switched_on_again_after_an_exception():
    layers = [*two(), nn.BatchNorm2d(6)]
    run = seen(nn.Sequential(*layers), torch.ones(2, 1, 3, 3))
    model = Breaks(*layers).train()
    off = ["1.left", "0:0"]
    with (
        unchanged(model),
        pytest.raises(RuntimeError, match="on purpose"),
        ablated(model, run, off),
    ):
        raise RuntimeError("on purpose")
    with pytest.raises(RuntimeError, match="on purpose"), ablated(model, run, off):
        model(torch.ones(2, 1, 3, 3))
    model = nn.Sequential(*model).eval()
    x = torch.randn(2, 1, 3, 3)
    with torch.no_grad():
        assert torch.equal(model(x), by_hand(model, x))


class Refuses(nn.Sequential):
    """Refuses wide images, in the network itself or in a layer of it."""

    class Layer(nn.Module):
        def forward(self, x):
            if x.shape[3] > 4:
                raise ValueError("too wide")
            return x + 1

    def forward(self, x):
        if x.shape[2] > 4:
            raise ValueError("too high")
        return super().forward(x)


@pytest.mark.parametrize("size", [(5, 4), (4, 5)], ids=["network", "layer"])
def test_what_is_off_stays_off_after_a_run_that_fails(size):
    model = Refuses(Refuses.Layer(), *two())
    x = torch.randn(2, 1, 3, 3)
    run = seen(model, x)
    with torch.no_grad(), ablated(model, run, ["2.left"]):
        without = model(x)
        with pytest.raises(ValueError, match="too"):
            model(torch.randn(2, 1, *size))
        assert torch.equal(model(x), without)
    assert not without[:, :3].any()


def test_images_that_take_another_path_are_refused_with_a_sentence():
    class Chooses(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return x + self.conv(x) if x.sum() > 0 else 2 * x

    model, images = Chooses(), torch.ones(1, 1, 2, 2)
    run = seen(model, images)
    sentence = "These images take another path through the network, which does not pass add()."
    with (
        unchanged(model),
        pytest.raises(InterventionError, match=f"^{re.escape(sentence)}$"),
        ablated(model, run, list(branches(run.parts))),
    ):
        model(-images)


@pytest.mark.parametrize(
    ("switch", "sentence"),
    [
        ("1.lft", "There is no branch '1.lft'; did you mean '1.left'?"),
        ("no such", "There is no branch 'no such'; there are 1.left, 1.right."),
        ("1", "There is no branch '1'; there are 1.left, 1.right."),
        ("", "There is no branch ''; there are 1.left, 1.right."),
        ("7:0", "There is no branch '7:0'; there are 1.left, 1.right."),
        ("0:-1", "There is no branch '0:-1'; there are 1.left, 1.right."),
    ],
)
def test_an_unknown_name_gets_a_sentence_on_what_there_is(switch, sentence):
    model = two()
    run = seen(model, torch.zeros(1, 1, 3, 3))
    with (
        unchanged(model),
        pytest.raises(AblationError, match=f"^{re.escape(sentence)}$"),
        ablated(model, run, ["1.left", switch]),
    ):
        pytest.fail("the block was entered")


def test_where_there_is_no_block_the_sentence_names_channels():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    run = seen(model, torch.zeros(1, 1, 3, 3))
    sentence = re.escape("There is no branch 'skip'; there are 0:0, 1:0.")
    with pytest.raises(AblationError, match=f"^{sentence}$"), ablated(model, run, ["skip"]):
        pytest.fail("the block was entered")


@pytest.mark.parametrize(("off", "channels"), [("0:2", 2), ("1:6", 6), ("1.left:3", 3)])
def test_a_channel_that_a_part_does_not_have_is_refused_at_once(off, channels):
    model = two()
    run, (name, channel) = seen(model, torch.zeros(1, 1, 3, 3)), off.split(":")
    sentence = (
        f"{name} has {channels} channels, 0 to {channels - 1}, so there is no channel {channel}."
    )
    with (
        unchanged(model),
        pytest.raises(AblationError, match=f"^{re.escape(sentence)}$"),
        ablated(model, run, [off]),
    ):
        pytest.fail("the block was entered")


def test_a_module_that_gives_no_channels_is_refused_at_once():
    model = nn.Sequential(nn.Flatten(2), nn.LSTM(4, 3))
    run = seen(model, torch.zeros(1, 2, 2, 2))
    with (
        unchanged(model),
        pytest.raises(AblationError, match=r"^1 gives no channels to switch off\.$"),
        ablated(model, run, ["1:0"]),
    ):
        pytest.fail("the block was entered")


class Swaps(nn.Module):
    """Gives the images along the second side."""

    def forward(self, x):
        return (2 * x).transpose(0, 1)


@pytest.mark.parametrize("layer", [Swaps(), nn.Flatten(0)])
def test_a_layer_that_gives_its_images_elsewhere_is_refused_when_it_runs(layer):
    model, images = nn.Sequential(layer), torch.randn(5, 3, 2, 2)
    run = seen(model, images)
    sentence = "Its channels cannot be switched off: the images are not first."
    with (
        unchanged(model),
        pytest.raises(AblationError, match=f"^{re.escape(sentence)}$"),
        ablated(model, run, ["0:1"]),
    ):
        model(images)


# Branches that give their mean, or ones.


def test_a_branch_of_a_product_that_is_off_gives_ones():
    model, x = two(product), torch.randn(2, 1, 3, 3)
    run = seen(model, x)
    assert run.parts[1].kind == "product"
    with torch.no_grad():
        left, right = (path(model[0](x)) for path in model[1].values())
        for off, wanted in [
            (["1.left"], right),
            (["1.right"], left),
            (["1.left", "1.right"], torch.ones_like(left)),
        ]:
            with ablated(model, run, off):
                assert torch.equal(model(x), wanted.clamp(min=0))


@pytest.mark.parametrize("merge", ["concat", "add", product])
def test_a_branch_gives_its_mean_over_all_images(merge):
    model, split = two(merge).train(), small_data(601).train
    images = split.normalise(split.images)
    run = seen(model, images[:1])
    with unchanged(model):
        means = mean_outputs(model, run, split)
    merged = {"concat": concat, "add": add}.get(merge, merge)
    with torch.no_grad():
        entering = model[0](images)
        outputs = {name: path(entering) for name, path in model[1].items()}
        mean = {name: y.double().mean(0, keepdim=True) for name, y in outputs.items()}
        for off in (["left"], ["right"], ["left", "right"]):
            given = [mean[n].expand_as(y).float() if n in off else y for n, y in outputs.items()]
            with ablated(model, run, [f"1.{name}" for name in off], means):
                found = model(images)
            torch.testing.assert_close(found, merged(given).clamp(min=0), rtol=1e-5, atol=1e-6)
            assert not torch.allclose(found, model(images), atol=1e-3)


def test_the_mean_is_that_of_the_network_in_which_something_else_is_off():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(1, 1, 1)}, merge="add")
    other = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(1, 1, 1)}, merge="add")
    model, split = nn.Sequential(block, other), small_data().train
    images = split.normalise(split.images)
    run = seen(model, images[:1])
    with ablated(model, run, ["0.conv"]):
        means = mean_outputs(model, run, split)
    both = ablated(model, run, ["0.conv"]), ablated(model, run, ["1.skip"], means)
    with torch.no_grad(), both[0], both[1]:
        found = model(images)
    with torch.no_grad():
        wanted = images.mean(0, keepdim=True) + other["conv"](images)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_branch_that_mixes_images_has_no_mean():
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 3, 1)
            self.swaps = Swaps()

        def forward(self, x):
            return self.swaps(self.one(x)) + self.swaps(self.other(x))

    model, split = Doubled(), small_data().train
    run = seen(model, split.normalise(split.images))
    with unchanged(model), pytest.raises(AblationError, match="mixes images, so it has no mean"):
        mean_outputs(model, run, split)


# Networks in plain code, each beside itself rewritten without a branch.


class Plain(nn.Module):
    """Has two convolutions, and gives zeros in place of the outputs in `off`."""

    off = ()

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.other = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3, padding=1)

    def given(self, x):
        outputs = self.conv(x), self.other(x)
        return [torch.zeros_like(y) if i in self.off else y for i, y in enumerate(outputs)]


class AddsInPlace(Plain):
    def forward(self, x):
        out = self.conv(x)
        out += self.other(x)
        return torch.relu(out)

    def rewritten(self, x):
        left, right = self.given(x)
        return torch.relu(left + right)


class AddsTheIdentity(Plain):
    def forward(self, x):
        identity = x = self.other(x)
        out = self.conv(x)
        out += identity
        return out * 2

    def rewritten(self, x):
        x = self.other(x)
        left, right = self.conv(x), x
        ways = [torch.zeros_like(y) if i in self.off else y for i, y in enumerate((left, right))]
        return 2 * (ways[0] + ways[1])


class IgnoresTheResult(Plain):
    def forward(self, x):
        y = self.conv(x)
        y.add_(self.other(x))
        return torch.relu(y)

    rewritten = AddsInPlace.rewritten


class AddsWithAnAlias(Plain):
    def forward(self, x):
        y = self.conv(x)
        alias = y.view(len(y), -1)
        alias += self.other(x).flatten(1)
        return torch.relu(y)

    rewritten = AddsInPlace.rewritten


class WritesSlices(Plain):
    def forward(self, x):
        left, right = self.conv(x), self.other(x)
        y = torch.zeros(len(x), 4, *x.shape[2:])
        y[:, :2] = left
        y[:, 2:] = right
        return torch.relu(y)

    def rewritten(self, x):
        return torch.relu(torch.cat(self.given(x), 1))


class AddsToASlice(Plain):
    def forward(self, x):
        y = self.conv(x)
        y[:, 1:] += self.other(x)[:, 1:]
        return torch.relu(y)

    def rewritten(self, x):
        left, right = self.given(x)  # the branch is the slice alone
        return torch.relu(torch.cat([self.conv(x)[:, :1], left[:, 1:] + right[:, 1:]], 1))


@pytest.mark.parametrize(
    "network",
    [AddsInPlace, AddsTheIdentity, IgnoresTheResult, AddsWithAnAlias, WritesSlices, AddsToASlice],
)
def test_merges_in_place_without_a_branch_are_the_rewritten_network(network):
    model, x = network(), torch.randn(3, 2, 4, 5)
    before, run = x.clone(), seen(model, x)
    (block,) = [part for part in run.parts if isinstance(part, Block)]
    ways = [branch.path for branch in block.branches.values()]
    assert len(ways) == 2
    with torch.no_grad():
        for off in ([], [0], [1], [0, 1]):
            with unchanged(model), ablated(model, run, [ways[number] for number in off]):
                found = model(x)
            model.off = off
            torch.testing.assert_close(found, model.rewritten(x))
            assert torch.equal(x, before)


class InceptionA(nn.Module):
    """As in the tutorial, in plain code; `off` gives zeros."""

    off = ()

    def __init__(self, channels):
        super().__init__()
        torch.manual_seed(0)
        self.branch1x1 = nn.Conv2d(channels, 4, 1)
        self.branch5x5_1 = nn.Conv2d(channels, 4, 1)
        self.branch5x5_2 = nn.Conv2d(4, 6, 5, padding=2)
        self.branch3x3_1 = nn.Conv2d(channels, 4, 1)
        self.branch3x3_2 = nn.Conv2d(4, 6, 3, padding=1)
        self.branch3x3_3 = nn.Conv2d(6, 6, 3, padding=1)
        self.branch_pool = nn.Conv2d(channels, 6, 1)

    def forward(self, x):
        branch1x1 = self.branch1x1(x)

        branch5x5 = self.branch5x5_1(x)
        branch5x5 = self.branch5x5_2(branch5x5)

        branch3x3 = self.branch3x3_1(x)
        branch3x3 = self.branch3x3_2(branch3x3)
        branch3x3 = self.branch3x3_3(branch3x3)

        branch_pool = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
        branch_pool = self.branch_pool(branch_pool)

        outputs = [branch1x1, branch5x5, branch3x3, branch_pool]
        outputs = [torch.zeros_like(y) if i in self.off else y for i, y in enumerate(outputs)]
        return torch.cat(outputs, dim=1)


class ResidualBlock(nn.Module):
    """As in the tutorial, in plain code; `off` gives zeros."""

    off = ()

    def __init__(self, channels):
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x):
        y = F.relu(self.conv1(x))
        y = self.conv2(y)
        skip = torch.zeros_like(x) if 0 in self.off else x
        y = torch.zeros_like(y) if 1 in self.off else y
        return F.relu(skip + y)


@pytest.mark.parametrize(
    ("block", "width", "kind", "names"),
    [
        (InceptionA, 22, "concat", ["branch1x1", "branch5x5", "branch3x3", "branch_pool"]),
        (ResidualBlock, 2, "sum", ["skip", "residual"]),
    ],
)
def test_a_network_in_plain_code_without_a_branch_is_the_rewritten_one(block, width, kind, names):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.conv = nn.Conv2d(1, 2, 3)
            self.block = block(2)
            self.linear = nn.Linear(width * 36, 10)

        def forward(self, x):
            x = F.relu(self.conv(x))
            return self.linear(self.block(x).flatten(1))

    model, images = Net(), torch.randn(3, 1, 8, 8)
    run = seen(model, images)
    (found,) = [part for part in run.parts if isinstance(part, Block)]
    assert (found.name, found.kind, list(found.branches)) == ("block", kind, names)
    assert [branch.path for branch in found.branches.values()] == [f"block.{n}" for n in names]
    with torch.no_grad():
        for number in range(len(names)):
            with unchanged(model), ablated(model, run, [f"block.{names[number]}"]):
                answer = model(images)
            model.block.off = [number]
            wanted = model(images)
            model.block.off = ()
            assert torch.equal(answer, wanted)
            assert not torch.equal(answer, model(images))
