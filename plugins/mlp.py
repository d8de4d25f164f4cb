"""A multilayer perceptron: what a network can learn without any convolution."""

from typing import Annotated, Literal

from torch import nn

from explorer import ImageSpec, Range, hookimpl

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "none": nn.Identity}


@hookimpl
def register_architectures(register):
    register(MLP)


class MLP(nn.Sequential):
    """Linear layers on a row of pixels: it does not know which pixels are neighbours.

    On MNIST's centred digits it is nearly as good as a convolutional net, with many more
    parameters; on images where objects are in different places it is not. Without an activation
    all its layers together are one linear layer, however many there are.
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        width: Annotated[int, Range(16, 512, step=16), "Units of each hidden layer"] = 128,
        layers: Annotated[int, Range(0, 6), "Hidden layers"] = 2,
        activation: Annotated[
            Literal["relu", "tanh", "none"], "What follows each hidden layer"
        ] = "relu",
        dropout: Annotated[float, Range(0, 0.9), "Share of units set to zero at each step"] = 0.0,
    ):
        super().__init__()
        self.flatten = nn.Flatten()
        units = images.channels * images.size**2
        for number in range(1, layers + 1):
            self.add_module(f"hidden{number}", nn.Linear(units, width))
            self.add_module(f"{activation}{number}", ACTIVATIONS[activation]())
            if dropout:
                self.add_module(f"dropout{number}", nn.Dropout(dropout))
            units = width
        self.linear = nn.Linear(units, images.num_classes)
