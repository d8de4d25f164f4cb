"""The images that a network is built for."""

from dataclasses import dataclass

from explorer.language import say


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """The images a network is built for.

    A batch has shape `(N, channels, size, size)`; a network answers with logits of shape
    `(N, num_classes)`.

    Attributes:
        channels: Values per pixel: 1 for grey images, 3 for colour.
        size: Height and width in pixels; images are square.
        num_classes: The number of classes.
    """

    channels: int
    size: int
    num_classes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image: `(channels, size, size)`."""
        return self.channels, self.size, self.size

    def __str__(self) -> str:
        return say(
            "{channels}×{size}×{size}, {classes} classes",
            channels=self.channels,
            size=self.size,
            classes=self.num_classes,
        )
