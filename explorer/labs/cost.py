"""What a convolution costs, alone and behind a 1×1 convolution that reduces its channels.

Both ways see the same window and give the same number of filters. A layer of k×k windows with C
channels and F filters on S×S places has k²·C·F weights, each used at every place: S²·k²·C·F
multiply-adds. Behind a 1×1 convolution with R filters it is C·R + k²·R·F weights (Szegedy et al.,
Going Deeper with Convolutions, arXiv:1409.4842, section 4).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Design:
    """Sizes of a layer, of which all are at least 1.

    Attributes:
        size: Height and width of its output, in places.
        channels: Of its input.
        kernel: Height and width of its window.
        filters: Of its output.
        reduced: Filters of the 1×1 convolution before it.
    """

    size: int
    channels: int
    kernel: int
    filters: int
    reduced: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution of a design.

    Attributes:
        kernel: Height and width of its window.
        channels: Of its input.
        filters: Of its output.
        size: Height and width of its output.
    """

    kernel: int
    channels: int
    filters: int
    size: int

    @property
    def weights(self) -> int:
        """How many weights it has."""
        return self.kernel**2 * self.channels * self.filters

    @property
    def parameters(self) -> int:
        """How many parameters it has: weights, and a bias for each filter."""
        return self.weights + self.filters

    @property
    def macs(self) -> int:
        """How many multiply-adds it takes for one image."""
        return self.size**2 * self.weights


def direct(design: Design) -> tuple[Layer]:
    """Return the one convolution of the design without a reduction."""
    return (Layer(design.kernel, design.channels, design.filters, design.size),)


def behind_1x1(design: Design) -> tuple[Layer, Layer]:
    """Return the 1×1 convolution that reduces the channels, and the one behind it."""
    return (
        Layer(1, design.channels, design.reduced, design.size),
        Layer(design.kernel, design.reduced, design.filters, design.size),
    )


def macs(layers: tuple[Layer, ...]) -> int:
    """Return how many multiply-adds layers take for one image."""
    return sum(layer.macs for layer in layers)


def parameters(layers: tuple[Layer, ...]) -> int:
    """Return how many parameters layers have."""
    return sum(layer.parameters for layer in layers)


def break_even(design: Design) -> float:
    """Return with how many reduced channels both ways take the same number of multiply-adds.

    With more of them, the 1×1 convolution costs more than it saves: S²·(C·R + k²·R·F) = S²·k²·C·F
    where R = k²·C·F / (C + k²·F), which is less than C and less than k²·F.
    """
    window = design.kernel**2 * design.filters
    return design.channels * window / (design.channels + window)
