"""Activations: the output of every layer, operation, branch and block for some images."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.inspection.parts import Part
from explorer.inspection.tracing import trace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Recording:
    """The outputs of one forward pass.

    Attributes:
        parts: The layers, operations and blocks that the images met, in that order.
        maps: The output of each of them and of each branch by name, `(N, C, H, W)` or
            `(N, features)`, `float32`, copied to the CPU; of complex values the magnitude.
        logits: `(N, num_classes)`, likewise.
    """

    parts: tuple[Part, ...]
    maps: Mapping[str, Tensor]
    logits: Tensor

    @property
    def probabilities(self) -> Tensor:
        """The softmax of the logits, `(N, num_classes)`."""
        return self.logits.softmax(dim=1)

    def arrays(self, number: int = 0) -> "dict[str, NDArray[np.float32]]":
        """Return the output of each part for one image, by name: `(C, H, W)` or `(features,)`."""
        return {name: output[number].numpy() for name, output in self.maps.items()}


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


def record(model: nn.Module, images: Tensor) -> Recording:
    """Run `images` through `model` in evaluation mode and keep the output of each of its parts.

    Args:
        model: Takes `(N, C, H, W)`, gives logits `(N, num_classes)`; unchanged afterwards.
        images: `(N, C, H, W)`, normalised, on the model's device.
    """
    seen = trace(model, images, _copy)
    return Recording(seen.parts, seen.kept, _copy(seen.output))


def statistics(output: Tensor) -> Statistics:
    """Compute the statistics of an output `(N, C, …)`."""
    values = output.double()
    by_channel = (output == 0).transpose(0, 1).flatten(1).all(dim=1)
    return Statistics(
        mean=values.mean().item(),
        std=values.std(correction=0).item(),
        low=values.min().item(),
        high=values.max().item(),
        zeros=(output == 0).double().mean().item(),
        dead=int(by_channel.sum()),
    )


def to_npz(image: Tensor, recording: Recording) -> bytes:
    """Pack the first image's pixels `(C, H, W)` and what each part gave for it, as an `.npz` file.

    Returns:
        The content of the file: `image`, and an array for each part by its name.
    """
    import numpy as np

    arrays: dict[str, Any] = dict(recording.arrays())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, image=image.cpu().numpy(), **arrays)
    return buffer.getvalue()


def _copy(output: Tensor) -> Tensor:
    # A later operation may write into the tensor itself, and other layouts are slow to index.
    values = output.detach()
    if values.is_complex():
        values = values.abs()
    return values.to("cpu", torch.float32, copy=True).contiguous()
