"""Networks that differ in the windows through which they look, at equal size or equal cost.

After Christian Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842, fig. 2b.
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import nn

from explorer import ImageSpec, Range, hookimpl

MOST_WIDTH = 128  # channels of a network with windows of one size


@hookimpl
def register_architectures(register):
    register(Windows)
    register(InceptionReLU, name="inception-relu")


class Windows(nn.Module):
    """Two blocks of windows of one size, or of several, all with as many parameters.

    A network with windows of one size has as many channels as give its blocks the parameters of
    those with several: 1×1, 3×3 and 5×5 behind 1×1 reductions, and pooling. Each weight is used at
    every place of maps of one size in all of them, so they take as many multiply-adds too.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        windows: Annotated[
            Literal["several", "3x3", "5x5", "7x7", "3x3 twice"], "What the blocks look through"
        ] = "several",
        without: Annotated[
            Literal["nothing", "1x1", "3x3", "5x5", "pool"], "Which of several windows is left out"
        ] = "nothing",
        width: Annotated[int, Range(4, 24, step=4), "Channels of each of several windows"] = 16,
    ):
        super().__init__()
        blocks: list[nn.Module]
        if windows == "several":
            channels = width * (4 - (without != "nothing"))
            blocks = [Several(channels, width, without) for _ in range(2)]
        else:
            kernels = [3, 3] if windows == "3x3 twice" else [int(windows[0])]
            channels = closest(weights_of_several(width), kernels)
            blocks = [chain(channels, kernels) for _ in range(2)]
        self.stem = conv(images.channels, channels, 3)
        self.block1, self.block2 = blocks
        self.linear = nn.Linear(channels, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        x = self.block1(F.max_pool2d(self.stem(x), 2))
        x = self.block2(F.max_pool2d(x, 2))
        return self.linear(x.mean((2, 3)))


class Several(nn.Module):
    """Windows of several sizes, whose maps are concatenated."""

    def __init__(self, inputs: int, width: int, without: str):
        super().__init__()
        branches = {
            "1x1": conv(inputs, width, 1),
            "3x3": nn.Sequential(conv(inputs, width, 1), conv(width, width, 3)),
            "5x5": nn.Sequential(conv(inputs, width, 1), conv(width, width, 5)),
            "pool": nn.Sequential(nn.MaxPool2d(3, 1, padding=1), conv(inputs, width, 1)),
        }
        branches.pop(without, None)
        self.branches = nn.ModuleDict({f"branch{name}": each for name, each in branches.items()})

    def forward(self, x):
        """Concatenate what the branches make of `(N, inputs, H, W)`."""
        return torch.cat([branch(x) for branch in self.branches.values()], dim=1)


class InceptionReLU(nn.Module):
    """The tutorial's Inception net with a ReLU after every convolution.

    Nothing else is changed: it has as many parameters and takes as many multiply-adds, so what
    differs is what activations within the blocks are worth.
    """

    def __init__(self, images: ImageSpec):
        super().__init__()
        side = ((images.size - 4) // 2 - 4) // 2
        self.conv1 = nn.Conv2d(images.channels, 10, kernel_size=5)
        self.incep1 = InceptionReLUBlock(10)
        self.conv2 = nn.Conv2d(88, 20, kernel_size=5)
        self.incep2 = InceptionReLUBlock(20)
        self.linear = nn.Linear(88 * side * side, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        x = self.incep1(F.relu(F.max_pool2d(self.conv1(x), 2)))
        x = self.incep2(F.relu(F.max_pool2d(self.conv2(x), 2)))
        return self.linear(x.flatten(1))


class InceptionReLUBlock(nn.Module):
    """The tutorial's block with activations."""

    def __init__(self, channels: int):
        super().__init__()
        self.branch1x1 = nn.Conv2d(channels, 16, kernel_size=1)
        self.branch5x5_1 = nn.Conv2d(channels, 16, kernel_size=1)
        self.branch5x5_2 = nn.Conv2d(16, 24, kernel_size=5, padding=2)
        self.branch3x3_1 = nn.Conv2d(channels, 16, kernel_size=1)
        self.branch3x3_2 = nn.Conv2d(16, 24, kernel_size=3, padding=1)
        self.branch3x3_3 = nn.Conv2d(24, 24, kernel_size=3, padding=1)
        self.branch_pool = nn.Conv2d(channels, 24, kernel_size=1)

    def forward(self, x):
        """Concatenate what four branches make of `(N, channels, H, W)`."""
        branch1x1 = F.relu(self.branch1x1(x))
        branch5x5 = F.relu(self.branch5x5_2(F.relu(self.branch5x5_1(x))))
        branch3x3 = F.relu(self.branch3x3_2(F.relu(self.branch3x3_1(x))))
        branch3x3 = F.relu(self.branch3x3_3(branch3x3))
        branch_pool = F.relu(self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1)))
        return torch.cat([branch1x1, branch5x5, branch3x3, branch_pool], dim=1)


def closest(weights: int, kernels: list[int]) -> int:
    """Return with how many channels convolutions with these kernels come closest to so many."""
    area = sum(kernel**2 for kernel in kernels)
    return min(range(4, MOST_WIDTH + 1), key=lambda channels: abs(channels**2 * area - weights))


def weights_of_several(width: int) -> int:
    """Return how many weights a block with all windows has."""
    inputs = 4 * width
    return 4 * inputs * width + width**2 * (9 + 25)


def chain(channels: int, kernels: list[int]) -> nn.Sequential:
    """Return convolutions in a row that keep the number of channels."""
    return nn.Sequential(*(conv(channels, channels, kernel) for kernel in kernels))


def conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Return a convolution that keeps height and width, batch normalisation, and a ReLU."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())
