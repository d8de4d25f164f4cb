"""What lessons say one after the other, and what the widgets of their controls say.

A widget has the name of an argument as its label, and values of a `Literal` as choices. These are
here for the catalogue, which finds no others than those that are marked.
"""

from collections.abc import Sequence
from functools import reduce

from explorer.language import later, say

LABELS = (
    *(later("Block"), later("Blocks"), later("Channels"), later("Column"), later("Dataset")),
    *(later("Filters"), later("Image"), later("Images"), later("Init"), later("Instead")),
    *(later("Kernel"), later("Layers"), later("Network"), later("Norm"), later("Plane")),
    *(later("Reduced"), later("Row"), later("Seed"), later("Seen"), later("Size")),
)
CHOICES = (
    *(later("training"), later("test"), later("zero"), later("mean"), later("contours")),
    *(later("solid"), later("of the training"), later("random")),
)


def together(sentences: Sequence[str]) -> str:
    """Return sentences one after the other, at least one."""
    return reduce(
        lambda first, second: say("{first} {second}", first=first, second=second), sentences
    )
