"""ResNet-18 and ResNet-34, designed for ImageNet and adapted to small images.

After Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, "Deep Residual Learning for Image
Recognition", arXiv:1512.03385, table 1.
"""

from typing import Annotated, Literal

from torch import nn

from explorer import Branches, ImageSpec, Range, hookimpl

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


@hookimpl
def register_architectures(register):
    register(ResNet34, name="resnet34")


class ResNet34(nn.Sequential):
    """The ImageNet paper's ResNet of 34 layers, or of 18, with a first layer for small images.

    There are four stages of basic blocks, each with twice the channels on maps half as large. A 3×3
    convolution at full size replaces the first 7×7 convolution and the max-pooling, which would
    leave 7×7 pixels of 28×28. With a width of 64 it is the paper's net, and torchvision's, weight
    for weight; by default it is a quarter as wide, so that it can be trained without a GPU.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        depth: Annotated[Literal[18, 34], "Layers with weights, shortcuts not counted"] = 34,
        width: Annotated[int, Range(8, 64, step=8), "Channels of the first stage"] = 16,
    ):
        super().__init__()
        self.conv = conv(images.channels, width, 3, 1)
        self.relu = nn.ReLU()
        channels = width
        for stage, number in enumerate(BLOCKS[depth]):
            outputs = width * 2**stage
            blocks = []
            for _ in range(number):
                blocks += [basic_block(channels, outputs), nn.ReLU()]
                channels = outputs
            self.add_module(f"stage{stage + 1}", nn.Sequential(*blocks))
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(channels, images.num_classes)


def basic_block(inputs: int, outputs: int) -> Branches:
    """Return two 3×3 convolutions with a skip; if the channels change, maps are halved (fig. 5)."""
    stride = 1 if inputs == outputs else 2
    residual = nn.Sequential(
        conv(inputs, outputs, 3, stride), nn.ReLU(), conv(outputs, outputs, 3, 1)
    )
    skip = nn.Identity() if stride == 1 else conv(inputs, outputs, 1, stride)
    return Branches({"residual": residual, "skip": skip}, merge="add")


def conv(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """Return a convolution, initialised as in arXiv:1502.01852, and batch normalisation."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))
