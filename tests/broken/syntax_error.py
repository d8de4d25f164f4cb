"""The last line of its forward slipped to the left."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Slipped)


class Slipped(nn.Sequential):
    def __init__(self, images):
        super().__init__(nn.Flatten(), nn.LazyLinear(images.num_classes))

    def forward(self, x):
        x = super().forward(x)


return x  # noqa: F706, F821
