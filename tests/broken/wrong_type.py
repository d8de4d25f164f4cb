"""Its network answers with a list of numbers."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Scores)


class Scores(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.linear = nn.Linear(images.channels * images.size**2, images.num_classes)

    def forward(self, x):
        return self.linear(x.flatten(1)).tolist()
