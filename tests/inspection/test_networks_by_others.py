"""What is found in networks by others, against how their authors wrote them."""

import copy
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from inspection import others
from inspection.others import NETWORKS, UNUSUAL, images, network, seen
from inspection.trees import small_data, unchanged
from torch import nn
from torchvision.models.densenet import _DenseBlock
from torchvision.models.googlenet import Inception
from torchvision.models.resnet import BasicBlock
from torchvision.models.shufflenetv2 import InvertedResidual, channel_shuffle
from torchvision.models.swin_transformer import SwinTransformerBlock
from torchvision.ops.misc import SqueezeExcitation

from explorer.inspection.ablation import ablated
from explorer.inspection.network import look_into
from explorer.inspection.parts import blocks, branches, nodes
from explorer.inspection.report import report
from explorer.inspection.tracing import trace

pytestmark = pytest.mark.usefixtures("one_thread")

each = pytest.mark.parametrize("name", NETWORKS)
FUSED = "row encoder"  # torch runs its layers as one operation each, unless they are watched


# --- blocks and branches

# How many blocks of each kind the author's code has.
KINDS = {
    "resnet18": {"sum": 4 * 2},
    "googlenet": {"concat": 9},
    # Each dense layer joins all before it, and each of the four dense blocks joins all that it has.
    # What the first layer of a dense block joins is one tensor.
    "densenet121": {"concat": 6 + 12 + 24 + 16},
    "shufflenet": {"concat": 4 + 8 + 4},
    "mobilenet": {"sum": 6, "product": 9},  # skips; squeeze and excitation
    # Of q and k, where q is scaled first, and of what that gives and v.
    "swin": {"sum": 2 * 12, "matrix product": 2 * 12},
    "mnist": {},
    "mnist rnn": {},
    "u-net": {"concat": 2},
    "highway": {"sum": 2, "product": 2 * 2},  # T(x) H(x) + (1 - T(x)) x
    # Coupling and votes, except the first time, when the coupling is the same for all images; votes
    # and vectors, except the last time.
    "capsules": {"matrix product": 2 + 2},
    # Of attention and v. Both q and k are parts of one layer's output, so their product is none.
    "vit": {"sum": 2 * 2, "matrix product": 2},
    "row attention": {"sum": 1},
    "row encoder": {"sum": 2 * 2},
}


@each
def test_the_blocks_are_those_that_the_author_wrote(name):
    assert Counter(block.kind for block in blocks(seen(name).parts)) == KINDS[name]


# What is on the way in some branches, by names within the module that merges.
BRANCHES = {
    ("resnet18", "layer1.0"): {
        "residual": ["conv1", "bn1", "relu", "conv2", "bn2"],
        "identity": [],
    },
    ("resnet18", "layer2.0"): {
        "residual": ["conv1", "bn1", "relu", "conv2", "bn2"],
        "identity": ["downsample.0", "downsample.1"],
    },
    ("googlenet", "inception3a"): {
        "branch1": ["branch1.conv", "branch1.bn", "branch1.relu()"],
        "branch2": [
            *["branch2.0.conv", "branch2.0.bn", "branch2.0.relu()"],
            *["branch2.1.conv", "branch2.1.bn", "branch2.1.relu()"],
        ],
        "branch3": [
            *["branch3.0.conv", "branch3.0.bn", "branch3.0.relu()"],
            *["branch3.1.conv", "branch3.1.bn", "branch3.1.relu()"],
        ],
        "branch4": ["branch4.0", "branch4.1.conv", "branch4.1.bn", "branch4.1.relu()"],
    },
    ("densenet121", "features.denseblock1"): {
        "skip": [],
        "new_features": [f"denselayer6.{n}{i}" for i in (1, 2) for n in ("norm", "relu", "conv")],
    },
    ("shufflenet", "stage2.0"): {
        "branch1": [f"branch1.{number}" for number in range(5)],
        "branch2": [f"branch2.{number}" for number in range(8)],
    },
    ("shufflenet", "stage2.1"): {
        "x1": [],
        "branch2": [f"branch2.{number}" for number in range(8)],
    },
    ("mobilenet", "features.3"): {
        "block": [
            *["block.0.0", "block.0.1", "block.0.2"],
            *["block.1.0", "block.1.1", "block.1.2"],
            *["block.2.0", "block.2.1"],
        ],
        "skip": [],
    },
    ("mobilenet", "features.1.block.1"): {
        "scale": ["avgpool", "fc1", "activation", "fc2", "scale_activation"],
        "skip": [],
    },
    ("swin", "features.1.1.add()"): {
        "skip": [],
        "residual": [
            *["norm1", "attn.pad()", "attn.roll()", "attn.linear()", "attn.mul()"],
            *["attn.matmul()", "attn.add()", "attn.add()#2", "attn.softmax()"],
            *["attn.matmul()#2", "attn.linear()#2", "attn.roll()#2"],
        ],
    },
    ("swin", "features.1.1.add()#2"): {
        "skip": [],
        "residual": ["norm2", *[f"mlp.{number}" for number in range(5)]],
    },
    ("u-net", "up1"): {
        "across": [],
        "below": ["max_pool2d()#2", *[f"down2.{number}" for number in range(6)], "up"],
    },
    ("highway", "layers.0.mul()"): {"plain": ["plain", "relu()"], "gate": ["gate", "sigmoid()"]},
    ("capsules", "matmul()#3"): {
        "votes": [],
        "branch": [
            *["matmul()#2", "pow()#2", "sum()#2", "add()#3", "div()#3"],
            *["mul()#2", "add()#4", "sqrt()#2", "div()#4"],
        ],
    },
    ("vit", "blocks.0.attn"): {"attn": ["matmul()", "mul()", "softmax()"], "v": []},
    ("vit", "blocks.0.add()#2"): {"skip": [], "residual": ["norm2", "mlp.0", "mlp.1", "mlp.2"]},
    ("row attention", "add()"): {"skip": [], "attention": ["attention"]},
    ("row encoder", "encoder.layers.1.add()"): {"skip": [], "residual": ["self_attn", "dropout1"]},
}


@pytest.mark.parametrize(("name", "block"), BRANCHES)
def test_the_branches_are_those_that_the_author_wrote(name, block):
    (found,) = (each for each in blocks(seen(name).parts) if each.name == block)
    assert {
        branch.name: [node.name.removeprefix(f"{found.path}.") for node in nodes(branch.parts)]
        for branch in found.branches.values()
    } == BRANCHES[name, block]


@each
def test_every_part_on_the_way_to_the_answer_is_listed_once(name):
    graph = seen(name).graph
    listed = [node.number for node in nodes(seen(name).parts)]
    assert sorted(listed) == sorted(graph.live - {0})
    assert graph.unused == ()


# --- runs


@each
def test_watching_changes_nothing(name):
    model = network(name)
    given = images(name)
    with torch.no_grad():
        wanted = model(given)
    with unchanged(model):
        found = trace(model, given, lambda _: None).output
    assert torch.equal(given, images(name))
    if name == FUSED:
        torch.testing.assert_close(found, wanted)
    else:
        assert torch.equal(found, wanted)


def test_a_watched_transformer_does_what_torch_does_without_fusing():
    with torch.no_grad():
        fused = network(FUSED)(images(FUSED))
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            wanted = network(FUSED)(images(FUSED))
        finally:
            torch.backends.mha.set_fastpath_enabled(True)
    assert torch.equal(seen(FUSED).output, wanted)
    assert not torch.equal(fused, wanted)  # or else there is nothing to test here


@each
def test_names_stay_the_same_from_run_to_run_and_for_other_batches(name):
    first, second = seen(name), trace(network(name), images(name, 5), lambda _: None)
    assert [node.name for node in second.graph.nodes] == [node.name for node in first.graph.nodes]
    assert list(branches(second.parts)) == list(branches(first.parts))
    assert [node.shape for node in second.graph.nodes] == [node.shape for node in first.graph.nodes]
    names = [node.name for node in first.graph.nodes]
    assert len(set(names)) == len(names)


# --- costs


def of_layers(name):
    """Return the multiply-adds of all convolutions and linear layers for one image."""
    counts = []

    def count(layer, given, output):
        if isinstance(layer, nn.Linear):
            counts.append(output[0].numel() * layer.in_features)
        elif isinstance(layer, nn.ConvTranspose2d):  # each input value goes into so many outputs
            counts.append(given[0][0].numel() * layer.weight[0].numel())
        else:
            counts.append(output[0].numel() * layer.weight[0].numel())

    model = copy.deepcopy(network(name))
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        model(images(name))
    return sum(counts)


def transformer_layer(tokens, width, hidden, window=None):
    """Return the multiply-adds of attention and of a small network with so many hidden units.

    Args:
        tokens: How many.
        width: How many features each has.
        hidden: How many units the small network has.
        window: To how many tokens each attends; by default all.
    """
    attention = 4 * tokens * width**2 + 2 * tokens * (window or tokens) * width
    return attention + 2 * tokens * width * hidden


def of_swin():
    """Return the multiply-adds of swin_t for 32×32 pixels: 8×8 patches, in windows of 7×7."""
    total = 8 * 8 * 96 * 3 * 4 * 4
    for side, padded, width, depth in (
        (8, 14, 96, 2),
        (4, 7, 192, 2),
        (2, 7, 384, 6),
        (1, 7, 768, 2),
    ):
        attention = transformer_layer(padded**2, width, 0, window=49)
        total += depth * (attention + 2 * side**2 * width * 4 * width)
        if side > 1:
            total += (side // 2) ** 2 * 4 * width * 2 * width  # four patches become one
    return total + 768 * 10


COSTS = {
    **{
        name: lambda name=name: of_layers(name)
        for name in (
            *["resnet18", "googlenet", "densenet121", "shufflenet", "mobilenet"],
            *["mnist", "u-net", "highway"],
        )
    },
    "swin": of_swin,
    # Four gates of an input of 28 and a state of 64 in 28 steps, and the linear layers.
    "mnist rnn": lambda: 28 * 4 * 64 * (28 + 64) + 64 * 32 + 32 * 10,
    # Two convolutions, the votes, three times the coupling, and twice the agreement.
    "capsules": lambda: 8 * 16 * 9 + 8 * 4 * 8 * 9 + 3 * 8 * 4 * 6 + (3 + 2) * 3 * 8 * 6,
    "vit": lambda: 16 * 16 * 16 + 2 * transformer_layer(17, 16, 64) + 16 * 3,
    "row attention": lambda: transformer_layer(16, 16, 0) + 256 * 3,
    "row encoder": lambda: 2 * transformer_layer(16, 16, 32) + 256 * 3,
}


@each
def test_the_cost_is_that_of_the_formula(name):
    assert seen(name).macs == COSTS[name]() > 0


@each
def test_the_costs_of_all_parts_add_up(name):
    assert sum(node.macs for node in seen(name).graph.nodes) == seen(name).macs
    assert sum(part.macs for part in seen(name).parts) == seen(name).macs


def test_the_costs_that_everyone_knows():
    assert seen("mnist rnn").macs == 661_824
    assert seen("mnist").macs == 11_992_448


# --- ablation: the same networks written without a branch


class ResidualOff(BasicBlock):
    def forward(self, x):
        return torch.relu(x)


class Branch2Off(Inception):
    def forward(self, x):
        off = torch.zeros_like(self.branch2(x))
        return torch.cat([self.branch1(x), off, self.branch3(x), self.branch4(x)], 1)


class LastLayerOff(_DenseBlock):
    def forward(self, x):
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat([*features[:-1], torch.zeros_like(features[-1])], 1)


class Branch2OfTheHalfOff(InvertedResidual):
    def forward(self, x):
        x1, x2 = x.chunk(2, dim=1)
        return channel_shuffle(torch.cat((x1, torch.zeros_like(x2)), dim=1), 2)


class ScaleOff(SqueezeExcitation):
    def forward(self, x):
        return x


class AttentionOff(SwinTransformerBlock):
    def forward(self, x):
        return x + self.mlp(self.norm2(x))


class Channel3Off(nn.Conv2d):
    def forward(self, x):
        y = super().forward(x)
        y[:, 3] = 0
        return y


class Feature2Off(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        y[:, 2] = 0
        return y


class AcrossOff(others.Up):
    def forward(self, below, across):
        return self.conv(torch.cat([torch.zeros_like(across), self.up(below)], dim=1))


class GateOff(others.HighwayLayer):
    def forward(self, x):
        return torch.relu(self.plain(x)) + x * (1 - torch.sigmoid(self.gate(x)))


class FirstAgreementOff(others.Capsules):
    def route(self, votes):
        self.rounds = 2  # as nothing has changed after the first round
        return super().route(votes)


class SkipOff(others.EncoderBlock):
    def forward(self, x):
        return self.mlp(self.norm2(x + self.attn(self.norm1(x))))


class RowsOnly(others.RowAttention):
    def forward(self, x):
        return self.linear(x.flatten(1))


class SelfAttentionOff(nn.TransformerEncoderLayer):
    def forward(self, src, *_, **__):
        x = self.norm1(src)
        return self.norm2(x + self.linear2(F.relu(self.linear1(x))))


# What is off, and which module is another one then.
WITHOUT = {
    "resnet18": ("layer1.0.residual", "layer1.0", ResidualOff),
    "googlenet": ("inception3a.branch2", "inception3a", Branch2Off),
    "densenet121": ("features.denseblock1.new_features", "features.denseblock1", LastLayerOff),
    "shufflenet": ("stage2.1.branch2", "stage2.1", Branch2OfTheHalfOff),
    "mobilenet": ("features.11.block.2.scale", "features.11.block.2", ScaleOff),
    "swin": ("features.1.0.add().residual", "features.1.0", AttentionOff),
    "mnist": ("conv1:3", "conv1", Channel3Off),
    "mnist rnn": ("fc1:2", "fc1", Feature2Off),
    "u-net": ("up1.across", "up1", AcrossOff),
    "highway": ("layers.0.mul().gate", "layers.0", GateOff),
    "capsules": ("matmul()#3.branch", "", FirstAgreementOff),
    "vit": ("blocks.1.add()#2.skip", "blocks.1", SkipOff),
    "row attention": ("add().attention", "", RowsOnly),
    "row encoder": ("encoder.layers.0.add().residual", "encoder.layers.0", SelfAttentionOff),
}


@each
def test_a_branch_that_is_off_gives_what_the_rewritten_network_gives(name):
    model = network(name)
    off, path, without = WITHOUT[name]
    with torch.no_grad(), unchanged(model):
        whole = model(images(name))
        with ablated(model, seen(name), [off]):
            found = model(images(name))
    rewritten = copy.deepcopy(model)
    rewritten.get_submodule(path).__class__ = without
    with torch.no_grad():
        wanted = rewritten(images(name))
    if name == FUSED:
        torch.testing.assert_close(found, wanted)
    else:
        assert torch.equal(found, wanted)
    assert not torch.allclose(found, whole)


# --- what is unusual

DATA = small_data()


@pytest.mark.parametrize("unusual", UNUSUAL, ids=lambda unusual: unusual.__name__)
def test_all_that_is_measured_can_be_measured_of_an_unusual_network(unusual):
    session = look_into(unusual(), DATA)
    assert report(session, 3)["failed"] == {}
    assert [(block.kind, list(block.branches)) for block in blocks(session.parts)] == UNUSUAL[
        unusual
    ]


SECTIONS = ["prediction", "score", "ablation", "logit_attribution", "gradients", "linearity"]
# These do what the usual network does, in another way.
AS_USUAL = [
    others.Checkpoint,
    others.ReentrantCheckpoint,
    others.KeepsAnActivation,
    others.ComputesInVain,
    others.Tuple,
    others.Dictionary,
]


@pytest.fixture(scope="module")
def usual():
    """What is measured of the usual network."""
    return measured(others.Usual)


def measured(unusual):
    """Return what is measured of a network that begins with the same weights as all others."""
    torch.manual_seed(0)
    found = report(look_into(unusual(), DATA), 3)
    return {name: found[name] for name in SECTIONS}


@pytest.mark.parametrize("unusual", AS_USUAL, ids=lambda unusual: unusual.__name__)
def test_what_is_measured_does_not_depend_on_how_it_is_written(unusual, usual):
    assert measured(unusual) == usual
