"""MyNet: convolutions in a row."""

from typing import Annotated

from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(MyNet)  # in the picker as "my-net"


class MyNet(nn.Sequential):
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
        channels = images.channels
        for number in range(1, depth + 1):
            self.add_module(f"conv{number}", nn.Conv2d(channels, width, 3, padding=1))
            self.add_module(f"relu{number}", nn.ReLU())
            self.add_module(f"pool{number}", nn.MaxPool2d(2))
            channels = width
        self.average = nn.AdaptiveAvgPool2d(4)  # 4×4 values a channel, whatever the image's size
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(16 * channels, images.num_classes)  # logits: no softmax after it
