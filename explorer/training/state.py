"""Everything that steps of training change, so that steps can be tried and taken back."""

import torch
from torch import Tensor, nn, optim

from explorer.training.checkpoint import read_generators, set_generators


class State:
    """The state of a network, its optimiser and the random generators, to be restored in place.

    Restoring writes into the same memory, since a CUDA graph knows only that.

    Args:
        model: The network.
        device: Where it is.
        optimiser: The optimiser, if there is one yet.
    """

    def __init__(
        self, model: nn.Module, device: torch.device, optimiser: optim.Optimizer | None = None
    ) -> None:
        self._optimiser, self._device = optimiser, device
        self._tensors = [*model.parameters(), *model.buffers(), *self._of_optimiser()]
        self._copies = [tensor.detach().clone() for tensor in self._tensors]
        self._generators = read_generators(device)

    def restore(self) -> None:
        """Bring everything back to the state in which this object was made."""
        with torch.no_grad():
            for tensor, copy in zip(self._tensors, self._copies, strict=True):
                tensor.copy_(copy)
            known = set(map(id, self._tensors))
            for tensor in self._of_optimiser():
                if id(tensor) not in known:  # made since; all optimisers begin with zeros
                    tensor.zero_()
        set_generators(self._device, self._generators)

    def _of_optimiser(self) -> list[Tensor]:
        if self._optimiser is None:
            return []
        values = (value for state in self._optimiser.state.values() for value in state.values())
        return [value for value in values if isinstance(value, Tensor)]
