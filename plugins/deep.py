"""One network at every depth, with and without skips, to ask why Residual.

After Kaiming He et al., "Deep Residual Learning for Image Recognition", arXiv:1512.03385, and
"Delving Deep into Rectifiers", arXiv:1502.01852, whose initialisation keeps the size of signals
where every second one is cut off by a ReLU.
"""

from typing import Annotated, Literal

import torch.nn.functional as F
from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(Deep)


class Deep(nn.Module):
    """A network of any depth whose blocks of two convolutions have a skip, or have none.

    The first convolution halves the maps; all others keep height, width and channels, so that
    depth is all that changes, and a skip needs no parameters.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        layers: Annotated[int, Range(4, 56, step=2), "Layers with weights"] = 20,
        skip: Annotated[bool, "Add each block's input to its output"] = True,
        norm: Annotated[bool, "Batch normalisation after every convolution"] = True,
        init: Annotated[Literal["he", "torch"], "He's initialisation, or torch's default"] = "he",
        width: Annotated[int, Range(8, 32, step=8), "Channels of every convolution"] = 16,
    ):
        super().__init__()
        self.stem = nn.Sequential(*convolution(images.channels, width, norm, stride=2), nn.ReLU())
        self.blocks = nn.Sequential(*(Block(width, norm, skip) for _ in range((layers - 2) // 2)))
        self.head = nn.Linear(width, images.num_classes)
        if init == "he":
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        x = self.blocks(self.stem(x))
        return self.head(x.mean((2, 3)))


class Block(nn.Module):
    """Two convolutions; with a skip, what they give is added to what they are given."""

    def __init__(self, width: int, norm: bool, skip: bool):
        super().__init__()
        self.first = nn.Sequential(*convolution(width, width, norm))
        self.second = nn.Sequential(*convolution(width, width, norm))
        self.skip = skip

    def forward(self, x):
        """Return what the block makes of `(N, width, H, W)`, in the same shape."""
        y = self.second(F.relu(self.first(x)))
        return F.relu(x + y if self.skip else y)


def convolution(inputs: int, outputs: int, norm: bool, stride: int = 1) -> list[nn.Module]:
    """Return a 3×3 convolution, with batch normalisation if `norm`, which makes biases useless."""
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not norm)
    return [conv, nn.BatchNorm2d(outputs)] if norm else [conv]
