"""Has a network, but forgets to mark its hook."""

from torch import nn


def register_architectures(register):
    register(Linear)


class Linear(nn.Sequential):
    def __init__(self, images):
        super().__init__(
            nn.Flatten(), nn.Linear(images.channels * images.size**2, images.num_classes)
        )
