"""A network's state dict, and all else that training needs to go on from it, as bytes.

Everything is safetensors, never pickle: reading a checkpoint runs no code.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn, optim
from torch.nn.parameter import is_lazy

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.training.events import Checkpoint, Moment

_SUMS = "epoch.sums"


class CheckpointError(ExplorerError, ValueError):
    """Weights that do not belong to this network, or are damaged."""


def take(
    model: nn.Module,
    optimiser: optim.Optimizer,
    moment: Moment,
    *,
    seconds: float = 0.0,
    sums: Tensor | None = None,
) -> Checkpoint:
    """Copy the state of a training that is suspended.

    Args:
        model: The network.
        optimiser: Its optimiser.
        moment: When that is.
        seconds: Wall time of the unfinished epoch so far.
        sums: What the unfinished epoch has summed up so far, if there is one.
    """
    state = _training_state(model, optimiser)
    if sums is not None:
        state[_SUMS] = _copy(sums)
    return Checkpoint(moment, pack_weights(model), _to_bytes(state), seconds)


def pack_weights(model: nn.Module) -> bytes:
    """Return the model's state dict as safetensors."""
    return _to_bytes({name: _copy(tensor) for name, tensor in model.state_dict().items()})


def unpack_weights(weights: bytes) -> dict[str, Tensor]:
    """Return the state dict that `pack_weights` made.

    Raises:
        CheckpointError: It is damaged.
    """
    return _from_bytes(weights)


def load_weights(model: nn.Module, weights: bytes) -> None:
    """Set the model's parameters and buffers.

    Raises:
        CheckpointError: The weights are of a network of other shapes; the model is unchanged.
    """
    tensors = _from_bytes(weights)
    own = model.state_dict()
    # A lazy layer has no shapes yet; it takes those of the weights.
    given = {n: own[n] if n in own and is_lazy(own[n]) else t for n, t in tensors.items()}
    if {n: _shape(t) for n, t in own.items()} != {n: _shape(t) for n, t in given.items()}:
        raise CheckpointError(
            say(
                "The recorded weights do not fit {network}: its code or its options have changed "
                "since the run was made. Train or import it again.",
                network=type(model).__name__,
            )
        )
    model.load_state_dict(tensors)


def restore(checkpoint: Checkpoint, model: nn.Module, optimiser: optim.Optimizer) -> Tensor | None:
    """Bring model, optimiser and random generators into the recorded state.

    Returns:
        What the unfinished epoch had summed up, if there was one.

    Raises:
        CheckpointError: The checkpoint is of a network of other shapes.
    """
    load_weights(model, checkpoint.weights)
    tensors = _from_bytes(checkpoint.training_state)
    sums = tensors.pop(_SUMS, None)
    names = [name for name in tensors if name.startswith("generator.")]
    set_generators(_device(model), {name: tensors.pop(name) for name in names})
    full = optimiser.state_dict()
    full["state"] = {}
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for key, tensor in tensors.items():
        _, index, name = key.split(".")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # Fused optimisers go through memory in its order, so all need the parameter's layout.
            tensor = torch.empty_like(parameter).copy_(tensor)
        full["state"].setdefault(int(index), {})[name] = tensor
    optimiser.load_state_dict(full)
    return sums


def read_generators(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the random generators that a training on `device` uses, by name."""
    states = {"generator.cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states["generator.device"] = torch.get_device_module(device).get_rng_state()
    return states


def set_generators(device: torch.device, states: Mapping[str, Tensor]) -> None:
    """Set the states of the random generators; that of another kind of device is left out."""
    torch.set_rng_state(states["generator.cpu"])
    if "generator.device" in states and device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states["generator.device"])


def _training_state(model: nn.Module, optimiser: optim.Optimizer) -> dict[str, Tensor]:
    tensors = read_generators(_device(model))
    for index, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{name}"] = _copy(value)
    return tensors


# Training must not need safetensors; only keeping its results does.


def _to_bytes(tensors: dict[str, Tensor]) -> bytes:
    from safetensors.torch import save

    return save(tensors)


def _from_bytes(content: bytes) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except SafetensorError as error:
        raise CheckpointError(
            say(
                "The recorded weights are damaged ({reason}); delete the run, and train or import "
                "it again.",
                reason=error,
            )
        ) from error


def _shape(tensor: Tensor) -> torch.Size | None:
    return None if is_lazy(tensor) else tensor.shape


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _copy(tensor: Tensor) -> Tensor:
    # safetensors refuses shared storage and other layouts than the plain one.
    return tensor.detach().to("cpu", copy=True).contiguous()
