"""One branch shrinks the image, the other does not."""

from torch import nn

from explorer import Branches, hookimpl


@hookimpl
def register_architectures(register):
    register(Uneven)


class Uneven(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.mix = Branches(
            {
                "1x1": nn.Conv2d(images.channels, 4, 1),
                "3x3": nn.Conv2d(images.channels, 6, 3),
            }
        )
        self.linear = nn.Linear(10, images.num_classes)

    def forward(self, x):
        return self.linear(self.mix(x).mean((-1, -2)))
