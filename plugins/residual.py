"""Residual nets: a block adds something to its input instead of replacing it.

After Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, "Deep Residual Learning for Image
Recognition", arXiv:1512.03385: y = F(x) + x (eq. 1).
"""

from typing import Annotated

from torch import nn

from explorer import Branches, ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(Residual)
    register(ResidualAsPrinted)
    register(ResidualBN)


class Residual(nn.Sequential):
    """Two residual blocks: each output is the block's input plus a learned correction.

    The tutorial's Residual net with its block corrected: F(x) = conv2(relu(conv1(x))), then
    relu(x + F(x)). 41,514 parameters on MNIST. `residual-as-printed` is the same net with the slip.
    """

    def __init__(self, images: ImageSpec):
        side = ((images.size - 4) // 2 - 4) // 2
        super().__init__()
        self.conv1 = nn.Conv2d(images.channels, 16, kernel_size=5)
        self.pool1 = nn.MaxPool2d(2)
        self.relu1 = nn.ReLU()
        self.block1 = Branches(
            {"skip": nn.Identity(), "residual": self.correction(16)}, merge="add"
        )
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(16, 32, kernel_size=5)
        self.pool2 = nn.MaxPool2d(2)
        self.relu3 = nn.ReLU()
        self.block2 = Branches(
            {"skip": nn.Identity(), "residual": self.correction(32)}, merge="add"
        )
        self.relu4 = nn.ReLU()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(32 * side * side, images.num_classes)

    @staticmethod
    def correction(channels: int) -> nn.Module:
        """Return F(x) of one block, for `channels` channels in and out."""
        return nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )


class ResidualAsPrinted(Residual):
    """The Residual net with the tutorial's slip: half of each block is computed and never used.

    The printed block computes y = relu(conv1(x)) and then y = conv2(x), so conv1's result is thrown
    away and F(x) is conv2 alone. 11,568 of the 41,514 parameters never receive a gradient. It still
    learns MNIST, which is why the slip is easy to miss.
    """

    @staticmethod
    def correction(channels: int) -> nn.Module:
        """Return F(x) as printed."""
        return ForgetsItsFirst(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )


class ForgetsItsFirst(nn.Sequential):
    """A stack whose last layer gets the stack's input, not the output of the layers before."""

    def forward(self, x):
        """Run every layer, and return what the last one makes of `x`."""
        *unused, last = self
        y = x
        for layer in unused:
            y = layer(y)
        return last(x)


class ResidualBN(nn.Sequential):
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
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        for number in range(1, blocks + 1):
            paths: dict[str, nn.Module] = {"skip": nn.Identity()} if skip else {}
            paths["residual"] = nn.Sequential(
                nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(width),
            )
            self.add_module(f"block{number}", Branches(paths, merge="add"))
            self.add_module(f"relu{number}", nn.ReLU())
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(width, images.num_classes)
