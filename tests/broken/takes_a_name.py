"""Its network keeps its layers under the name of a method of nn.Module."""

from torch import nn

from explorer import ImageSpec, hookimpl


@hookimpl
def register_architectures(register):
    register(Listed)
    register(Named)


class Listed(nn.Module):
    """Layers in a list that hides the method."""

    def __init__(self, images: ImageSpec):
        super().__init__()
        self.modules = [nn.Flatten(), nn.LazyLinear(images.num_classes)]
        self.first, self.last = self.modules

    def forward(self, x):
        for module in self.modules:
            x = module(x)
        return x


class Named(nn.Sequential):
    """The same layers, under names of their own."""

    def __init__(self, images: ImageSpec):
        super().__init__(nn.Flatten(), nn.LazyLinear(images.num_classes))
