"""Its network cannot be built, for an error that has a cause."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Halving)


class Halving(nn.Module):
    def __init__(self, images):
        super().__init__()
        try:
            self.side = half_of(images.size - 1)
        except ValueError as error:
            raise TypeError("this size will not do") from error


def half_of(number):
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2
