"""Takes the name of a built-in."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Plain)


class Plain(nn.Sequential):
    def __init__(self, images):
        super().__init__(
            nn.Flatten(), nn.Linear(images.channels * images.size**2, images.num_classes)
        )
