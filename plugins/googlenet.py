"""GoogLeNet's inception modules, with the paper's own proportions, at small scale.

After Christian Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842: fig. 2a without
the 1×1 reductions, fig. 2b with them, and the widths of table 1.
"""

from typing import Annotated

from torch import nn

from explorer import Branches, ImageSpec, Range, hookimpl

# Table 1, in the order in which they run: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
STEM = 192  # channels in front of module 3a


@hookimpl
def register_architectures(register):
    register(GoogLeNet, name="googlenet")


class GoogLeNet(nn.Sequential):
    """GoogLeNet's modules with true 5×5 windows, and a switch that removes the 1×1 reductions.

    The widths are table 1's, divided by 8 or another number; maps are halved where the paper's
    are. Without the reductions the 3×3 and 5×5 branches convolve all channels, and the pool branch
    passes all of them on (fig. 2a): compare the costs. Differences from the paper: a stem of one
    3×3 convolution for small images, no local response normalisation, no auxiliary classifiers,
    and He's initialisation, arXiv:1502.01852.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        modules: Annotated[int, Range(1, 9), "Inception modules, from 3a on"] = 3,
        divisor: Annotated[int, Range(4, 16, step=4), "The paper's widths over this"] = 8,
        reduce: Annotated[bool, "1×1 convolutions before the larger ones and after pooling"] = True,
        dropout: Annotated[float, Range(0, 0.9), "Before the classifier; the paper has 0.4"] = 0.0,
    ):
        super().__init__()
        channels = STEM // divisor
        self.stem = conv(images.channels, channels, 3)
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        for name, paper in list(MODULES.items())[:modules]:
            widths = [width // divisor for width in paper]
            if name in ("4a", "5a"):
                self.add_module(f"pool{name[0]}", nn.MaxPool2d(3, stride=2, ceil_mode=True))
            self.add_module(f"inception{name}", inception(channels, widths, reduce))
            channels = outputs(channels, widths, reduce)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        if dropout:
            self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, images.num_classes)


def inception(inputs: int, widths: list[int], reduce: bool) -> Branches:
    """Return one module: fig. 2b with the reductions, fig. 2a without them."""
    one, before_three, three, before_five, five, projection = widths
    pool = nn.MaxPool2d(3, stride=1, padding=1)
    if not reduce:
        return Branches(
            {
                "1x1": conv(inputs, one, 1),
                "3x3": conv(inputs, three, 3),
                "5x5": conv(inputs, five, 5),
                "pool": pool,
            }
        )
    return Branches(
        {
            "1x1": conv(inputs, one, 1),
            "3x3": nn.Sequential(conv(inputs, before_three, 1), conv(before_three, three, 3)),
            "5x5": nn.Sequential(conv(inputs, before_five, 1), conv(before_five, five, 5)),
            "pool": nn.Sequential(pool, conv(inputs, projection, 1)),
        }
    )


def outputs(inputs: int, widths: list[int], reduce: bool) -> int:
    """Return the number of channels of a module's output."""
    one, _, three, _, five, projection = widths
    return one + three + five + (projection if reduce else inputs)


def conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Return a convolution that keeps height and width, and a ReLU."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(layer, nn.ReLU())
