import pytest
import torch
import torch.nn.functional as F
from built_ins import REGISTRY
from torch import nn
from torchvision.models import densenet121, googlenet, resnet18

from explorer.branches import Branches
from explorer.inspection.describing import describe
from explorer.inspection.outline import outline
from explorer.inspection.parts import Block, Node, blocks, nodes
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_the_residual_net_reads_as_it_is_built():
    parts = outline(ARCHITECTURES["residual"].build(MNIST), MNIST).parts
    block = parts[3]
    assert isinstance(block, Block)
    assert (block.path, block.kind, block.shape) == ("block1", "sum", (16, 12, 12))
    assert (block.input_shape, block.parameters) == ((16, 12, 12), 4640)
    skip, residual = block.branches.values()
    assert [layer.text for layer in residual.parts] == ["conv 3×3", "ReLU", "conv 3×3"]
    assert (skip.parts, skip.is_skip, residual.is_skip) == ((), True, False)
    assert {name: branch.shape for name, branch in block.branches.items()} == {
        "skip": (16, 12, 12),
        "residual": (16, 12, 12),
    }


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_all_weights_of_every_built_in_are_accounted_for(name):
    architecture = ARCHITECTURES[name]
    seen = outline(architecture.build(MNIST), MNIST)
    unused = sum(node.parameters for node in seen.graph.unused)
    used = architecture.parameters - unused
    assert sum(part.parameters for part in seen.parts) == used
    assert sum(node.parameters for node in nodes(seen.parts)) == used
    printed = name == "residual-as-printed"
    assert [node.name for node in seen.graph.unused if node.parameters] == (
        ["block1.conv1", "block2.conv1"] if printed else []
    )


@pytest.mark.parametrize(
    ("build", "kind", "count", "skips"),
    [(resnet18, "sum", 8, 5), (googlenet, "concat", 9, 0), (densenet121, "concat", 58, 58)],
)
def test_the_blocks_of_networks_in_plain_code_are_found(build, kind, count, skips):
    options = {"aux_logits": False, "init_weights": False} if build is googlenet else {}
    model = build(num_classes=10, **options)
    images = ImageSpec(3, 64, 10)
    seen = outline(model, images)
    found = list(blocks(seen.parts))
    assert [block.kind for block in found] == [kind] * count
    assert sum(any(b.is_skip for b in block.branches.values()) for block in found) == skips
    assert seen.parts[-1].shape == (10,)
    total = sum(p.numel() for p in model.parameters())
    assert sum(part.parameters for part in seen.parts) == total
    assert sum(node.macs for node in nodes(seen.parts)) == seen.macs
    assert hooks(model) == 0


def test_the_blocks_of_a_resnet_by_others_are_as_they_are_written():
    parts = outline(resnet18(num_classes=10), ImageSpec(3, 64, 10)).parts
    found = {block.name: block for block in blocks(parts)}
    assert list(found) == [f"layer{stage}.{number}" for stage in (1, 2, 3, 4) for number in (0, 1)]
    for name, block in found.items():
        down = name in ("layer2.0", "layer3.0", "layer4.0")
        inside = {way.name: [part.name for part in way.parts] for way in block.branches.values()}
        assert inside == {
            "residual": [f"{name}.{layer}" for layer in ("conv1", "bn1", "relu", "conv2", "bn2")],
            "identity": [f"{name}.downsample.0", f"{name}.downsample.1"] if down else [],
        }


def test_nested_blocks_keep_their_place():
    inner = Branches({"a": nn.Conv2d(1, 2, 1), "b": nn.Identity()})
    model = nn.Sequential(Branches({"x": inner, "y": nn.Conv2d(1, 3, 1)}), nn.Conv2d(6, 1, 1))
    block, last = outline(model, MNIST).parts
    x, y = block.branches.values()
    assert [part.name for part in x.parts] == ["0.x"]
    assert list(x.parts[0].branches) == ["a", "b"]
    assert [part.path for part in y.parts] == ["0.y"]
    assert {branch.shape for branch in (x, y)} == {(3, 28, 28)}
    assert block.axis == 0
    assert isinstance(last, Node)
    assert last.path == "1"


def test_no_hook_and_no_change_of_mode_is_left_behind_even_after_an_exception():
    class Breaks(nn.Sequential):
        def forward(self, x):
            super().forward(x)
            raise RuntimeError("on purpose")

    block = Branches({"a": nn.Identity(), "b": nn.Identity()}, merge="add")
    model = Breaks(block, nn.BatchNorm2d(1)).train()
    with pytest.raises(RuntimeError, match="on purpose"):
        outline(model, MNIST)
    assert hooks(model) == 0
    assert model.training


def test_the_random_generator_and_the_statistics_of_batch_norm_are_left_alone():
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(), nn.Flatten(), nn.Linear(784, 10)).train()
    before = torch.get_rng_state(), model[0].running_mean.clone()
    outline(model, MNIST)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(model[0].running_mean, before[1])


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Conv2d(1, 2, 3), "conv 3×3"),
        (nn.Conv2d(1, 2, (1, 7), stride=2), "conv 1×7, stride 2"),
        (nn.Conv2d(4, 4, 3, groups=2), "conv 3×3, 2 groups"),
        (nn.Conv2d(4, 8, 3, groups=4), "conv 3×3, depthwise"),
        (nn.MaxPool2d(2), "max-pool 2"),
        (nn.MaxPool2d(3, stride=1, padding=1), "max-pool 3, stride 1"),
        (nn.AvgPool2d(3, stride=(2, 2)), "avg-pool 3, stride 2"),
        (nn.AvgPool2d((3, 2)), "avg-pool 3×2"),
        (nn.AdaptiveAvgPool2d(1), "global average"),
        (nn.Dropout(0.25), "dropout 0.25"),
        (nn.GELU(), "GELU"),
    ],
)
def test_layers_are_called_what_people_call_them(module, text):
    assert describe(module) == text


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (lambda x: F.conv2d(x, torch.ones(3, 2, 5, 5)), "conv 5×5"),
        (lambda x: F.conv2d(x, torch.ones(3, 2, 1, 3), stride=2), "conv 1×3, stride 2"),
        (lambda x: F.conv2d(x, torch.ones(2, 1, 3, 3), groups=2), "conv 3×3, depthwise"),
        (lambda x: F.max_pool2d(x, 2), "max-pool 2"),
        (lambda x: F.avg_pool2d(x, kernel_size=3, stride=1, padding=1), "avg-pool 3, stride 1"),
        (lambda x: F.adaptive_avg_pool2d(x, 1), "global average"),
        (lambda x: x.mean((2, 3)), "global average"),
        (lambda x: x.mean(dim=(-1, -2)), "global average"),
        (lambda x: F.dropout(x, 0.25), "dropout 0.25"),
        (lambda x: F.gelu(x), "GELU"),
        (lambda x: x.relu(), "ReLU"),
        (lambda x: torch.cat([x, x], 1), "concat"),
        (lambda x: x + x, "add"),
    ],
)
def test_operations_are_called_as_the_layers_that_do_the_same(operation, text):
    class Operates(nn.Sequential):
        def forward(self, x):
            return operation(super().forward(x))

    parts = outline(Operates(nn.Conv2d(1, 2, 1)), MNIST).parts
    assert [part.text for part in parts] == ["conv 1×1", text]
