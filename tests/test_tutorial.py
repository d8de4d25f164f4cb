"""The tutorial's two nets in the tutorial's own style, with no thought of the explorer."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from explorer.data.loader import Data
from explorer.inspection.ablation import ablated
from explorer.inspection.outline import outline
from explorer.inspection.parts import blocks, branches
from explorer.plugin.registry import load
from explorer.plugin.sources import in_folders
from explorer.training.events import Epoch
from explorer.training.loop import train
from explorer.training.recipe import preset

CODE = """
import torch
import torch.nn.functional as F


class Inception(torch.nn.Module):
    def __init__(self, in_channels):
        super(Inception, self).__init__()
        self.branch_pool = torch.nn.Conv2d(in_channels, 24, kernel_size=1)
        self.branch1x1 = torch.nn.Conv2d(in_channels, 16, kernel_size=1)
        self.branch5x5_1 = torch.nn.Conv2d(in_channels, 16, kernel_size=1)
        self.branch5x5_2 = torch.nn.Conv2d(16, 24, kernel_size=5, padding=2)
        self.branch3x3_1 = torch.nn.Conv2d(in_channels, 16, kernel_size=1)
        self.branch3x3_2 = torch.nn.Conv2d(16, 24, kernel_size=3, padding=1)
        self.branch3x3_3 = torch.nn.Conv2d(24, 24, kernel_size=3, padding=1)

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
        return torch.cat(outputs, dim=1)


class ResidualBlock(torch.nn.Module):
    def __init__(self, channels):
        super(ResidualBlock, self).__init__()
        self.conv1 = torch.nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = torch.nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x):
        y = F.relu(self.conv1(x))
        y = self.conv2(y)
        return F.relu(x + y)


class InceptionNet(torch.nn.Module):
    def __init__(self):
        super(InceptionNet, self).__init__()
        self.conv1 = torch.nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = torch.nn.Conv2d(88, 20, kernel_size=5)
        self.block1 = Inception(10)
        self.block2 = Inception(20)
        self.pooling = torch.nn.MaxPool2d(2)
        self.linear = torch.nn.Linear(1408, 10)

    def forward(self, x):
        size = x.size(0)
        x = F.relu(self.pooling(self.conv1(x)))
        x = self.block1(x)
        x = F.relu(self.pooling(self.conv2(x)))
        x = self.block2(x)
        return self.linear(x.view(size, -1))


class ResidualNet(torch.nn.Module):
    def __init__(self):
        super(ResidualNet, self).__init__()
        self.conv1 = torch.nn.Conv2d(1, 16, kernel_size=5)
        self.conv2 = torch.nn.Conv2d(16, 32, kernel_size=5)
        self.block1 = ResidualBlock(16)
        self.block2 = ResidualBlock(32)
        self.pooling = torch.nn.MaxPool2d(2)
        self.linear = torch.nn.Linear(512, 10)

    def forward(self, x):
        size = x.size(0)
        x = self.pooling(F.relu(self.conv1(x)))
        x = self.block1(x)
        x = self.pooling(F.relu(self.conv2(x)))
        x = self.block2(x)
        return self.linear(x.view(size, -1))
"""
HOOK = """
from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(InceptionNet)
    register(ResidualNet)
"""
BRANCHES = {
    "inception-net": ["branch1x1", "branch5x5", "branch3x3", "branch_pool"],
    "residual-net": ["skip", "residual"],
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "tutorial.py").write_text(CODE + HOOK, encoding="utf-8")
    found = load(in_folders([folder]))
    assert not found.broken
    return found


@pytest.fixture(scope="module", params=BRANCHES)
def trained(request, registry, mnist):
    """A net after a few hundred images, and those it was trained on."""
    torch.manual_seed(0)
    data = Data(mnist.spec, mnist.train.subset(2000), mnist.test.subset(200))
    model = registry[request.param].build(data.spec)
    events = list(train(model, data, preset("fast")))
    assert isinstance(events[-1], Epoch)
    assert events[-1].test_accuracy > 0.5
    return request.param, model.eval(), data


def test_their_branches_have_the_names_of_the_code(trained):
    name, model, data = trained
    found = list(blocks(outline(model, data.spec).parts))
    assert [block.name for block in found] == ["block1", "block2"]
    assert [list(block.branches) for block in found] == [BRANCHES[name]] * 2
    assert [block.kind for block in found] == ["concat" if "inception" in name else "sum"] * 2


def by_hand(block, x, off):
    """What a block gives with one of its branches off."""
    if "branch1x1" in dict(block.named_children()):
        pooled = F.avg_pool2d(x, 3, stride=1, padding=1)
        given = {
            "branch1x1": block.branch1x1(x),
            "branch5x5": block.branch5x5_2(block.branch5x5_1(x)),
            "branch3x3": block.branch3x3_3(block.branch3x3_2(block.branch3x3_1(x))),
            "branch_pool": block.branch_pool(pooled),
        }
        return torch.cat([y * (name != off) for name, y in given.items()], dim=1)
    residual = block.conv2(F.relu(block.conv1(x)))
    return F.relu(x * (off != "skip") + residual * (off != "residual"))


def test_each_branch_that_is_off_gives_what_a_forward_without_it_gives(trained):
    _, model, data = trained
    seen = outline(model, data.spec)
    plain = replace(data.test, memory_format=torch.contiguous_format)  # as `view` needs it
    images = plain.normalise(plain.images[:20])
    paths = list(branches(seen.parts))
    assert len(paths) in (4, 8)
    for path in paths:
        off, name = path.split(".")

        def run(block, x, off=off, name=name):
            return by_hand(getattr(model, block), x, name if block == off else None)

        with torch.no_grad():
            x, inception = model.conv1(images), hasattr(model.block1, "branch1x1")
            shrink = (
                (lambda x: F.relu(F.max_pool2d(x, 2)))
                if inception
                else (lambda x: F.max_pool2d(F.relu(x), 2))
            )
            x = run("block1", shrink(x))
            x = run("block2", shrink(model.conv2(x)))
            wanted = model.linear(x.flatten(1))
            with ablated(model, seen, [path]):
                found = model(images)
            torch.testing.assert_close(found, wanted)
            assert not torch.allclose(found, model(images), atol=1e-3)
