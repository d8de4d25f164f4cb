import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from inspection.trees import Breaks, by_hand, networks, property_test, unchanged
from torch import nn

from explorer.branches import Branches, add, concat
from explorer.inspection.ablation import AblationError, ablated
from explorer.inspection.activations import record
from explorer.inspection.outline import outline
from explorer.inspection.parts import branch_paths
from explorer.inspection.tracing import trace
from explorer.plugin.registry import discover
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = discover().architectures


def two(merge="concat"):
    """A block between a convolution and a ReLU."""
    block = Branches({"left": nn.Conv2d(2, 3, 1), "right": nn.Conv2d(2, 3, 3, padding=1)}, merge)
    return nn.Sequential(nn.Conv2d(1, 2, 1), block, nn.ReLU())


@given(networks(), st.data())
@property_test
def test_branches_that_are_off_count_as_zeros_where_they_are_merged(drawn, data):
    model, images = drawn
    paths = branch_paths(trace(model, images, keep=id).parts)
    off = data.draw(st.lists(st.sampled_from(paths), unique=True, max_size=len(paths)))
    with torch.no_grad(), unchanged(model):
        whole = model(images)
        with ablated(model, off):
            answer = model(images)
        again = model(images)
    assert torch.equal(answer, by_hand(model, images, off=off))
    assert torch.equal(again, whole)


@given(networks())
@property_test
def test_with_all_branches_of_every_block_off_each_block_gives_zeros_of_its_shape(drawn):
    model, images = drawn
    blocks = [name for name, part in model.named_children() if isinstance(part, Branches)]
    shapes = {name: record(model, images).maps[name].shape for name in blocks}
    with ablated(model, [f"{name}.{branch}" for name in blocks for branch in model[int(name)]]):
        maps = record(model, images).maps
    assert blocks
    for name in blocks:
        assert torch.equal(maps[name], torch.zeros(shapes[name]))


@given(networks())
@property_test
def test_with_nothing_off_nothing_changes_to_the_bit(drawn):
    model, images = drawn
    with torch.no_grad():
        whole = model(images)
        with ablated(model, []):
            assert torch.equal(model(images), whole)


@pytest.mark.parametrize("name", ["residual", "residual-as-printed", "residual-bn"])
def test_a_sum_without_its_skip_is_the_residual_and_without_the_residual_the_input(name):
    model, images = ARCHITECTURES[name].build(MNIST), torch.randn(2, 1, 28, 28)
    whole = record(model, images).maps
    blocks = [path for path, part in model.named_children() if isinstance(part, Branches)]
    assert blocks
    for path in blocks:
        assert torch.equal(whole[path], whole[f"{path}.skip"] + whole[f"{path}.residual"])
        with ablated(model, [f"{path}.skip"]):
            assert torch.equal(record(model, images).maps[path], whole[f"{path}.residual"])
        with ablated(model, [f"{path}.residual"]):
            assert torch.equal(record(model, images).maps[path], whole[f"{path}.skip"])


def test_a_branch_that_is_off_leaves_zeros_between_its_neighbours_channels():
    model = ARCHITECTURES["inception"].build(MNIST)
    images = torch.randn(2, 1, 28, 28)
    whole = record(model, images).maps["mix1"]
    with ablated(model, ["mix1.5x5"]):
        without = record(model, images).maps["mix1"]
    assert torch.equal(without[:, :16], whole[:, :16])
    assert not without[:, 16:40].any()
    assert torch.equal(without[:, 40:], whole[:, 40:])
    assert whole[:, 16:40].all()


def test_a_channel_that_is_off_is_zero_and_the_others_do_not_change():
    model, images = two(), torch.randn(3, 1, 4, 5)
    whole = record(model, images).maps
    with unchanged(model), ablated(model, ["0:1"]):
        maps = record(model, images).maps
    wanted = whole["0"].clone()
    wanted[:, 1] = 0
    assert wanted[:, 0].all()
    assert torch.equal(maps["0"], wanted)
    with torch.no_grad():
        assert torch.equal(maps["1.left"], model[1]["left"](wanted))
        assert torch.equal(maps["1.right"], model[1]["right"](wanted))


def test_several_channels_of_several_modules_go_off_at_once():
    model, images = two(), torch.randn(3, 1, 4, 5)
    with torch.no_grad():
        block = model[1](model[0](images) * torch.tensor([1.0, 0]).view(2, 1, 1))
        block[:, [0, 4]] = 0
        with ablated(model, ["1:0", "0:1", "1:4"]):
            assert torch.equal(model(images), block.clamp(min=0))


def test_the_channels_of_a_flat_output_and_of_the_logits_can_be_off():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU())
    images = torch.randn(2, 1, 2, 2)
    with torch.no_grad():
        wanted = model(images)
        wanted[:, 3] = 0
        with ablated(model, ["1:3"]):
            assert torch.equal(model(images), wanted)


def test_a_channel_of_a_network_by_others_can_be_off(stranger):
    images = torch.randn(2, 1, 32, 32)
    last = [path for path, module in stranger.named_modules() if isinstance(module, nn.Linear)][-1]
    with unchanged(stranger):
        whole = record(stranger, images).logits
        with ablated(stranger, [f"{last}:4"]):
            without = record(stranger, images).logits
    whole[:, 4] = 0
    assert torch.equal(without, whole)


def test_a_layer_that_hands_its_input_on_does_not_lose_a_channel_of_the_input():
    model, images = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)), torch.randn(1, 2, 3, 3)
    before = images.clone()
    with ablated(model, ["0:1"]):
        model(images)
    assert torch.equal(images, before)


def test_switches_may_be_nested():
    model, images = two(add), torch.randn(2, 1, 4, 4)
    with torch.no_grad(), unchanged(model):
        with ablated(model, ["1.left"]):
            with ablated(model, ["1.right", "0:0"]):
                neither = model(images)
            one = model(images)
        assert not neither.any()
        assert torch.equal(one, by_hand(model, images, off=["1.left"]))


def test_one_branch_of_a_block_within_a_branch_can_be_off():
    inner = Branches({"a": nn.Conv2d(1, 2, 1), "b": nn.Identity()})
    model = Branches({"x": nn.Sequential(inner, nn.Conv2d(3, 1, 1)), "skip": nn.Identity()}, "add")
    x = torch.randn(2, 1, 3, 3)
    with torch.no_grad(), ablated(model, ["x.0.a"]):
        part = torch.cat([torch.zeros(2, 2, 3, 3), x], 1)
        assert torch.equal(model(x), model["x"][1](part) + x)
    with torch.no_grad(), ablated(model, ["x"]):
        assert torch.equal(model(x), x)


def test_a_block_that_is_used_twice_is_without_the_branch_each_time():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(1, 1, 1)}, merge="add")
    x = torch.randn(1, 1, 3, 3)
    with ablated(model := nn.Sequential(block, block), ["0.conv"]):
        assert torch.equal(model(x), x)


def test_a_module_that_serves_in_two_branches_can_be_off_in_one_of_them():
    conv = nn.Conv2d(1, 2, 1)
    model, x = Branches({"a": conv, "b": conv}), torch.randn(1, 1, 3, 3)
    with torch.no_grad(), ablated(model, ["b"]):
        assert torch.equal(model(x), torch.cat([conv(x), torch.zeros(1, 2, 3, 3)], 1))


def test_an_authors_own_merge_gets_zeros_and_keeps_its_name():
    def last_minus_first(outputs):
        return outputs[-1] - outputs[0]

    model, x = two(last_minus_first), torch.randn(1, 1, 3, 3)
    with torch.no_grad(), ablated(model, ["1.left"]):
        assert torch.equal(model[1](model[0](x)), model[1]["right"](model[0](x)))
        assert model[1].extra_repr() == "merge=last_minus_first"
        assert outline(model, ImageSpec(1, 4, 6))[1].merge == "last_minus_first"
    assert model[1].merge is last_minus_first


@pytest.mark.parametrize("merge", [concat, add])
def test_the_merges_name_is_still_printed_while_a_branch_is_off(merge):
    model = two(merge)
    printed = repr(model)
    with ablated(model, ["1.right"]):
        assert repr(model) == printed


def test_everything_is_switched_on_again_after_an_exception():
    model = Breaks(*two(), nn.BatchNorm2d(6)).train()
    with (
        unchanged(model),
        pytest.raises(RuntimeError, match="on purpose"),
        ablated(model, ["1.left", "0:0"]),
    ):
        raise RuntimeError("on purpose")
    with pytest.raises(RuntimeError, match="on purpose"), ablated(model, ["1.left", "0:0"]):
        model(torch.ones(2, 1, 3, 3))
    model = nn.Sequential(*model).eval()
    x = torch.randn(2, 1, 3, 3)
    with torch.no_grad():
        assert torch.equal(model(x), by_hand(model, x))


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
    with (
        unchanged(model),
        pytest.raises(AblationError, match=f"^{re.escape(sentence)}$"),
        ablated(model, ["1.left", switch]),
    ):
        pytest.fail("the block was entered")


def test_where_there_is_no_block_the_sentence_names_channels():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    sentence = re.escape("There is no branch 'skip'; there are 0:0, 1:0.")
    with pytest.raises(AblationError, match=f"^{sentence}$"), ablated(model, ["skip"]):
        pytest.fail("the block was entered")


def test_a_channel_that_a_module_does_not_have_is_refused_when_it_runs():
    model = two()
    sentence = "Conv2d has 2 channels, 0 to 1, so there is no channel 2."
    with (
        unchanged(model),
        pytest.raises(AblationError, match=f"^{sentence}$"),
        ablated(model, ["0:2"]),
    ):
        model(torch.zeros(1, 1, 3, 3))


@pytest.mark.parametrize("layer", [nn.LSTM(4, 3), nn.Flatten(0)])
def test_a_module_that_gives_no_channels_is_refused_when_it_runs(layer):
    model = nn.Sequential(nn.Flatten(2), layer)
    sentence = f"{type(layer).__name__} gives no channels to switch off."
    with (
        unchanged(model),
        pytest.raises(AblationError, match=f"^{re.escape(sentence)}$"),
        ablated(model, ["1:0"]),
    ):
        model(torch.zeros(1, 2, 2, 2))
