"""MyNet: residual blocks."""

from typing import Annotated

import torch.nn.functional as F
from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(MyNet)  # in the picker as "my-net"


class MyNet(nn.Module):
    """Residual blocks: each adds a learned correction to its input."""

    def __init__(
        self,
        images: ImageSpec,  # channels, size and classes of the data set that was chosen
        *,
        # Each option becomes a widget, and `--set` on the command line.
        width: Annotated[int, Range(8, 64, step=8), "Channels of every block"] = 16,
        blocks: Annotated[int, Range(1, 8), "Residual blocks"] = 2,
    ):
        super().__init__()
        self.conv = nn.Conv2d(images.channels, width, 5)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.average = nn.AdaptiveAvgPool2d(4)  # 4×4 values a channel, whatever the image's size
        self.linear = nn.Linear(16 * width, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        x = F.max_pool2d(self.conv(x), 2)
        for block in self.blocks:
            x = block(x)
        return self.linear(self.average(x).flatten(1))  # logits: no softmax after it


class ResidualBlock(nn.Module):
    """relu(x + F(x)), with two convolutions in F."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        """Return `(N, width, H, W)` of the same."""
        residual = self.conv2(F.relu(self.conv1(x)))
        # Both terms can be looked at and switched off, as "skip" and as "residual".
        return F.relu(x + residual)
