"""Inception nets: every block looks at its input at several scales at once.

After Christian Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842, fig. 2.
"""

from typing import Annotated

from torch import nn

from explorer import Branches, ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(Inception)
    register(InceptionBN)


class Inception(nn.Sequential):
    """Two blocks that look at their input through four windows, and keep all four views.

    The tutorial's Inception net, exactly: branches of 16, 24, 24 and 24 channels, average-pooling
    before the pool branch's 1×1. 97,298 parameters on MNIST. There is no activation inside the
    block, so each branch is a chain of affine maps and the whole block is one affine map: but for
    the borders, a single 5×5 convolution could do the same. `inception-bn` is the block with
    activations.
    """

    def __init__(self, images: ImageSpec):
        side = ((images.size - 4) // 2 - 4) // 2
        super().__init__()
        self.conv1 = nn.Conv2d(images.channels, 10, kernel_size=5)
        self.pool1 = nn.MaxPool2d(2)
        self.relu1 = nn.ReLU()
        self.mix1 = self.mix(10)
        self.conv2 = nn.Conv2d(88, 20, kernel_size=5)
        self.pool2 = nn.MaxPool2d(2)
        self.relu2 = nn.ReLU()
        self.mix2 = self.mix(20)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(88 * side * side, images.num_classes)

    @staticmethod
    def mix(channels: int) -> Branches:
        """Return one block: `channels` in, 88 out, the same height and width."""
        return Branches(
            {
                "1x1": nn.Conv2d(channels, 16, kernel_size=1),
                "5x5": nn.Sequential(
                    nn.Conv2d(channels, 16, kernel_size=1),
                    nn.Conv2d(16, 24, kernel_size=5, padding=2),
                ),
                "3x3": nn.Sequential(
                    nn.Conv2d(channels, 16, kernel_size=1),
                    nn.Conv2d(16, 24, kernel_size=3, padding=1),
                    nn.Conv2d(24, 24, kernel_size=3, padding=1),
                ),
                "pool": nn.Sequential(
                    nn.AvgPool2d(3, stride=1, padding=1),
                    nn.Conv2d(channels, 24, kernel_size=1),
                ),
            }
        )


class InceptionBN(nn.Sequential):
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
        self.pool = nn.MaxPool2d(2)
        channels = width
        for number in range(1, blocks + 1):
            paths = {
                "1x1": conv(channels, width, 1),
                "3x3": nn.Sequential(conv(channels, width, 1), conv(width, width, 3)),
                "5x5": nn.Sequential(conv(channels, width, 1), conv(width, width, 5)),
                "pool": nn.Sequential(
                    nn.MaxPool2d(3, stride=1, padding=1), conv(channels, width, 1)
                ),
            }
            self.add_module(f"mix{number}", Branches(paths))
            channels = 4 * width
            if number < blocks:
                self.add_module(f"pool{number}", nn.MaxPool2d(2, ceil_mode=True))
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(channels, images.num_classes)


def conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution that keeps height and width, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
