"""A plain stack: two convolutions, one after the other, and a classifier."""

import torch.nn.functional as F
from torch import nn

from explorer import ImageSpec, hookimpl


@hookimpl
def register_architectures(register):
    register(Plain)


class Plain(nn.Module):
    """Two 5×5 convolutions in a row: what the other architectures are measured against.

    The first convolutional net of the tutorial's course: each convolution is followed by 2×2
    max-pooling and a ReLU, and one linear layer reads the 20 maps that are left. 8,490 parameters
    on MNIST.
    """

    def __init__(self, images: ImageSpec):
        super().__init__()
        side = ((images.size - 4) // 2 - 4) // 2
        self.conv1 = nn.Conv2d(images.channels, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.pool = nn.MaxPool2d(2)
        self.linear = nn.Linear(20 * side * side, images.num_classes)

    def forward(self, x):
        """Return the logits of images `(N, C, H, W)`."""
        x = F.relu(self.pool(self.conv1(x)))
        x = F.relu(self.pool(self.conv2(x)))
        return self.linear(x.flatten(1))
