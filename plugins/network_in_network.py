"""Network in network: small perceptrons slide over the image in place of linear filters.

After Min Lin, Qiang Chen and Shuicheng Yan, "Network In Network", arXiv:1312.4400, fig. 2.
"""

from typing import Annotated

from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(NetworkInNetwork)


class NetworkInNetwork(nn.Sequential):
    """Every convolution is followed by two of 1×1: a small perceptron at every pixel.

    This is where 1×1 convolutions come from: they mix the channels of a pixel and see no other
    pixel. The last block gives one map for each class, and the logit of a class is the mean of its
    map, so no linear layer is needed, and the maps show where each class was seen. There are three
    blocks, as in the paper, which has 192 channels where this net has `width`.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        width: Annotated[int, Range(8, 64, step=8), "Channels within the blocks"] = 24,
        perceptron: Annotated[int, Range(0, 3), "1×1 convolutions after each larger one"] = 2,
        dropout: Annotated[float, Range(0, 0.9), "Between blocks; the paper has 0.5"] = 0.0,
    ):
        super().__init__()
        kernels, channels = (5, 5, 3), images.channels
        for number, kernel in enumerate(kernels, 1):
            last = number == len(kernels)
            outputs = images.num_classes if last else width
            self.add_module(
                f"mlpconv{number}", mlpconv(channels, width, outputs, kernel, perceptron, last)
            )
            if not last:
                self.add_module(f"pool{number}", nn.MaxPool2d(3, stride=2, ceil_mode=True))
                if dropout:
                    self.add_module(f"dropout{number}", nn.Dropout(dropout))
            channels = outputs
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()


def mlpconv(
    inputs: int, width: int, outputs: int, kernel: int, perceptron: int, last: bool
) -> nn.Sequential:
    """Return a convolution and `perceptron` of 1×1, with a ReLU after each but the very last."""
    layers: list[nn.Module] = []
    for depth in range(perceptron + 1):
        size = kernel if depth == 0 else 1
        channels = outputs if depth == perceptron else width
        layer = nn.Conv2d(inputs, channels, size, padding=size // 2)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        layers += [layer, nn.ReLU()]
        inputs = channels
    return nn.Sequential(*(layers[:-1] if last else layers))
