"""One of its options has no default."""

from torch import nn

from explorer import ImageSpec, hookimpl


@hookimpl
def register_architectures(register):
    register(Wide)


class Wide(nn.Sequential):
    def __init__(self, images: ImageSpec, width: int):
        super().__init__(nn.Flatten(), nn.LazyLinear(width), nn.Linear(width, images.num_classes))
