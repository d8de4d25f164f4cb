"""What was recorded of one forward pass, as arrays. No torch needed."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.inspection.parts import Part


@dataclass(frozen=True, slots=True)
class Recording:
    """The outputs of one forward pass.

    Attributes:
        parts: The layers, operations and blocks that the images met, in that order.
        maps: The output of each of them and of each branch by name, `(N, C, H, W)` or
            `(N, features)`, `float32`; of complex values the magnitude.
        logits: `(N, num_classes)`, likewise.
    """

    parts: tuple[Part, ...]
    maps: Mapping[str, NDArray[np.float32]]
    logits: NDArray[np.float32]

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The softmax of the logits, `(N, num_classes)`."""
        return softmax(self.logits)

    def arrays(self, number: int = 0) -> dict[str, NDArray[np.float32]]:
        """Return the output of each part for one image, by name: `(C, H, W)` or `(features,)`."""
        return {name: output[number] for name, output in self.maps.items()}


def as_maps(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features `(F,)` as F maps of one pixel, maps `(C, H, W)` unchanged, others as rows."""
    if values.ndim == 3:
        return values
    if values.ndim == 1:
        return values[:, None, None]
    return values.reshape(1, -1, values.shape[-1])


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities that logits `(…, num_classes)` mean, `float32`."""
    powers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    shares: NDArray[np.float32] = (powers / powers.sum(-1, keepdims=True)).astype(np.float32)
    return shares


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of one output.

    Attributes:
        mean: The mean of all values.
        std: Their standard deviation.
        low: The smallest value.
        high: The largest value.
        zeros: The fraction of values that are exactly 0, as after a ReLU, 0–1.
        dead: How many channels are 0 everywhere. If they are so for every image, the filters that
            compute them are called dead.
    """

    mean: float
    std: float
    low: float
    high: float
    zeros: float
    dead: int


def statistics(output: NDArray[np.float32]) -> Statistics:
    """Compute the statistics of an output `(N, C, …)`."""
    values, zero = output.astype(np.float64), output == 0
    by_channel = zero.swapaxes(0, 1).reshape(zero.shape[1], -1).all(axis=1)
    return Statistics(
        mean=float(values.mean()),
        std=float(values.std()),
        low=float(values.min()),
        high=float(values.max()),
        zeros=float(zero.mean()),
        dead=int(by_channel.sum()),
    )


def to_npz(image: NDArray[np.uint8], recording: Recording) -> bytes:
    """Pack the first image's pixels `(C, H, W)` and what each part gave for it, as an `.npz` file.

    Returns:
        The content of the file: `image`, and an array for each part by its name.
    """
    arrays: dict[str, Any] = dict(recording.arrays())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, image=image, **arrays)
    return buffer.getvalue()
