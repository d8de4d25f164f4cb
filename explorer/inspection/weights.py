"""Weights: the filters of a convolution, and their statistics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of one convolution.

    Attributes:
        path: The convolution's path in the network.
        values: `(outputs, inputs / groups, height, width)`, on the CPU.
        bias: `(outputs,)`, or `None`.
    """

    path: str
    values: Tensor
    bias: Tensor | None

    @property
    def norms(self) -> Tensor:
        """The L2 norm of each filter, `(outputs,)`."""
        norms: Tensor = torch.linalg.vector_norm(self.values.flatten(1), dim=1)
        return norms

    @property
    def mean(self) -> float:
        """The mean of all weights."""
        return self.values.double().mean().item()

    @property
    def std(self) -> float:
        """The standard deviation of all weights."""
        return self.values.double().std(correction=0).item()

    @property
    def likeness(self) -> float:
        """The largest |cosine| between two filters; near 1, one of them is redundant."""
        if len(self.values) < 2:
            return 0.0
        flat = nn.functional.normalize(self.values.flatten(1), dim=1)
        between: Tensor = flat @ flat.T
        return between.abs().fill_diagonal_(0).max().item()


def filters(model: nn.Module) -> Mapping[str, Filters]:
    """Return the filters of each two-dimensional convolution, by its path."""
    return {
        path: Filters(path, _copy(module.weight), _copy(module.bias))
        for path, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
    }


def _copy(tensor: Any) -> Any:
    return None if tensor is None else tensor.detach().to("cpu", copy=True).contiguous()
