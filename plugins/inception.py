"""Inception nets: every block looks at its input at several scales at once.

After Christian Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842, fig. 2.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(Inception)
    register(InceptionBN)


class Inception(nn.Module):
    """Two blocks that look at their input through four windows, and keep all four views.

    The tutorial's Inception net, exactly: branches of 16, 24, 24 and 24 channels, average-pooling
    before the pool branch's 1×1. 97,298 parameters on MNIST. There is no activation inside the
    block, so each branch is a chain of affine maps and the whole block is one affine map: but for
    the borders, a single 5×5 convolution could do the same. `inception-bn` is the block with
    activations.
    """

    def __init__(self, images: ImageSpec):
        super().__init__()
        side = ((images.size - 4) // 2 - 4) // 2
        self.conv1 = nn.Conv2d(images.channels, 10, kernel_size=5)
        self.incep1 = InceptionBlock(10)
        self.conv2 = nn.Conv2d(88, 20, kernel_size=5)
        self.incep2 = InceptionBlock(20)
        self.pool = nn.MaxPool2d(2)
        self.linear = nn.Linear(88 * side * side, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        x = F.relu(self.pool(self.conv1(x)))
        x = self.incep1(x)
        x = F.relu(self.pool(self.conv2(x)))
        x = self.incep2(x)
        return self.linear(x.flatten(1))


class InceptionBlock(nn.Module):
    """The tutorial's block: 88 channels out, the same height and width."""

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
        branch1x1 = self.branch1x1(x)
        branch5x5 = self.branch5x5_2(self.branch5x5_1(x))
        branch3x3 = self.branch3x3_3(self.branch3x3_2(self.branch3x3_1(x)))
        branch_pool = self.branch_pool(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        return torch.cat([branch1x1, branch5x5, branch3x3, branch_pool], dim=1)


class InceptionBN(nn.Module):
    """Inception blocks with batch normalisation and a ReLU after every convolution.

    GoogLeNet's four paths (max-pooling in the pool branch, 1×1 reductions before the larger
    kernels), `width` channels each. Every block but the last is followed by 2×2 max-pooling, and
    the last one's maps are averaged to one value a channel.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        width: Annotated[int, Range(8, 64, step=8), "Channels of each branch"] = 16,
        blocks: Annotated[int, Range(1, 4), "Blocks, each on images half as large"] = 2,
    ):
        super().__init__()
        self.stem = conv(images.channels, width, 3)
        channels = [width, *[4 * width] * (blocks - 1)]
        self.blocks = nn.ModuleList(InceptionBNBlock(inputs, width) for inputs in channels)
        self.linear = nn.Linear(4 * width, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(F.max_pool2d(x, 2, ceil_mode=True))
        return self.linear(x.mean((2, 3)))


class InceptionBNBlock(nn.Module):
    """GoogLeNet's block with batch normalisation: `4 * width` channels out."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.branch1x1 = conv(channels, width, 1)
        self.branch3x3 = nn.Sequential(conv(channels, width, 1), conv(width, width, 3))
        self.branch5x5 = nn.Sequential(conv(channels, width, 1), conv(width, width, 5))
        self.branch_pool = conv(channels, width, 1)

    def forward(self, x):
        """Concatenate what four branches make of `(N, channels, H, W)`."""
        branch1x1 = self.branch1x1(x)
        branch3x3 = self.branch3x3(x)
        branch5x5 = self.branch5x5(x)
        branch_pool = self.branch_pool(F.max_pool2d(x, 3, stride=1, padding=1))
        return torch.cat([branch1x1, branch3x3, branch5x5, branch_pool], dim=1)


def conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution that keeps height and width, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
