import pytest
import torch
from built_ins import REGISTRY
from hypothesis import given
from hypothesis import strategies as st
from inspection.trees import Breaks, Noise, networks, property_test, unchanged
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.branches import Branches
from explorer.inspection.cost import measure
from explorer.inspection.outline import outline
from explorer.inspection.parts import Block, blocks, branches, nodes
from explorer.inspection.results import Cost, costs
from explorer.inspection.tracing import trace
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures


def parts_of(model, images):
    return trace(model, images, keep=lambda _: None, count=True).parts


def counted(model, images):
    """Multiply-adds for one image, as torch counts them for the network as a whole."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(images)
    return counter.get_total_flops() / 2 / len(images)


def within(rows, place):
    """The rows right below that at `place`."""
    below = []
    for row in rows[place + 1 :]:
        if row.depth <= rows[place].depth:
            break
        below.append(row)
    return [row for row in below if row.depth == rows[place].depth + 1]


def adds_up(model, images):
    rows = costs(parts_of(model, images))
    for place, row in enumerate(rows):
        inside = within(rows, place)
        if row.kind == "block":
            assert {part.kind for part in inside} == {"branch"}
        if inside:
            assert sum(part.parameters for part in inside) == row.parameters
            assert sum(part.macs for part in inside) == row.macs
    top = [row for row in rows if row.depth == 0]
    whole = trace(model, images, keep=lambda _: None, count=True)
    assert sum(row.macs for row in top) == whole.macs - sum(n.macs for n in whole.graph.unused)
    assert whole.macs == counted(model, images)
    wasted = sum(node.parameters for node in whole.graph.unused)
    assert sum(row.parameters for row in top) + wasted == sum(p.numel() for p in model.parameters())


@given(networks())
@property_test
def test_the_costs_of_random_nested_blocks_add_up(drawn):
    adds_up(*drawn)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_costs_of_every_built_in_add_up(name):
    adds_up(ARCHITECTURES[name].build(MNIST), torch.randn(3, 1, 28, 28))


def test_the_costs_of_networks_by_others_add_up(stranger):
    adds_up(stranger, torch.randn(2, 1, 32, 32))
    stranger.train()


@given(networks())
@property_test
def test_every_layer_operation_branch_and_block_has_a_row_under_its_name(drawn):
    parts = parts_of(*drawn)
    rows = costs(parts)
    found = list(blocks(parts))
    merges = {node.name for block in found for node in (*block.inner, block.merge)}
    wanted = {node.name for node in nodes(parts)} - merges | {block.name for block in found}
    assert {row.name for row in rows} == wanted | set(branches(parts))
    assert [row.name for row in rows if row.kind == "block"] == [block.name for block in found]


def test_what_is_never_used_comes_last_and_says_so():
    class Wasteful(nn.Module):
        def __init__(self):
            super().__init__()
            self.idle, self.conv = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 2, 1)

        def forward(self, x):
            self.idle(x)
            return self.conv(x)

    seen = outline(Wasteful(), ImageSpec(1, 2, 10))
    rows = costs(seen.parts, {"idle": 2.5}, seen.graph.unused)
    assert rows == [
        Cost("conv", "layer", 0, "conv 1×1", 4, 8, None),
        Cost("idle", "layer", 0, "conv 1×1, never used", 6, 12, 2.5),
    ]


def test_weights_that_two_branches_share_count_once_for_the_block():
    conv = nn.Conv2d(1, 2, 1)
    model = nn.Sequential(Branches({"a": conv, "b": conv}))
    rows = {row.name: row.parameters for row in costs(parts_of(model, torch.randn(1, 1, 5, 5)))}
    assert rows == {"0": 4, "0.a": 4, "0.b": 4, "0.a#2": 4}


@given(st.data())
@property_test
def test_a_convolution_costs_what_the_formula_says(data):
    groups, per_group, more = (data.draw(st.integers(1, 3)) for _ in range(3))
    inputs, outputs = groups * per_group, groups * more
    kernel, stride, padding, dilation, size = (
        data.draw(st.tuples(st.integers(low, high), st.integers(low, high)))
        for low, high in ((1, 3), (1, 3), (0, 2), (1, 2), (5, 9))
    )
    bias = data.draw(st.booleans())
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias)
    images = torch.randn(data.draw(st.integers(1, 3)), inputs, *size)
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(size, padding, dilation, kernel, stride, strict=True)
    )
    (row,) = costs(parts_of(nn.Sequential(conv), images))
    filters = outputs * per_group * kernel[0] * kernel[1]
    assert row.macs == height * width * filters
    assert row.parameters == filters + outputs * bias


def test_a_linear_layer_costs_a_multiply_add_a_weight_and_the_rest_nothing():
    model = nn.Sequential(
        nn.BatchNorm2d(2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 5)
    )
    rows = costs(parts_of(model, torch.randn(7, 2, 4, 4)))
    assert [row.macs for row in rows] == [0, 0, 0, 0, 40]
    assert [row.parameters for row in rows] == [4, 0, 0, 0, 45]


def test_weights_that_are_not_trained_do_not_count():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 1))
    model[0].requires_grad_(False)
    rows = costs(parts_of(model, torch.randn(1, 1, 5, 5)))
    assert [row.parameters for row in rows] == [0, 6]


def test_the_rows_of_a_block_come_before_its_branches_and_those_before_their_layers():
    inner = Branches({"c": nn.Conv2d(2, 1, 1), "d": nn.Identity()})
    path = nn.Sequential(nn.Conv2d(1, 2, 1), inner, nn.ReLU())
    model = nn.Sequential(Branches({"a": path, "b": nn.Conv2d(1, 3, 1)}, merge="add"), nn.Flatten())
    rows = costs(outline(model, ImageSpec(1, 2, 10)).parts)
    assert [(row.name, row.kind, row.depth, row.text) for row in rows] == [
        ("0", "block", 0, "sum of 2"),
        ("0.a", "branch", 1, "conv 1×1, 0.a.1, ReLU"),
        ("0.a.0", "layer", 2, "conv 1×1"),
        ("0.a.1", "block", 2, "concat of 2"),
        ("0.a.1.c", "branch", 3, "conv 1×1"),
        ("0.a.1.d", "branch", 3, ""),
        ("0.a.2", "layer", 2, "ReLU"),
        ("0.b", "branch", 1, "conv 1×1"),
        ("1", "layer", 0, "flatten"),
    ]


def test_a_block_that_is_a_branch_shows_its_own_branches():
    inner = Branches({"c": nn.Conv2d(1, 2, 1), "d": nn.Identity()})
    model = nn.Sequential(Branches({"a": inner, "b": nn.Identity()}))
    rows = costs(outline(model, ImageSpec(1, 2, 10)).parts)
    assert {"0.a.c", "0.a.d"} <= {row.name for row in rows}


def test_without_a_measurement_there_are_no_milliseconds_and_with_one_there_are_its_own():
    parts = outline(nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU()), ImageSpec(1, 2, 10)).parts
    conv = Cost("0", "layer", 0, "conv 1×1", 4, 8, None)
    assert costs(parts)[0] == conv
    timed = costs(parts, {"0": 1.5})
    assert [row.milliseconds for row in timed] == [1.5, None]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_row_of_a_built_in_is_measured(name):
    model, images = ARCHITECTURES[name].build(MNIST), torch.randn(2, 1, 28, 28)
    parts = parts_of(model, images)
    rows = costs(parts, measure(model, images, parts))
    has_blocks = any(isinstance(part, Block) for part in parts)
    assert has_blocks == (name not in ("plain", "network-in-network", "mlp"))
    skips = {path for path, (_, branch) in branches(parts).items() if branch.is_skip}
    for row in rows:
        assert row.milliseconds == 0 if row.name in skips else row.milliseconds > 0


@given(networks())
@property_test
def test_a_block_and_a_branch_take_as_long_as_their_nodes_together(drawn):
    model, images = drawn
    parts = parts_of(model, images)
    taken = measure(model, images, parts)
    for block in blocks(parts):
        own = sum(taken[node.name] for node in (*block.inner, block.merge))
        ways = sum(taken[branch.path] for branch in block.branches.values())
        assert taken[block.name] == pytest.approx(own + ways)
    for path, (_, branch) in branches(parts).items():
        assert taken[path] == pytest.approx(sum(taken[node.name] for node in nodes(branch.parts)))


def test_every_run_of_a_layer_and_of_a_block_is_measured():
    block = Branches({"skip": nn.Identity(), "conv": nn.Conv2d(1, 1, 1)}, merge="add")
    relu = nn.ReLU()
    model, images = nn.Sequential(block, relu, block, relu), torch.randn(2, 1, 4, 4)
    parts = parts_of(model, images)
    rows = costs(parts, measure(model, images, parts))
    names = ["0", "0.skip", "0.conv", "1", "0#2", "0#2.skip", "0#2.conv", "0.conv#2", "1#2"]
    assert [row.name for row in rows] == names
    assert all(row.milliseconds > 0 for row in rows if not row.name.endswith("skip"))


def test_a_measurement_is_the_least_of_nine_runs_after_one_that_does_not_count(monkeypatch):
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    class Takes(nn.Module):
        """Takes the given seconds, one after the other."""

        def __init__(self, *seconds):
            super().__init__()
            self.seconds = list(seconds)

        def forward(self, x):
            assert not self.training
            clock.now += self.seconds.pop(0)
            return x + 1

    clock = Clock()
    monkeypatch.setattr("explorer.inspection.cost.perf_counter", clock)
    model = nn.Sequential(Takes(1, 5, 7, 3, 6, 9, 4, 8, 5, 6), Takes(1, 2, 2, 2, 2, 2, 2, 2, 2, 2))
    images = torch.randn(1, 1, 2, 2)
    taken = measure(model, images, ())
    assert taken == pytest.approx({"0": 3000, "1": 2000})
    assert model[0].seconds == []


def test_measuring_leaves_the_network_unchanged_even_after_an_exception():
    layers = [nn.BatchNorm2d(1), nn.Dropout(), Branches({"a": Noise(), "b": nn.Identity()})]
    images = torch.randn(2, 1, 4, 4)
    model = nn.Sequential(*layers).train()
    parts = parts_of(model, images)
    with unchanged(model):
        measure(model, images, parts)
    model = Breaks(*layers).train()
    with unchanged(model), pytest.raises(RuntimeError, match="on purpose"):
        measure(model, images, parts)
