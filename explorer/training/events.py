"""What training yields, in the order in which it happens. Nothing here needs torch."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeAlias

from explorer.language import Recorded, english, say


class Moment(NamedTuple):
    """A moment of a training at which its weights are kept.

    Attributes:
        epoch: The epoch that is finished then, or that the step is in, from 1.
        step: Steps since the beginning of the run, if the epoch is not finished; else 0.
    """

    epoch: int
    step: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether the epoch is finished."""
        return not self.step

    def __str__(self) -> str:
        if self.is_whole:
            return say("epoch {number}", number=self.epoch)
        return say("step {number:,}", number=self.step)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is kept of a training, to go on from there; `checkpoint.py` makes and reads it.

    Attributes:
        moment: When it was made.
        weights: The network's state dict, as safetensors.
        training_state: The state of the optimiser and of the random generators, and what the
            unfinished epoch has summed up so far, as safetensors.
        seconds: Wall time of the unfinished epoch so far.
    """

    moment: Moment
    weights: bytes
    training_state: bytes
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Started:
    """Training begins, or goes on after an interruption.

    Attributes:
        device: Where it runs, such as `cpu` or `cuda (NVIDIA H100)`.
        parameters: Trainable parameters of the network.
        train_size: Training images in each epoch.
        test_size: Test images.
        steps_per_epoch: Steps in each epoch; the batch of the last one may be smaller.
        epochs: Epochs in all.
        finished_epochs: Epochs that were finished before, when a run is resumed.
        note: What slows it down, as a part of a sentence; may be empty.
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
        step: Steps since the beginning of the run.
        epoch: The epoch it is in, from 1.
        loss: Mean of the recipe's loss, in nats, over the images since the last report, each
            scored before the update that it led to.
        accuracy: Share of those images that were classified correctly, 0–1.
        learning_rate: The last step's.
        images_per_second: Over the time since the last report, scoring excluded.
        images: How many images were used since the last report.
        checkpoint: Copies all that is needed to go on after this step. Valid until training is
            resumed; `None` in a step that was read from a store.
    """

    step: int
    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    images_per_second: float
    images: int
    checkpoint: Callable[[], Checkpoint] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Update:
    """One step, closely: its batch, and what it did to each layer.

    Attributes:
        step: The step, since the beginning of the run.
        epoch: The epoch it is in, from 1.
        images: The numbers of the batch's images among all training images.
        predicted: The class that each was taken for before the update.
        losses: The cross-entropy of each before the update, in nats.
        gradients: The L2 norm of the loss's gradient in each layer's parameters, by the layer's
            path, in the network's order, after clipping.
        updates: The L2 norm of what was added to each layer's parameters, likewise.
        weights: The L2 norm of each layer's parameters before the update, likewise.
    """

    step: int
    epoch: int
    images: tuple[int, ...]
    predicted: tuple[int, ...]
    losses: tuple[float, ...]
    gradients: Mapping[str, float]
    updates: Mapping[str, float]
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Gradients:
    """The size of one step's gradient in each layer.

    Attributes:
        step: The step, since the beginning of the run.
        epoch: The epoch it is in, from 1.
        norms: The L2 norm of the loss's gradient in each layer's parameters, by the layer's path,
            in the network's order; 0 where no gradient arrives.
    """

    step: int
    epoch: int
    norms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Score:
    """Some test images are scored within an epoch.

    Attributes:
        step: The step after which they are, since the beginning of the run.
        epoch: The epoch it is in, from 1.
        loss: Mean cross-entropy of these images, in nats.
        accuracy: Share of these images that are classified correctly, 0–1.
        images: How many are scored: the first ones of the test set.
    """

    step: int
    epoch: int
    loss: float
    accuracy: float
    images: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch is finished, and all test images are scored.

    Attributes:
        epoch: Its number, from 1.
        train_loss: Mean of the recipe's loss over the epoch, in nats, each image scored before the
            update that it led to.
        train_accuracy: Share classified correctly over the epoch, 0–1, likewise.
        test_loss: Mean cross-entropy of the test images after the epoch, in nats.
        test_accuracy: Share of the test images classified correctly after the epoch, 0–1.
        seconds: Wall time of the epoch, scoring included.
        images_per_second: Training images over training time, scoring excluded.
        checkpoint: Copies the state dict and all that is needed to go on from here. Valid until
            training is resumed; `None` in an epoch that was read from a store.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float
    images_per_second: float
    checkpoint: Callable[[], Checkpoint] | None = field(default=None, repr=False, compare=False)


Event: TypeAlias = Started | Step | Gradients | Update | Score | Epoch

_CLASSES: tuple[type[Event], ...] = (Started, Step, Gradients, Update, Score, Epoch)
_KINDS = {cls.__name__.lower(): cls for cls in _CLASSES}
_NUMERIC = (float, Mapping[str, float], tuple[int, ...], tuple[float, ...])
_NOT_NUMBERS = ("NaN", "Infinity", "-Infinity")


def kind(event: Event) -> str:
    """Return the event's name in JSON: that of its class, in small letters."""
    return type(event).__name__.lower()


def to_json(event: Event) -> dict[str, Any]:
    """Return the event as plain values; what JSON has no number for as `"NaN"`, `"-Infinity"`.

    Sentences are kept in English.
    """
    return {
        f.name: _written(getattr(event, f.name)) for f in fields(event) if f.name != "checkpoint"
    }


def from_json(kind: str, values: dict[str, Any]) -> Event:
    """Make the event again from its kind and what `to_json` returned."""
    cls = _KINDS[kind]
    numbers = {f.name for f in fields(cls) if f.type in _NUMERIC}
    found = {name: _read(v) if name in numbers else v for name, v in dict(values).items()}
    if isinstance(note := found.get("note"), str):
        found["note"] = Recorded(note)
    return cls(**found)


def _written(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _written(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_written(each) for each in value]
    if isinstance(value, str):
        return english(value)
    is_number = not isinstance(value, float) or math.isfinite(value)
    return value if is_number else json.dumps(float(value))


def _read(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _read(each) for key, each in value.items()}
    if isinstance(value, list):
        return tuple(map(_read, value))
    return float(value) if value in _NOT_NUMBERS else value
