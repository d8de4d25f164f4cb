"""Offers one network that works and one that does not."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Works)
    register(Breaks)


class Works(nn.Sequential):
    def __init__(self, images):
        super().__init__(
            nn.Flatten(), nn.Linear(images.channels * images.size**2, images.num_classes)
        )


class Breaks(nn.Sequential):
    def __init__(self, images):
        super().__init__(nn.Flatten(), nn.Linear(7, images.num_classes))
