"""DenseNet: every layer sees the outputs of all layers before it.

After Gao Huang, Zhuang Liu, Laurens van der Maaten and Kilian Weinberger, "Densely Connected
Convolutional Networks", arXiv:1608.06993: x_l = H_l([x_0, x_1, …, x_l-1]) (eq. 2).
"""

from typing import Annotated

from torch import nn

from explorer import Branches, ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(DenseNet, name="densenet")


class DenseNet(nn.Sequential):
    """Each layer concatenates its output to its input and adds nothing: the channels only grow.

    Each layer passes its input on, with `growth` new channels after it. Between the blocks a 1×1
    convolution keeps half of the channels, and the maps are halved (the paper's DenseNet-BC). The
    paper's smallest net has a growth of 12, and 16 layers in each block.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        growth: Annotated[int, Range(4, 24, step=2), "Channels that each layer adds"] = 8,
        layers: Annotated[int, Range(1, 8), "Layers of each block"] = 3,
        blocks: Annotated[int, Range(1, 3), "Dense blocks, each on maps half as large"] = 3,
        bottleneck: Annotated[bool, "A 1×1 convolution to four times the growth first"] = True,
    ):
        super().__init__()
        channels = 2 * growth
        self.conv = nn.Conv2d(images.channels, channels, 3, stride=2, padding=1, bias=False)
        for block in range(1, blocks + 1):
            for number in range(1, layers + 1):
                new = composite(channels, growth, bottleneck)
                paths = {"skip": nn.Identity(), "new": new}
                self.add_module(f"dense{block}_{number}", Branches(paths, merge="concat"))
                channels += growth
            if block < blocks:
                self.add_module(f"transition{block}", transition(channels))
                channels //= 2
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(channels, images.num_classes)


def composite(inputs: int, growth: int, bottleneck: bool) -> nn.Sequential:
    """Return H_l, in which normalisation and ReLU come before each convolution."""
    layers: list[nn.Module] = []
    if bottleneck:
        layers += [*activated(inputs), nn.Conv2d(inputs, 4 * growth, 1, bias=False)]
        inputs = 4 * growth
    layers += [*activated(inputs), nn.Conv2d(inputs, growth, 3, padding=1, bias=False)]
    return nn.Sequential(*layers)


def transition(inputs: int) -> nn.Sequential:
    """Return layers that keep half of the channels, on maps half as large."""
    shrink = nn.Conv2d(inputs, inputs // 2, 1, bias=False)
    return nn.Sequential(*activated(inputs), shrink, nn.AvgPool2d(2, ceil_mode=True))


def activated(channels: int) -> list[nn.Module]:
    """Return batch normalisation and a ReLU."""
    return [nn.BatchNorm2d(channels), nn.ReLU()]
