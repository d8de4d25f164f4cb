"""MyNet: blocks that look at their input through several windows."""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(MyNet)  # in the picker as "my-net"


class MyNet(nn.Module):
    """Blocks that look at their input through several windows and keep all views."""

    def __init__(
        self,
        images: ImageSpec,  # channels, size and classes of the data set that was chosen
        *,
        # Each option becomes a widget, and `--set` on the command line.
        width: Annotated[int, Range(4, 32, step=4), "Channels of each branch"] = 8,
        blocks: Annotated[int, Range(1, 3), "Blocks, each on images half as large"] = 2,
    ):
        super().__init__()
        channels = [images.channels, *[3 * width] * (blocks - 1)]
        self.blocks = nn.ModuleList(Windows(inputs, width) for inputs in channels)
        self.average = nn.AdaptiveAvgPool2d(4)  # 4×4 values a channel, whatever the image's size
        self.linear = nn.Linear(16 * 3 * width, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        for block in self.blocks:
            x = F.max_pool2d(block(x), 2)
        return self.linear(self.average(x).flatten(1))  # logits: no softmax after it


class Windows(nn.Module):
    """Three convolutions side by side."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.conv1x1 = nn.Conv2d(channels, width, 1)
        self.conv3x3 = nn.Conv2d(channels, width, 3, padding=1)
        self.conv5x5 = nn.Conv2d(channels, width, 5, padding=2)

    def forward(self, x):
        """Concatenate what three branches make of `(N, channels, H, W)`."""
        # These three are found as branches; they can be looked at and switched off by these names.
        small = F.relu(self.conv1x1(x))
        middle = F.relu(self.conv3x3(x))
        large = F.relu(self.conv5x5(x))
        return torch.cat([small, middle, large], dim=1)
