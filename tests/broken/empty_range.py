"""The ends of a range are the wrong way round."""

from typing import Annotated

from torch import nn

from explorer import ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(Wide)


class Wide(nn.Sequential):
    def __init__(self, images: ImageSpec, width: Annotated[int, Range(64, 8)] = 16):
        super().__init__(nn.Flatten(), nn.LazyLinear(width), nn.Linear(width, images.num_classes))
