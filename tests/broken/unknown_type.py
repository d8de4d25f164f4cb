"""One of its options is a list, for which there is no widget."""

from torch import nn

from explorer import ImageSpec, hookimpl


@hookimpl
def register_architectures(register):
    register(Layers)


class Layers(nn.Sequential):
    def __init__(self, images: ImageSpec, *, widths: list[int] = (16, 32)):
        super().__init__(nn.Flatten(), nn.LazyLinear(images.num_classes))
