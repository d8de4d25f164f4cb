"""MyNet: convolutions in a row."""

from typing import Annotated

import torch.nn.functional as F
from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(MyNet)  # in the picker as "my-net"


class MyNet(nn.Module):
    """Convolutions in a row, each on images half as large as the one before."""

    def __init__(
        self,
        images: ImageSpec,  # channels, size and classes of the data set that was chosen
        *,
        # Each option becomes a widget, and `--set` on the command line.
        width: Annotated[int, Range(8, 64, step=8), "Channels of every convolution"] = 16,
        depth: Annotated[int, Range(1, 4), "Convolutions in a row"] = 2,
    ):
        super().__init__()
        channels = [images.channels, *[width] * (depth - 1)]
        self.convs = nn.ModuleList(nn.Conv2d(inputs, width, 3, padding=1) for inputs in channels)
        self.average = nn.AdaptiveAvgPool2d(4)  # 4×4 values a channel, whatever the image's size
        self.linear = nn.Linear(16 * width, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        for conv in self.convs:
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return self.linear(self.average(x).flatten(1))  # logits: no softmax after it
