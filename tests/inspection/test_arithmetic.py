"""The arithmetic of one unit, against what torch gave."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from built_ins import REGISTRY
from hypothesis import given
from hypothesis import strategies as st
from inspection.others import UNUSUAL, images, network
from inspection.trees import property_test, settle, small_data, unchanged
from torch import nn

from explorer.branches import Branches
from explorer.inspection.ablation import switched_off
from explorer.inspection.activations import copied
from explorer.inspection.arithmetic import arithmetic
from explorer.inspection.network import look_into
from explorer.inspection.parts import UnknownPartError
from explorer.inspection.recording import as_maps
from explorer.inspection.tracing import trace
from explorer.inspection.units import (
    Copied,
    Merged,
    Normalised,
    Pointwise,
    Pooled,
    SwitchedOff,
    Unknown,
    Weighted,
    computed,
)
from explorer.spec import ImageSpec

pytestmark = pytest.mark.usefixtures("one_thread")


def ask(model, given, part, channel=0, off=()):
    changes = switched_off(trace(model, given, copied), off)
    return arithmetic(model.eval(), given, part, channel, changes)


def kinds(found):
    return [type(step) for step in found.steps]


def same(found):
    """All steps compute what the network gave, each from what the one before gave."""
    for place, step in enumerate(found.steps):
        values = computed(step, found.steps[place - 1].values if place else None)
        if values is not None:
            np.testing.assert_allclose(values, step.values, rtol=1e-4, atol=1e-4)
    return found


def of_layer(*layers, channels=4, size=9, channel=0, part=None):
    """Take apart the last of some layers behind a convolution."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, channels, 3), *layers).eval()
    if all(getattr(layer, "track_running_stats", True) for layer in layers):
        settle(model)
    return same(ask(model, torch.randn(1, 1, size, size), part or str(len(layers)), channel))


# --- one layer of each kind

LAYERS = {
    "valid": (nn.Conv2d(4, 6, 3), Weighted),
    "same": (nn.Conv2d(4, 6, (2, 4), padding="same"), Weighted),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2, stride=2, padding=1), Weighted),
    "depthwise": (nn.Conv2d(4, 4, 3, groups=4, dilation=2, padding=2, bias=False), Weighted),
    "1×1": (nn.Conv2d(4, 6, 1), Weighted),
    **{
        mode: (nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode=mode), Weighted)
        for mode in ("reflect", "circular", "replicate")
    },
    "transposed": (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), Weighted),
    "transposed groups": (nn.ConvTranspose2d(4, 6, 2, groups=2, dilation=2), Weighted),
    "max-pool": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), Pooled),
    "dilated max-pool": (nn.MaxPool2d(2, 1, dilation=3), Pooled),
    "avg-pool": (nn.AvgPool2d(3, 2, 1, ceil_mode=True), Pooled),
    "avg-pool without zeros": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), Pooled),
    "avg-pool by 5": (nn.AvgPool2d(2, divisor_override=5), Pooled),
    "adaptive": (nn.AdaptiveAvgPool2d((3, 2)), Pooled),
    "adaptive max": (nn.AdaptiveMaxPool2d(4), Pooled),
    "batch norm": (nn.BatchNorm2d(4), Normalised),
    "batch norm of the image": (nn.BatchNorm2d(4, track_running_stats=False), Normalised),
    "group norm": (nn.GroupNorm(2, 4), Normalised),
    "instance norm": (nn.InstanceNorm2d(4, affine=True), Normalised),
    "layer norm": (nn.LayerNorm([4, 7, 7]), Normalised),
    "layer norm of rows": (nn.LayerNorm(7), Normalised),
    "pixel shuffle": (nn.PixelShuffle(2), Unknown),  # four maps become one
    "zeros": (nn.ZeroPad2d(2), Copied),
    "nearest": (nn.Upsample(scale_factor=2), Copied),
    "flatten": (nn.Flatten(), Copied),
    **{
        type(layer).__name__: (layer, Pointwise)
        for layer in (
            *(nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(0.2), nn.PReLU(4)),
            *(nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.ELU(), nn.Hardswish()),
            *(nn.Dropout(), nn.Mish(), nn.Softplus()),
        )
    },
}
UNIT_WISE = (Normalised, Pointwise)


@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_is_taken_apart_into_what_it_computes(name):
    layer, kind = LAYERS[name]
    found = of_layer(layer, channel=0 if name == "pixel shuffle" else 3)
    asked = found.steps[found.asked]
    assert type(asked) is kind
    # With the channels last, as torch's own layer norm has them, nothing else goes on from there.
    follows = kind in UNIT_WISE and not name.startswith("layer norm")
    assert (found.asked, kinds(found)[0]) == ((1, Weighted) if follows else (0, kind))
    if follows:
        assert asked.source is None


FUNCTIONS = {
    "pad": (lambda x: F.pad(x, (1, 0, 2, 1)), Copied),
    "roll": (lambda x: x.roll(1, 2), Copied),
    "global mean": (lambda x: x.mean((2, 3)), Pooled),
    "mean of rows": (lambda x: x.flatten(2).mean(-1), Pooled),
    "largest": (lambda x: x.amax((-1, -2), keepdim=True), Pooled),
    "conv2d": (lambda x: F.conv2d(x, torch.ones(4, 4, 2, 2), stride=2), Weighted),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), Pooled),
    "x + x": (lambda x: x + 2 * x, Merged),
    "1 − x": (lambda x: 1 - x, Merged),
    "1 / x": (lambda x: 1 / (x * x + 1), Merged),
    "alpha": (lambda x: torch.add(x, x, alpha=3), Merged),
    "gate": (lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)), Merged),
    "largest of two": (lambda x: torch.maximum(x, -x), Merged),
    "cat": (lambda x: torch.cat([x.relu(), x], 1), Copied),
    "clamp": (lambda x: x.clamp(-1, 0.5), Pointwise),
    "in place": (lambda x: x.clone().mul_(2).relu_(), Pointwise),
    "softmax": (lambda x: x.mean((2, 3)).softmax(1), Pointwise),
    "chunk": (lambda x: F.conv2d(x.chunk(2, 1)[1], torch.ones(4, 2, 3, 3)), Weighted),
}


class Applied(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.conv, self.function = nn.Conv2d(1, 4, 3), function

    def forward(self, x):
        return self.function(self.conv(x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_is_taken_apart_into_what_it_computes(name):
    function, kind = FUNCTIONS[name]
    torch.manual_seed(0)
    model, image = Applied(function).eval(), torch.randn(1, 1, 9, 9)
    last = list(trace(model, image, copied).kept)[-1]
    found = same(ask(model, image, last, 3))
    assert type(found.steps[found.asked]) is kind


def test_what_is_read_is_called_by_the_part_and_the_channel_that_gave_it():
    found = of_layer(nn.Conv2d(4, 6, 3, groups=2), channel=4)
    assert [(s.part, s.channel) for s in found.steps[0].sources] == [("0", 2), ("0", 3)]
    torch.manual_seed(0)
    model = Applied(FUNCTIONS["chunk"][0]).eval()
    found = ask(model, torch.randn(1, 1, 9, 9), "conv2d()")
    assert [(s.part, s.channel) for s in found.steps[0].sources] == [("conv", 2), ("conv", 3)]


@property_test
@given(
    st.tuples(*[st.integers(1, 4)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2),
    st.tuples(*[st.integers(0, 3)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2),
    st.sampled_from([(1, 2, 3), (2, 4, 6), (4, 4, 4), (3, 3, 6)]),
    st.sampled_from(["zeros", "reflect", "circular", "replicate"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2),
)
def test_any_convolution_is_the_sum_of_its_products(
    kernel, stride, padding, dilation, sizes, mode, bias, transposed, channel
):
    groups, inputs, outputs = sizes
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if transposed:
        layer = nn.ConvTranspose2d(
            inputs * 2 if groups == 1 else inputs, outputs, kernel, **options, bias=bias
        )
    else:
        layer = nn.Conv2d(inputs, outputs, kernel, **options, bias=bias, padding_mode=mode)
    given = torch.randn(1, layer.in_channels, 12, 13)
    try:
        layer(given)
    except RuntimeError:  # nothing is left of the image
        return
    model = nn.Sequential(layer).eval()
    (step,) = same(ask(model, given, "0", channel)).steps
    assert type(step) is Weighted
    assert len(step.sources) == layer.in_channels // groups


@property_test
@given(
    st.sampled_from(["max", "avg"]),
    st.tuples(*[st.integers(1, 4)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2),
    st.tuples(*[st.integers(0, 2)] * 2),
    st.booleans(),
    st.booleans(),
)
def test_any_pooling_is_that_of_its_windows(kind, kernel, stride, padding, ceil, counts):
    padding = tuple(min(p, k // 2) for p, k in zip(padding, kernel, strict=True))
    if kind == "max":
        layer = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
    else:
        layer = nn.AvgPool2d(kernel, stride, padding, ceil_mode=ceil, count_include_pad=counts)
    (step,) = same(ask(nn.Sequential(layer).eval(), torch.randn(1, 2, 8, 7), "0", 1)).steps
    assert type(step) is Pooled


# --- chains


def test_the_steps_around_the_one_that_is_asked_for_are_there():
    layers = nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
    for part, asked in (("0", 0), ("1", 1), ("2", 2)):
        found = of_layer(*layers, part=part, channel=2)
        assert kinds(found) == [Weighted, Normalised, Pointwise]
        assert found.asked == asked
        assert found.readers == ("3",)
    found = of_layer(*layers, part="3")
    assert kinds(found) == [Pooled]
    assert (found.steps[0].source.part, found.readers) == ("2", ())


def test_a_layer_behind_flattened_maps_is_shown_with_the_maps():
    found = of_layer(nn.Flatten(1), nn.Linear(196, 3), part="2")
    (step,) = found.steps
    assert len(step.sources) == 196  # a layer flattened them
    torch.manual_seed(0)
    model = nn.Sequential(Applied(lambda x: x.relu().flatten(1)), nn.Linear(196, 3)).eval()
    (step,) = same(ask(model, torch.randn(1, 1, 9, 9), "1", 2)).steps
    assert step.weights.shape == (4, 7, 7)
    assert step.sources[3].part == "0.relu()"


def test_of_many_maps_those_that_contribute_least_are_added_up(monkeypatch):
    monkeypatch.setattr("explorer.inspection.operations.MOST_BYTES", 2000)
    found = of_layer(nn.Conv2d(16, 3, 3), channels=16)
    (step,) = found.steps
    assert (len(step.sources), step.others) == (8, 8)
    assert np.abs(step.rest).max() > 0


def test_what_is_switched_off_is_off_in_the_arithmetic():
    torch.manual_seed(0)
    paths = {"skip": nn.Identity(), "conv": nn.Conv2d(2, 2, 3, padding=1)}
    model = nn.Sequential(nn.Conv2d(1, 2, 3), Branches(paths, merge="add"), nn.ReLU()).eval()
    image = torch.randn(1, 1, 6, 6)
    found = same(ask(model, image, "1", 1, ["1.skip"]))
    assert [source.text for source in found.steps[0].sources] == ["skip, switched off", "conv"]
    assert not found.steps[0].sources[0].values.any()
    intact = same(ask(model, image, "1", 1))
    assert [source.text for source in intact.steps[0].sources] == ["skip", "conv"]
    found = same(ask(model, image, "0", 1, ["0:1"]))
    assert kinds(found) == [Weighted, SwitchedOff]
    assert found.asked == 1
    assert found.steps[0].values.any()
    assert not found.steps[1].values.any()


def test_a_concatenation_says_which_branch_a_channel_is_copied_from():
    torch.manual_seed(0)
    paths = {"a": nn.Conv2d(1, 3, 1), "b": nn.Conv2d(1, 2, 3, padding=1)}
    model = nn.Sequential(Branches(paths, merge="concat"), nn.Flatten()).eval()
    image = torch.randn(1, 1, 4, 4)
    (step,) = same(ask(model, image, "0", 4)).steps
    assert (step.source.text, step.source.part, step.source.channel) == ("b", "0.b", 1)
    (step,) = same(ask(model, image, "0", 4, ["0.b"])).steps
    assert step.source.text == "b, switched off"


def test_a_sum_of_three_is_one_sum():
    torch.manual_seed(0)
    paths = {name: nn.Conv2d(1, 2, 3) for name in "abc"}
    model = nn.Sequential(Branches(paths, merge="add")).eval()
    (step,) = same(ask(model, torch.randn(1, 1, 5, 5), "0", 1)).steps
    assert [source.text for source in step.sources] == ["a", "b", "c"]


def test_asking_changes_nothing_and_says_what_there_is():
    model, image = network("u-net"), images("u-net", 1)
    with unchanged(model):
        ask(model, image, "up1", 3)
    with pytest.raises(UnknownPartError, match="up1"):
        ask(model, image, "up11")
    with pytest.raises(UnknownPartError, match="16 channels, 0 to 15"):
        ask(model, image, "down2.0", 16)


def test_a_layer_that_does_something_else_than_its_class_is_not_taken_for_it():
    class Scaled(nn.Conv2d):
        def forward(self, x):
            return 2 * super().forward(x) + x.mean()

    found = of_layer(Scaled(4, 4, 3))
    assert kinds(found) == [Unknown]
    assert "not shown" in found.steps[0].sentence


class Standardised(nn.Conv2d):
    """Qiao et al. 2019, arXiv:1903.10520."""

    def forward(self, x):
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / w.std((1, 2, 3), keepdim=True)
        return F.conv2d(x, w, self.bias)


def test_weights_that_are_computed_are_those_that_are_shown():
    (step,) = of_layer(Standardised(4, 3, 3), channel=2).steps
    assert step.weights.std() == pytest.approx(1, abs=0.02)
    (step,) = of_layer(nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 3, 3))).steps
    assert type(step) is Weighted


# --- whole networks

WHOLE = ["mnist", "u-net", "highway", "shufflenet", "mobilenet", "capsules", "vit", "mnist rnn"]
# What works on more than sums, windows and single values.
NOT_TAKEN_APART = {
    "mnist rnn": {"LSTM"},
    "capsules": {"matrix product", "sum", "softmax"},
    "vit": {"linear", "matrix product", "softmax", "concat"},
}


@pytest.mark.parametrize("name", WHOLE)
def test_every_part_of_networks_by_others_is_taken_apart(name):
    model, image = network(name), images(name, 1)
    kept = trace(model, image, copied).kept
    unknown = set()
    for part in list(kept)[:: 1 + len(kept) // 40]:
        found = same(arithmetic(model, image, part, len(as_maps(kept[part][0])) - 1, {}))
        asked = found.steps[found.asked]
        if isinstance(asked, Unknown) and asked.text:
            unknown.add(asked.text)
    assert unknown <= NOT_TAKEN_APART.get(name, set())


@pytest.mark.parametrize("name", sorted(REGISTRY.architectures))
def test_every_part_of_the_built_ins_is_taken_apart(name):
    torch.manual_seed(0)
    model = settle(REGISTRY.architectures[name].build(ImageSpec(1, 28, 10))).eval()
    image = torch.randn(1, 1, 28, 28)
    kept = trace(model, image, copied).kept
    parts = list(kept)[:: 1 + len(kept) // 30]
    found = [same(arithmetic(model, image, part, 0, {})) for part in parts]
    asked = [a.steps[a.asked] for a in found]
    # A skip may be every other pixel of what it begins at.
    assert not [step.part for step in asked if isinstance(step, Unknown) and step.text]


@pytest.mark.parametrize("unusual", UNUSUAL, ids=lambda unusual: unusual.__name__)
def test_every_part_of_an_unusual_network_has_an_answer(unusual):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = look_into(unusual(), small_data())
        image = session.test_image(0)
        found = [session.arithmetic(image, part, 0) for part in session.record(image).maps]
    assert all(each.steps for each in found)
    if unusual.__name__ != "Autocast":  # which computes with eight bits
        assert all(same(each) for each in found)
