"""Residual nets: a block adds something to its input instead of replacing it.

After Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, "Deep Residual Learning for Image
Recognition", arXiv:1512.03385: y = F(x) + x (eq. 1).
"""

from typing import Annotated

import torch.nn.functional as F
from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(Residual)
    register(ResidualAsPrinted)
    register(ResidualBN)


class ResidualBlock(nn.Module):
    """The tutorial's block with its slip corrected: relu(x + conv2(relu(conv1(x))))."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x):
        """Return `(N, channels, H, W)` of the same."""
        y = F.relu(self.conv1(x))
        y = self.conv2(y)
        return F.relu(x + y)


class BlockAsPrinted(ResidualBlock):
    """The tutorial's block as it is printed: what conv1 gives is thrown away."""

    def forward(self, x):
        """Return `(N, channels, H, W)` of the same."""
        y = F.relu(self.conv1(x))
        y = self.conv2(x)
        return F.relu(x + y)


class Residual(nn.Module):
    """Two residual blocks: each output is the block's input plus a learned correction.

    The tutorial's Residual net with its block corrected: F(x) = conv2(relu(conv1(x))), then
    relu(x + F(x)). 41,514 parameters on MNIST. `residual-as-printed` is the same net with the slip.
    """

    block = ResidualBlock

    def __init__(self, images: ImageSpec):
        super().__init__()
        side = ((images.size - 4) // 2 - 4) // 2
        self.conv1 = nn.Conv2d(images.channels, 16, kernel_size=5)
        self.block1 = self.block(16)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=5)
        self.block2 = self.block(32)
        self.pool = nn.MaxPool2d(2)
        self.linear = nn.Linear(32 * side * side, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        x = F.relu(self.pool(self.conv1(x)))
        x = self.block1(x)
        x = F.relu(self.pool(self.conv2(x)))
        x = self.block2(x)
        return self.linear(x.flatten(1))


class ResidualAsPrinted(Residual):
    """The Residual net with the tutorial's slip: half of each block is computed and never used.

    The printed block computes y = relu(conv1(x)) and then y = conv2(x), so conv1's result is thrown
    away and F(x) is conv2 alone. 11,568 of the 41,514 parameters never receive a gradient. It still
    learns MNIST, which is why the slip is easy to miss.
    """

    block = BlockAsPrinted


class ResidualBN(nn.Module):
    """Residual blocks with batch normalisation, and a switch that takes the skips away.

    Each block is relu(x + F(x)) with F = BN(conv(relu(BN(conv(x))))), the basic block of the ResNet
    paper (fig. 2 with the normalisation of section 3.4). Images are halved once before the blocks
    and averaged to one value a channel after them. Without the skip a block is relu(F(x)), the same
    weights in a plain stack, so the two can be compared at any depth.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        width: Annotated[int, Range(8, 64, step=8), "Channels of every block"] = 16,
        blocks: Annotated[int, Range(1, 12), "Residual blocks, of two convolutions each"] = 3,
        skip: Annotated[bool, "Add each block's input to its output"] = True,
    ):
        super().__init__()
        self.conv = nn.Conv2d(images.channels, width, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.ModuleList(BlockBN(width, skip) for _ in range(blocks))
        self.linear = nn.Linear(width, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        for block in self.blocks:
            x = block(x)
        return self.linear(x.mean((2, 3)))


class BlockBN(nn.Module):
    """relu(x + F(x)), or relu(F(x)) without the skip."""

    def __init__(self, width: int, skip: bool):
        super().__init__()
        self.skip = skip
        self.conv1 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x):
        """Return `(N, width, H, W)` of the same."""
        residual = F.relu(self.norm1(self.conv1(x)))
        residual = self.norm2(self.conv2(residual))
        return F.relu(x + residual if self.skip else residual)
