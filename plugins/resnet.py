"""The ResNet that the paper trains on images of 32 pixels: 6n + 2 layers in three stages.

After Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, "Deep Residual Learning for Image
Recognition", arXiv:1512.03385, section 4.2; the shortcuts are options A and B of section 4.1.
"""

from typing import Annotated, Literal

import torch.nn.functional as F
from torch import nn

from explorer import Branches, ImageSpec, Range, hookimpl

WIDTHS = (16, 32, 64)


@hookimpl
def register_architectures(register):
    register(ResNet, name="resnet")


class ResNet(nn.Sequential):
    """6n + 2 layers in three stages of n residual blocks, as the ResNet paper trains on CIFAR-10.

    The stages have 16, 32 and 64 channels, each on maps half as large as those of the stage
    before. Without the skips, the same parameters are the paper's plain nets: deep ones train
    worse than shallow ones (fig. 6), which is not so for the residual nets. Without batch
    normalisation, which the paper always has, the convolutions have a bias; and where there is a
    skip, the second convolution of each block begins at zero, since the sums would otherwise grow
    with every block (Zhang et al., arXiv:1901.09321).
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        n: Annotated[int, Range(1, 9), "Blocks a stage: 3 are ResNet-20, 9 are ResNet-56"] = 1,
        skip: Annotated[bool, "Add each block's input to its output"] = True,
        shortcut: Annotated[
            Literal["identity", "projection"],
            "Where a stage begins: subsample and pad with zeros (A), or a 1×1 convolution (B)",
        ] = "identity",
        norm: Annotated[bool, "Batch normalisation after every convolution"] = True,
    ):
        super().__init__()
        self.conv = conv(images.channels, WIDTHS[0], 3, 1, norm)
        self.relu = nn.ReLU()
        channels = WIDTHS[0]
        for stage, width in enumerate(WIDTHS, 1):
            for number in range(1, n + 1):
                stride = 2 if width != channels else 1
                paths: dict[str, nn.Module] = {}
                if skip and stride == 1:
                    paths["skip"] = nn.Identity()
                elif skip and shortcut == "identity":
                    paths["skip"] = PadChannels(width - channels)
                elif skip:
                    paths["skip"] = conv(channels, width, 1, stride, norm)
                paths["residual"] = nn.Sequential(
                    conv(channels, width, 3, stride, norm),
                    nn.ReLU(),
                    conv(width, width, 3, 1, norm, zero=skip and not norm),
                )
                self.add_module(f"block{stage}_{number}", Branches(paths, merge="add"))
                self.add_module(f"relu{stage}_{number}", nn.ReLU())
                channels = width
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(channels, images.num_classes)


class PadChannels(nn.Module):
    """Takes every second pixel and appends maps of zeros: a shortcut without parameters."""

    def __init__(self, more: int):
        super().__init__()
        self.more = more

    def forward(self, x):
        """Return `(N, C + more, ⌈H/2⌉, ⌈W/2⌉)` of `(N, C, H, W)`."""
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.more))


def conv(
    inputs: int, outputs: int, kernel: int, stride: int, norm: bool, zero: bool = False
) -> nn.Sequential:
    """Return a convolution, initialised as in arXiv:1502.01852, and its normalisation."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=not norm)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if zero:
        nn.init.zeros_(layer.weight)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs)) if norm else nn.Sequential(layer)
