"""MyNet: blocks that look at their input through several windows."""

from typing import Annotated

from torch import nn

from explorer import Branches, ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(MyNet)  # in the picker as "my-net"


class MyNet(nn.Sequential):
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
        channels = images.channels
        for number in range(1, blocks + 1):
            # What is named here can be looked at and switched off.
            windows = {"1x1": conv(channels, width, 1), "3x3": conv(channels, width, 3)}
            windows["5x5"] = conv(channels, width, 5)
            self.add_module(f"mix{number}", Branches(windows))  # concatenated
            self.add_module(f"pool{number}", nn.MaxPool2d(2))
            channels = 3 * width
        self.average = nn.AdaptiveAvgPool2d(4)  # 4×4 values a channel, whatever the image's size
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(16 * channels, images.num_classes)  # logits: no softmax after it


def conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution that keeps height and width, and a ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU())
