"""Branches: named paths, run side by side and merged."""

import copy
import functools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from explorer import Branches
from explorer.branches import BranchesError, add, concat

property_test = settings(max_examples=60, deadline=None)

# Names as authors write them: what a module may be called and is not called already.
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789×-_ é", min_size=1, max_size=8).filter(
    lambda name: not hasattr(nn.ModuleDict(), name) and name != "merge"
)


@st.composite
def convolutions(draw, same_width=False):
    """Paths of 1×1 and 3×3 convolutions, and an input for them."""
    inputs = draw(st.integers(1, 5))
    width = draw(st.integers(1, 7))
    torch.manual_seed(draw(st.integers(0, 2**31)))
    paths = {}
    for name in draw(st.lists(names, min_size=1, max_size=6, unique=True)):
        outputs = width if same_width else draw(st.integers(1, 7))
        kernel = draw(st.sampled_from([1, 3]))
        paths[name] = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    images, side = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    return paths, torch.randn(images, inputs, side, side)


def by_hand(conv, x):
    return F.conv2d(x, conv.weight, conv.bias, padding=conv.padding)


@given(convolutions())
@property_test
def test_concat_puts_each_paths_channels_after_those_of_the_path_before(drawn):
    paths, x = drawn
    whole = Branches(paths, merge=concat)(x)
    start = 0
    for path in paths.values():
        part = by_hand(path, x)
        assert torch.equal(whole[:, start : start + part.shape[1]], part)
        start += part.shape[1]
    assert whole.shape == (len(x), start, *x.shape[2:])


@given(convolutions(same_width=True))
@property_test
def test_add_sums_the_paths_in_their_order(drawn):
    paths, x = drawn
    first, *others = paths.values()
    total = by_hand(first, x)
    for path in others:
        total = total + by_hand(path, x)
    assert torch.equal(Branches(paths, merge=add)(x), total)


@given(convolutions())
@property_test
def test_the_keys_are_the_names_of_the_paths_in_their_order(drawn):
    paths, _ = drawn
    branches = Branches(paths)
    assert list(branches) == list(paths)
    assert [branches[name] for name in paths] == list(paths.values())
    assert list(branches.state_dict()) == [
        f"{name}.{kind}" for name in paths for kind in ("weight", "bias")
    ]


def test_concat_is_the_merge_unless_another_is_asked_for():
    x = torch.randn(2, 3, 4, 4)
    assert Branches({"a": nn.Identity(), "b": nn.Identity()})(x).shape == (2, 6, 4, 4)


def test_a_skip_that_is_added_gives_x_plus_f_of_x():
    correction = nn.Conv2d(4, 4, 3, padding=1)
    block = Branches({"skip": nn.Identity(), "residual": correction}, merge=add)
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(block(x), x + correction(x))


@pytest.mark.parametrize("merge", [concat, add])
def test_one_path_alone_is_that_path(merge):
    path = nn.Conv2d(3, 5, 3)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(Branches({"only": path}, merge=merge)(x), path(x))


@pytest.mark.parametrize("merge", [concat, add])
def test_merging_leaves_the_outputs_of_the_paths_as_they_are(merge):
    outputs = [torch.randn(2, 3, 4, 4) for _ in range(3)]
    before = [output.clone() for output in outputs]
    merge(outputs)
    assert len(outputs) == 3
    assert all(torch.equal(was, now) for was, now in zip(before, outputs, strict=True))


@pytest.mark.parametrize("merge", [concat, add])
def test_every_path_receives_its_gradient(merge):
    branches = Branches({"a": nn.Conv2d(2, 3, 1), "b": nn.Conv2d(2, 3, 1)}, merge=merge)
    branches(torch.randn(2, 2, 4, 4)).square().sum().backward()
    parameters = list(branches.parameters())
    assert len(parameters) == 4
    assert all(p.grad is not None and p.grad.any() for p in parameters)


def test_branches_may_be_nested():
    inner = Branches({"skip": nn.Identity(), "residual": nn.Conv2d(3, 3, 1)}, merge=add)
    outer = Branches({"deep": nn.Sequential(nn.Conv2d(2, 3, 1), inner), "1x1": nn.Conv2d(2, 4, 1)})
    x = torch.randn(2, 2, 5, 5)

    first = by_hand(outer["deep"][0], x)
    deep = first + by_hand(inner["residual"], first)
    assert torch.equal(outer(x), torch.cat([deep, by_hand(outer["1x1"], x)], dim=1))
    assert list(outer.state_dict()) == [
        "deep.0.weight",
        "deep.0.bias",
        "deep.1.residual.weight",
        "deep.1.residual.bias",
        "1x1.weight",
        "1x1.bias",
    ]


def test_a_merge_function_gets_the_outputs_in_the_order_of_the_paths():
    def first_minus_second(outputs):
        first, second = outputs
        return first - second

    a, b = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 1)
    x = torch.randn(2, 1, 3, 3)
    assert torch.equal(Branches({"a": a, "b": b}, merge=first_minus_second)(x), a(x) - b(x))


def test_a_copy_is_independent_and_gives_the_same():
    branches = Branches({"skip": nn.Identity(), "residual": nn.Conv2d(3, 3, 1)}, merge=add)
    twin = copy.deepcopy(branches)
    x = torch.randn(2, 3, 4, 4)
    before = branches(x)
    assert torch.equal(twin(x), before)
    nn.init.zeros_(twin["residual"].weight)
    assert torch.equal(branches(x), before)


@pytest.mark.parametrize(
    ("merge", "written"),
    [
        (concat, "merge=concat"),
        (add, "merge=add"),
        (functools.partial(torch.cat, dim=2), "partial"),
    ],
)
def test_the_printed_form_names_the_merge(merge, written):
    assert written in repr(Branches({"a": nn.Identity()}, merge=merge))


def test_no_path_is_refused():
    with pytest.raises(ValueError, match=r"^Branches needs at least one path, such as .*\.$"):
        Branches({})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("3.3", "can't contain"),
        ("", "can't be empty"),
        ("type", "already exists"),
        ("training", "already exists"),
        ("values", "already exists"),
        ("forward", "already exists"),
        (3, "should be a string"),
        # Where Branches keeps its merge; not an attribute of other modules.
        ("merge", "already exists"),
    ],
)
def test_a_name_that_a_module_cannot_have_is_refused(name, why):
    with pytest.raises(ValueError, match=why) as refusal:
        Branches({"fine": nn.Identity(), name: nn.Identity()})
    sentence = str(refusal.value)
    assert sentence.startswith(f"{name!r} cannot be a branch: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("path", [concat, nn.Identity, "conv", None])
def test_a_path_that_is_no_module_is_refused(path):
    with pytest.raises(ValueError, match=r"^'b' cannot be a branch: .*an nn\.Module"):
        Branches({"a": nn.Identity(), "b": path})


def test_a_merge_that_is_a_module_is_refused_since_it_would_be_a_branch():
    class Mean(nn.Module):
        def forward(self, outputs):
            return torch.stack(list(outputs)).mean(0)

    with pytest.raises(ValueError, match=r"merge.*function.*\.$"):
        Branches({"a": nn.Identity(), "b": nn.Identity()}, merge=Mean())


def test_concat_refuses_maps_of_different_sizes_and_names_each_branch_s_shape():
    branches = Branches({"wide": nn.Identity(), "narrow": nn.Conv2d(2, 5, 3)})
    with pytest.raises(ValueError, match="do not fit together") as refusal:
        branches(torch.randn(3, 2, 8, 8))
    assert (
        str(refusal.value)
        == "The branches do not fit together: wide gives 2×8×8, narrow gives 5×6×6; "
        "give all of them the same height and width: padding=kernel // 2 keeps height and width."
    )


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (nn.Conv2d(4, 1, 1), "1×8×8"),  # one channel for all: torch would broadcast
        (nn.AdaptiveAvgPool2d(1), "4×1×1"),  # one value a channel: torch would broadcast
        (nn.Conv2d(4, 3, 1), "3×8×8"),
        (nn.Conv2d(4, 4, 3), "4×6×6"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1)), "4"),
    ],
)
def test_add_refuses_every_shape_but_the_same_one(path, shape):
    branches = Branches({"skip": nn.Identity(), "other": path}, merge=add)
    with pytest.raises(ValueError, match="do not fit together") as refusal:
        branches(torch.randn(2, 4, 8, 8))
    assert str(refusal.value) == (
        f"The branches do not fit together: skip gives 4×8×8, other gives {shape}; "
        "give all of them the same shape: padding=kernel // 2 keeps height and width."
    )


@given(st.permutations([4, 4, 1]))
def test_add_refuses_broadcasting_wherever_the_odd_one_comes(channels):
    paths = {f"path{number}": nn.Conv2d(2, width, 1) for number, width in enumerate(channels)}
    with pytest.raises(BranchesError, match="do not fit together: path0 gives"):
        Branches(paths, merge="add")(torch.zeros(2, 2, 4, 4))


@pytest.mark.parametrize("merge", ["add", "concat"])
@pytest.mark.parametrize(
    ("other", "error"),
    [
        (lambda x: x.to("meta"), RuntimeError),  # of another device
        (
            lambda x: (_ for _ in ()).throw(torch.OutOfMemoryError("no room")),
            torch.OutOfMemoryError,
        ),
    ],
)
def test_an_error_for_another_reason_than_shapes_is_raised_unchanged(merge, other, error):
    class Other(nn.Module):
        def forward(self, x):
            return other(x)

    with pytest.raises(error) as raised:
        Branches({"a": nn.Identity(), "b": Other()}, merge=merge)(torch.zeros(2, 2, 4, 4))
    assert "fit together" not in str(raised.value)


def test_a_merge_that_runs_out_of_memory_says_so(monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(torch, "cat", full)
    with pytest.raises(torch.OutOfMemoryError, match=r"^no room$"):
        Branches({"a": nn.Identity(), "b": nn.Identity()})(torch.zeros(2, 2, 4, 4))


def test_an_unknown_merge_is_refused():
    with pytest.raises(BranchesError, match=r'^merge must be "concat", "add" or a function, not'):
        Branches({"a": nn.Identity()}, merge="sum")


@pytest.mark.parametrize("merge", ["add", "concat"])
def test_a_merge_may_be_given_by_its_name(merge):
    x = torch.randn(2, 3, 4, 4)
    paths = {"a": nn.Identity(), "b": nn.Identity()}
    known = {"add": x + x, "concat": torch.cat([x, x], 1)}
    assert torch.equal(Branches(paths, merge=merge)(x), known[merge])


def test_an_error_within_a_path_is_raised_unchanged():
    class Fails(nn.Module):
        def forward(self, x):
            raise RuntimeError("not today")

    with pytest.raises(RuntimeError, match=r"^not today$"):
        Branches({"a": nn.Identity(), "b": Fails()})(torch.zeros(1, 1, 2, 2))
