import pytest
import torch
from torch import nn
from torchvision.models import densenet121, googlenet, resnet18

from explorer.branches import Branches
from explorer.inspection.describing import describe
from explorer.inspection.outline import outline
from explorer.inspection.parts import Block, Layer
from explorer.plugin.registry import discover
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = discover().architectures


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def layers(parts) -> list[Layer]:
    found = []
    for part in parts:
        if isinstance(part, Layer):
            found.append(part)
        else:
            for branch in part.branches.values():
                found += layers(branch)
    return found


def test_the_residual_net_reads_as_it_is_built():
    parts = outline(ARCHITECTURES["residual"].build(MNIST), MNIST)
    block = parts[3]
    assert isinstance(block, Block)
    assert (block.path, block.merge, block.shape) == ("block1", "add", (16, 12, 12))
    assert block.parameters == 4640
    assert [layer.text for layer in block.branches["residual"]] == ["conv 3×3", "ReLU", "conv 3×3"]
    assert [layer.kind for layer in block.branches["skip"]] == ["Identity"]
    assert block.channels == {"skip": 16, "residual": 16}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_all_weights_of_every_built_in_are_accounted_for(name):
    architecture = ARCHITECTURES[name]
    parts = outline(architecture.build(MNIST), MNIST)
    assert sum(part.parameters for part in parts) == architecture.parameters
    assert sum(layer.parameters for layer in layers(parts)) == architecture.parameters


@pytest.mark.parametrize("build", [resnet18, googlenet, densenet121])
def test_networks_without_branches_read_layer_by_layer(build):
    options = {"aux_logits": False, "init_weights": False} if build is googlenet else {}
    model = build(num_classes=10, **options)
    images = ImageSpec(3, 64, 10)
    parts = outline(model, images)
    assert all(isinstance(part, Layer) for part in parts)
    assert parts[-1].shape == (10,)
    assert hooks(model) == 0


def test_nested_blocks_keep_their_place():
    inner = Branches({"a": nn.Conv2d(1, 2, 1), "b": nn.Identity()})
    model = nn.Sequential(Branches({"x": inner, "y": nn.Conv2d(1, 3, 1)}), nn.Conv2d(6, 1, 1))
    block, last = outline(model, MNIST)
    assert [part.path for part in block.branches["x"]] == ["0.x"]
    assert list(block.branches["x"][0].branches) == ["a", "b"]
    assert [part.path for part in block.branches["y"]] == ["0.y"]
    assert block.channels == {"x": 3, "y": 3}
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
