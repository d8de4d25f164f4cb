"""Its network forgets to flatten: it answers every row of every image."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(RowByRow)


class RowByRow(nn.Sequential):
    def __init__(self, images):
        super().__init__(nn.Linear(images.size, images.num_classes))
