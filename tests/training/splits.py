"""Splits that say afterwards what was drawn from them."""

from dataclasses import dataclass, field

from explorer.data.loader import Split


@dataclass(frozen=True)
class Remembers(Split):
    """A split that remembers the batches that an epoch drew from it."""

    drawn: list = field(default_factory=list)
    orders: list = field(default_factory=list)

    def order(self, size, seed):
        self.orders.append(seed)
        return super().order(size, seed)

    def select(self, indices):
        images, labels = super().select(indices)
        if self.orders:  # before, the network is only tried out
            self.drawn.append((self.normalise(images), labels))
        return images, labels
