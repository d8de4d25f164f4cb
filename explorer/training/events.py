"""What training tells of itself, in the order in which it happens. No torch needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is kept of a training at the end of an epoch, made by `training.checkpoint`.

    Attributes:
        parameters: The network's state dict, as safetensors.
        training_state: The state of the optimiser and of the random generators, as safetensors.
    """

    weights: bytes
    training_state: bytes


@dataclass(frozen=True, slots=True)
class Started:
    """Training begins, or goes on after an interruption.

    Attributes:
        device: Where it runs, such as `cpu` or `cuda (NVIDIA H100)`.
        parameters: Trainable numbers of the network.
        train_size: Training images an epoch.
        test_size: Test images.
        steps_per_epoch: Steps an epoch; the last one may be smaller.
        epochs: Epochs in all.
        finished_epochs: Epochs that were finished before, when a run is resumed.
        note: What is worth knowing of how it runs, as a part of a sentence; may be empty.
    """

    device: str
    parameters: int
    train_size: int
    test_size: int
    steps_per_epoch: int
    epochs: int
    finished_epochs: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Some steps were taken since the last report.

    Attributes:
        step: Steps since the run's very beginning.
        epoch: The epoch it is in, from 1.
        loss: Mean cross-entropy, in nats, of the images since the last report, as they were met.
        accuracy: Share of those images that were told right, 0–1.
        learning_rate: The last step's.
        images_per_second: Over the time since the last report.
        images: How many images were met since the last report.
    """

    step: int
    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    images_per_second: float
    images: int


@dataclass(frozen=True, slots=True)
class Gradients:
    """How strongly one step pulled at each layer.

    Attributes:
        step: The step, since the run's very beginning.
        epoch: The epoch it is in, from 1.
        norms: The L2 norm of the loss's gradient in each layer's weights, by the layer's path, in
            the network's order; 0 where no gradient arrives.
    """

    step: int
    epoch: int
    norms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch is finished and scored.

    Attributes:
        epoch: Its number, from 1.
        train_loss: Mean cross-entropy over the epoch, in nats, each image scored when it was met.
        train_accuracy: Share told right over the epoch, 0–1, each image scored when it was met.
        test_loss: Mean cross-entropy on the test images after the epoch, in nats.
        test_accuracy: Share of the test images told right after the epoch, 0–1.
        seconds: Wall time of the epoch, scoring included.
        images_per_second: Training images over training time, scoring excluded.
        checkpoint: Takes a copy of the weights and of all that is needed to go on from here. Valid
            until training is resumed; `None` in an epoch read back from a record.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float
    images_per_second: float
    checkpoint: Callable[[], Checkpoint] | None = field(default=None, repr=False, compare=False)


Event: TypeAlias = Started | Step | Gradients | Epoch

_KINDS: dict[str, type[Started] | type[Step] | type[Gradients] | type[Epoch]] = {
    "started": Started,
    "step": Step,
    "gradients": Gradients,
    "epoch": Epoch,
}


def kind(event: Event) -> str:
    """The event's name in JSON: `started`, `step`, `gradients` or `epoch`."""
    return type(event).__name__.lower()


def to_json(event: Event) -> dict[str, Any]:
    """The event as plain values."""
    return {f.name: getattr(event, f.name) for f in fields(event) if f.name != "checkpoint"}


def from_json(kind: str, values: dict[str, Any]) -> Event:
    """The event that `to_json` made these values of."""
    return _KINDS[kind](**values)
