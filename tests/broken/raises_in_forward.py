"""Its network can be built, but takes images of two channels only."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(TwoChannels)


class TwoChannels(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.linear = nn.Linear(images.size**2, images.num_classes)

    def forward(self, x):
        if x.shape[1] != 2:
            raise ValueError("two channels, please")
        return self.linear(x.mean(1).flatten(1))
