"""MyNet: residual blocks."""

from typing import Annotated

from torch import nn

from explorer import Branches, ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(MyNet)  # in the picker as "my-net"


class MyNet(nn.Sequential):
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
        self.pool = nn.MaxPool2d(2)
        for number in range(1, blocks + 1):
            correction = nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            # What is named here can be looked at and switched off, the skip as well.
            paths = {"skip": nn.Identity(), "residual": correction}
            self.add_module(f"block{number}", Branches(paths, merge="add"))
            self.add_module(f"relu{number}", nn.ReLU())
        self.average = nn.AdaptiveAvgPool2d(4)  # 4×4 values a channel, whatever the image's size
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(16 * width, images.num_classes)  # logits: no softmax after it
