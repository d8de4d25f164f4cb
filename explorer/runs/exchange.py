"""Brings in networks that were trained elsewhere, as finished runs, and gives weights out."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from explorer.data.dataset import DataSet
from explorer.data.loader import Data, default_device, load_data
from explorer.errors import ExplorerError, explain
from explorer.language import listed, say
from explorer.plugin.architecture import Architecture
from explorer.plugin.matching import differences, find_match
from explorer.plugin.registry import Registry
from explorer.runs.run import (
    GUESSING,
    UNTRAINED,
    Run,
    UnknownRunError,
    network_words,
    spec_of,
)
from explorer.runs.store import RunStore
from explorer.training.checkpoint import pack_weights, unpack_weights
from explorer.training.events import Epoch, Moment, Started
from explorer.training.layout import settle
from explorer.training.loop import evaluate
from explorer.training.weight_files import WeightFileError, read_weights, write_weights

_COMPILED, _PARALLEL = "_orig_mod.", "module."  # what torch.compile and DataParallel put before


@dataclass(frozen=True, slots=True)
class Imported:
    """A run whose weights are those of a file.

    Attributes:
        run: The run, which is finished.
        was_there: Whether equal weights had been imported before.
        notes: What whoever imported them should know, in sentences.
    """

    run: Run
    was_there: bool
    notes: tuple[str, ...]


def import_weights(
    file: Path,
    architecture: Architecture,
    values: Mapping[str, object],
    dataset: DataSet,
    store: RunStore,
    registry: Registry,
    cache: Path,
) -> Imported:
    """Store a network that was trained elsewhere as a finished run of one epoch.

    It is scored on all test images, and on as many training images. If anything fails, no run is
    made.

    Args:
        file: Its state dict, as `read_weights` reads it.
        architecture: The network.
        values: Its options; their defaults where there is none.
        dataset: What it was trained on.
        store: Where the run is kept.
        registry: Where a network that fits is looked for if this one does not.
        cache: The folder of the decoded data sets.

    Raises:
        WeightFileError: The file cannot be read, its weights do not fit the network, or the network
            answers with values that are not finite.
        OptionError: A value does not fit its option.
        MisfitError: The network cannot take the images.
        DataError: The images cannot be read.
    """
    registry.require_fit(architecture, values, dataset)
    spec = spec_of(architecture, values, dataset, UNTRAINED)
    tensors = read_weights(file)
    model = _build(architecture, spec.options, dataset)
    tensors = _named_as_in(model, tensors)
    if wrong := differences(model, tensors):
        network = network_words(spec)
        match = find_match(tensors, registry, architecture, spec.options, dataset.images)
        if match:
            raise WeightFileError(
                say(
                    "{file} does not fit {network}: {reason}. It fits {match}.",
                    file=file,
                    network=network,
                    reason=wrong,
                    match=match,
                )
            )
        raise WeightFileError(
            say(
                "{file} does not fit {network}: {reason}. Give the options that it was trained "
                "with (--set OPTION=VALUE), or another architecture; `explorer list` names them.",
                file=file,
                network=network,
                reason=wrong,
            )
        )
    notes = _notes(model, tensors)
    model.load_state_dict(tensors)
    weights = pack_weights(model)
    spec = replace(spec, imported=digest(model.state_dict()))
    try:
        run, was_there = store.run(spec.id), True
    except UnknownRunError:
        data = load_data(dataset, default_device(), cache)
        data = data.seen_as(architecture.sees(data.spec, spec.options))
        scores = _score(file, model, data, architecture)
        run, was_there = store.add_imported(spec, *scores, weights), False
    if (run.last_accuracy or 0) < GUESSING / dataset.images.num_classes:
        notes += (
            say(
                "It is no better than guessing on {dataset}: it may have been trained on other "
                "images or another order of the classes, or on images that were normalised "
                "otherwise.",
                dataset=dataset.name,
            ),
        )
    return Imported(run, was_there, notes)


def export_weights(
    run: Run, epoch: int | None, store: RunStore, file: Path, *, overwrite: bool = False
) -> Moment:
    """Write the weights that a run had after an epoch to a file.

    Args:
        run: The run.
        epoch: The epoch; by default the last one whose weights were kept.
        store: Where the run is kept.
        file: Written as `write_weights` does; safetensors say which run the weights are of.
        overwrite: Whether a file of this name may be replaced.

    Returns:
        When they were those of the run.

    Raises:
        MissingWeightsError: The weights after this epoch were not kept.
        WeightFileError: The file is there already, or cannot be written.
    """
    moment = store.moment(run.id, epoch)
    facts = {
        "architecture": run.spec.architecture,
        "options": dict(run.spec.options),
        "dataset": run.spec.dataset,
        "run": run.id,
        "epoch": moment.epoch,
    }
    tensors = unpack_weights(store.weights(run.id, moment))
    texts = {name: json.dumps(fact) for name, fact in facts.items()}
    write_weights(file, tensors, texts, overwrite=overwrite)
    return moment


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return a hash of names, types, shapes and values: twelve hexadecimal digits."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        values = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
        found.update(values.numpy().tobytes())
    return found.hexdigest()[:12]


def _build(architecture: Architecture, values: Mapping[str, object], dataset: DataSet) -> nn.Module:
    try:
        return architecture.build(architecture.sees(dataset.images, values), values)
    except ExplorerError:
        raise
    except (Exception, SystemExit) as error:
        raise WeightFileError(explain(error, architecture.location)) from error


def _named_as_in(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict without the prefixes that wrappers of a network add to its names."""
    own = model.state_dict(keep_vars=True)
    found = dict(tensors)
    if not any(_COMPILED in name for name in own):
        found = {name.replace(_COMPILED, ""): tensor for name, tensor in found.items()}
    while not own.keys() & found.keys() and all(name.startswith(_PARALLEL) for name in found):
        found = {name.removeprefix(_PARALLEL): tensor for name, tensor in found.items()}
    # safetensors' save_model writes a tensor that two modules share under one of its names.
    for name, tensor in own.items():
        same = (other for other in tensors if own.get(other) is tensor)
        if name not in found and (twin := next(same, None)):
            found[name] = found[twin]
    return found


def _notes(model: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    own = model.state_dict()
    notes = []
    converted = {
        (_type(tensors[name]), _type(own[name]))
        for name in own
        if name in tensors and tensors[name].dtype != own[name].dtype
    }
    if converted:
        pairs = [say("{given} to {own}", given=a, own=b) for a, b in sorted(converted)]
        from_ = say(" and from ")
        notes.append(say("Weights were converted from {types}.", types=listed(pairs, from_, from_)))
    for name, tensor in tensors.items():
        if name in own and not tensor.to(own[name].dtype).isfinite().all():
            notes.append(say("{name} holds values that are infinite or not numbers.", name=name))
    return tuple(notes)


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _score(
    file: Path, model: nn.Module, data: Data, architecture: Architecture
) -> tuple[Started, Epoch]:
    data, note = settle(model, data)
    train = data.train.subset(len(data.test))
    try:
        train_loss, train_accuracy = evaluate(model, train)
        test_loss, test_accuracy = evaluate(model, data.test)
    except (Exception, SystemExit) as error:
        raise WeightFileError(
            say(
                "The network cannot be scored: {reason}",
                reason=explain(error, architecture.location),
            )
        ) from error
    for loss in (test_loss, train_loss):
        if not math.isfinite(loss):
            raise WeightFileError(
                say(
                    "With the weights of {file}, the loss is {loss}; import weights with which the "
                    "network gives finite logits.",
                    file=file,
                    loss=loss,
                )
            )
    started = Started(
        device=data.device.type,
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        train_size=len(train),
        test_size=len(data.test),
        steps_per_epoch=1,
        epochs=1,
        note=note,
    )
    # No time was spent on training.
    return started, Epoch(1, train_loss, train_accuracy, test_loss, test_accuracy, 0.0, 0.0)
