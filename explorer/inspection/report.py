"""All that can be said of a network and one test image, as plain values."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from torch import nn

from explorer.data.loader import Data, Split
from explorer.inspection.ablation import ablated, branch_paths
from explorer.inspection.activations import Recording, record, statistics, to_npz
from explorer.inspection.answers import Answers, answers
from explorer.inspection.cost import costs, measure
from explorer.inspection.gradients import branch_norms, gradient_norms
from explorer.inspection.linearity import linearity
from explorer.inspection.parts import blocks
from explorer.inspection.receptive import Extent, ReceptiveField, receptive_fields
from explorer.inspection.shares import branch_shares
from explorer.inspection.weights import filters

BATCH = 64  # images for times and gradients
MOST_MISTAKES = 20


def report(
    model: nn.Module, data: Data, number: int, off: Collection[str] = (), test_images: int = 0
) -> dict[str, Any]:
    """Look inside `model` with test image `number`.

    Args:
        model: Left as it was.
        data: The data set that it was trained on, where the model lies.
        number: Of the test image.
        off: What is switched off meanwhile: branches, channels, as `ablated` takes them.
        test_images: Score on the first so many test images only; 0: on all of them.

    Returns:
        `image`, `off`, `prediction`, `parts` (shape, receptive field and statistics of each layer,
        branch and block), `score`, `ablation` (the score without each branch), `shares`, `cost`,
        `gradients`, `filters` and `linearity`; losses in nats, accuracies 0–1.

    Raises:
        AblationError: There is nothing of a name in `off`.
    """
    test = data.test
    split = test.first(test_images or None)
    image = test.normalise(test.images[number : number + 1])
    train = data.train.images[:BATCH], data.train.labels[:BATCH]
    with ablated(model, off):
        recording = record(model, image)
        score = answers(model, split)
    norms = gradient_norms(model, data.train.normalise(train[0]), train[1])
    fields = receptive_fields(model, (data.spec.channels, data.spec.size, data.spec.size))
    times = measure(model, test.normalise(test.images[:BATCH]))
    intact = answers(model, split) if off else score
    return {
        "image": {"number": number, "label": int(test.labels[number])},
        "off": list(off),
        "prediction": _prediction(recording),
        "parts": _parts(recording, fields),
        "score": {
            **_score(score),
            "images": len(split),
            "confusion": score.confusion.tolist(),
            "mistakes": [_mistake(score, wrong) for wrong in score.mistakes()[:MOST_MISTAKES]],
        },
        "ablation": [_without(model, split, path, intact) for path in branch_paths(model)],
        "shares": [
            {
                "block": found.block,
                "exact": found.exact,
                "shares": {name: share[0].tolist() for name, share in found.shares.items()},
                "bias": None if found.bias is None else found.bias.tolist(),
            }
            for block in blocks(recording.parts)
            if block.call == 1
            for found in [branch_shares(model, block.path, image)]
        ],
        "cost": [asdict(row) for row in costs(recording.parts, times)],
        "gradients": {"layers": dict(norms), "branches": dict(branch_norms(model, norms))},
        "filters": [
            {
                "path": path,
                "shape": list(found.values.shape),
                "mean": found.mean,
                "std": found.std,
                "norms": found.norms.tolist(),
                "likeness": found.likeness,
            }
            for path, found in filters(model).items()
        ],
        "linearity": [asdict(verdict) for verdict in linearity(model, data.spec)],
    }


def activations(model: nn.Module, data: Data, number: int, off: Collection[str] = ()) -> bytes:
    """The test image and the output of each layer, branch and block by name, as an `.npz` file."""
    test = data.test
    with ablated(model, off):
        recording = record(model, test.normalise(test.images[number : number + 1]))
    return to_npz(test.images[number], recording)


def _prediction(recording: Recording) -> dict[str, Any]:
    probabilities = recording.probabilities[0]
    best = int(probabilities.argmax())
    return {
        "class": best,
        "probability": probabilities[best].item(),
        "probabilities": probabilities.tolist(),
        "logits": recording.logits[0].tolist(),
    }


def _parts(recording: Recording, fields: Mapping[str, ReceptiveField]) -> list[dict[str, Any]]:
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "depth": row.depth,
            "text": row.text,
            "shape": list(recording.maps[row.name].shape[1:]),
            "receptive_field": _field(fields.get(row.name)),
            "statistics": asdict(statistics(recording.maps[row.name])),
        }
        for row in costs(recording.parts)
    ]


def _field(field: ReceptiveField | None) -> dict[str, Any] | None:
    if field is None:
        return None
    return {"text": str(field), "rows": _extent(field.rows), "columns": _extent(field.columns)}


def _extent(extent: Extent) -> dict[str, Any]:
    return {"size": extent.size, "stride": extent.stride, "offset": extent.offset}


def _score(found: Answers) -> dict[str, Any]:
    return {
        "accuracy": found.accuracy,
        "loss": found.loss,
        # A class without any image has no accuracy, and JSON has no NaN.
        "accuracy_by_class": [
            None if math.isnan(share) else share for share in found.accuracy_by_class
        ],
    }


def _mistake(found: Answers, number: int) -> dict[str, Any]:
    return {
        "image": number,
        "label": int(found.labels[number]),
        "predicted": int(found.predicted[number]),
        "confidence": float(found.confidence[number]),
    }


def _without(model: nn.Module, split: Split, path: str, intact: Answers) -> dict[str, Any]:
    with ablated(model, (path,)):
        found = answers(model, split)
    return {
        "branch": path,
        **_score(found),
        "accuracy_difference": found.accuracy - intact.accuracy,
        "loss_difference": found.loss - intact.loss,
    }
