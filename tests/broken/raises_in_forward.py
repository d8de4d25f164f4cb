"""Its network can be built, but takes colour images only."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(ColourOnly)


class ColourOnly(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.linear = nn.Linear(images.size**2, images.num_classes)

    def forward(self, x):
        if x.shape[1] != 3:
            raise ValueError("three channels, please")
        return self.linear(x.mean(1).flatten(1))
