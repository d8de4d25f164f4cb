"""Activations: what every layer, branch and block gives for some images."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from explorer.inspection.parts import Part
from explorer.inspection.tracing import trace


@dataclass(frozen=True, slots=True)
class Recording:
    """One forward pass, kept.

    Attributes:
        parts: What the images met, in that order.
        maps: The output of each layer, branch and block by name, `(N, C, H, W)` or `(N, features)`,
            copied to the CPU.
        logits: `(N, num_classes)`, likewise.
    """

    parts: tuple[Part, ...]
    maps: Mapping[str, Tensor]
    logits: Tensor

    @property
    def probabilities(self) -> Tensor:
        """The softmax of the logits, `(N, num_classes)`."""
        return self.logits.softmax(dim=1)


@dataclass(frozen=True, slots=True)
class Statistics:
    """An output in a few numbers.

    Attributes:
        mean: Of all values.
        std: Their standard deviation.
        low: The least value.
        high: The greatest value.
        zeros: The share of values that are exactly 0, as a ReLU leaves them, 0–1.
        dead: How many channels are 0 everywhere, so-called dead filters.
    """

    mean: float
    std: float
    low: float
    high: float
    zeros: float
    dead: int


def record(model: nn.Module, images: Tensor) -> Recording:
    """Run `images` through `model` and keep what each part of it gives.

    The model is in evaluation mode meanwhile, and is left as it was.

    Args:
        model: Takes `(N, C, H, W)`, answers with `(N, num_classes)` logits.
        images: `(N, C, H, W)`, normalised, where the model lies.
    """
    seen = trace(model, images, _copy)
    return Recording(seen.parts, seen.kept, _copy(seen.output))


def statistics(output: Tensor) -> Statistics:
    """Sum up an output `(N, C, …)`."""
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
    """The first image's pixels `(C, H, W)` and what every part gave for it by name, as a file."""
    import numpy as np

    arrays: dict[str, Any] = {name: output[0].numpy() for name, output in recording.maps.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, image=image.cpu().numpy(), **arrays)
    return buffer.getvalue()


def _copy(output: Tensor) -> Tensor:
    # A later operation may write into the tensor itself, and other layouts are slow to index.
    return output.detach().to("cpu", torch.float32, copy=True).contiguous()
