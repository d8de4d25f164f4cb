"""Everything that a session finds out about one test image, as plain values."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.inspection.ablation import AblationError
from explorer.inspection.excitation import Excited
from explorer.inspection.fields import Extent, ReceptiveField
from explorer.inspection.parts import UnknownPartError, blocks
from explorer.inspection.recording import Recording, softmax, statistics
from explorer.inspection.results import Instead, costs
from explorer.inspection.scores import Answers
from explorer.inspection.session import Pixels, Session
from explorer.language import later, say
from explorer.text import suggest

MOST_MISTAKES = 20


def report(
    session: Session,
    number: int,
    off: Collection[str] = (),
    test_images: int = 0,
    instead: Instead = "zero",
    patch: tuple[str, int] | None = None,
    excites: str | None = None,
) -> dict[str, Any]:
    """Look inside a network with one test image.

    Args:
        session: The network and its images.
        number: The index of the test image.
        off: What is switched off: branches and channels, as `ablated` takes them.
        test_images: Score on the first so many test images only; 0: on all of them.
        instead: What a branch that is off gives in the section `ablation`.
        patch: A part, and the index of the test image whose activation it is given.
        excites: A channel such as `conv1:3`.

    Returns:
        `image`, `off`; the sections `prediction`, `patching` (the prediction with the patch, if one
        is asked for), `excites` (the test images that excite a channel most and least, and its
        means by class, likewise), `parts` (shape, receptive field and statistics of each layer,
        operation, branch and block), `score`, `ablation` (the score without each branch),
        `logit_attribution`, `cost`, `gradients`, `filters` and `linearity`; and `failed`, which has
        a sentence for each section that cannot be measured and is `None`. Losses are in nats,
        accuracies 0–1. `ablation`, `cost`, `gradients`, `filters` and `linearity` are of the
        network with everything switched on.

    Raises:
        AblationError: Something in `off` does not exist.
        UnknownPartError: There is no such part to patch, or no such channel to excite.
    """
    asked = _Asked(session, number, tuple(off), test_images or None, instead, patch, excites)
    sections: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for name, (words, section) in _SECTIONS.items():
        try:
            sections[name] = section(asked)
        except (AblationError, UnknownPartError):
            raise
        except (Exception, SystemExit) as error:  # the author's code may raise anything
            sections[name] = None
            failed[name] = session.explain(say(words), error)
    return {
        "image": {"number": number, "label": int(session.labels[number])},
        "off": list(off),
        **sections,
        "failed": failed,
    }


@dataclass(frozen=True)
class _Asked:
    """What a report is about."""

    session: Session
    number: int
    off: tuple[str, ...]
    test_images: int | None
    instead: Instead
    patch: tuple[str, int] | None
    excites: str | None

    @property
    def image(self) -> Pixels:
        return self.session.test_image(self.number)

    @cached_property
    def recording(self) -> Recording:
        return self.session.record(self.image, self.off)


def _prediction(asked: _Asked) -> dict[str, Any]:
    return _predicted(asked.recording.logits[0])


def _predicted(logits: NDArray[np.float32]) -> dict[str, Any]:
    probabilities = softmax(logits)
    best = int(probabilities.argmax())
    return {
        "class": best,
        "probability": float(probabilities[best]),
        "probabilities": probabilities.tolist(),
        "logits": logits.tolist(),
    }


def _patching(asked: _Asked) -> dict[str, Any] | None:
    if asked.patch is None:
        return None
    part, number = asked.patch
    donor = asked.session.test_image(number)
    logits = asked.session.patched(asked.image, donor, part, asked.off)
    return {"part": part, "image": number, **_predicted(logits[0])}


def _excites(asked: _Asked) -> dict[str, Any] | None:
    if asked.excites is None:
        return None
    name, _, number = asked.excites.rpartition(":")
    found = asked.session.excitations(asked.off, asked.test_images)
    if name not in found:
        known = [f"{each}:0" for each in found]
        raise UnknownPartError(
            say(
                "There is no channel {name!r}; {meant}",
                name=asked.excites,
                meant=suggest(asked.excites, known),
            )
        )
    part, field = found[name], asked.session.fields.get(name)
    if not (number.isascii() and number.isdecimal()) or int(number) >= part.channels:
        raise UnknownPartError(
            say(
                "{name} has {count} channels, 0 to {last}, so there is no channel {channel!r}.",
                name=name,
                count=part.channels,
                last=part.channels - 1,
                channel=number,
            )
        )
    channel = int(number)
    mean, std = (_finite(float(each[channel])) for each in part.overall)
    return {
        "part": name,
        "channel": channel,
        "images": int(part.counts[:, channel].sum()),
        "most": [_excited(each, field) for each in part.images(part.most, channel)],
        "least": [_excited(each, field) for each in part.images(part.least, channel)],
        "mean": mean,
        "std": std,
        "mean_by_class": list(map(_finite, part.means[:, channel].tolist())),
        "std_by_class": list(map(_finite, part.stds[:, channel].tolist())),
        "explained": float(part.explained[channel]),
    }


def _finite(value: float) -> float | None:
    """Return a number, or `None` for what JSON does not have."""
    return value if math.isfinite(value) else None


def _excited(excited: Excited, field: ReceptiveField | None) -> dict[str, Any]:
    """Return an image, and the first and last row and column that its most excited unit sees."""
    window = field.window(*excited.unit) if field and excited.unit else None
    return {
        "image": excited.image,
        "value": excited.value,
        "unit": None if excited.unit is None else list(excited.unit),
        "rows": None if window is None else list(window[0]),
        "columns": None if window is None else list(window[1]),
    }


def _parts(asked: _Asked) -> list[dict[str, Any]]:
    session, recording = asked.session, asked.recording
    fields, maps = session.fields, recording.maps
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "depth": row.depth,
            "text": row.text,
            "shape": list(maps[row.name].shape[1:]),
            "receptive_field": _field(fields.get(row.name)),
            "statistics": asdict(statistics(maps[row.name])),
        }
        for row in costs(recording.parts, unused=session.unused)
    ]


def _field(field: ReceptiveField | None) -> dict[str, Any] | None:
    if field is None:
        return None
    return {
        "text": str(field),
        "rows": _extent(field.rows),
        "columns": _extent(field.columns),
        "is_least": field.is_least,
    }


def _extent(extent: Extent) -> dict[str, Any]:
    return {"size": extent.size, "stride": extent.stride, "offset": extent.offset}


def _score(asked: _Asked) -> dict[str, Any]:
    found = asked.session.answers(asked.off, asked.test_images)
    return {
        **_scores(found),
        "images": len(found.labels),
        "confusion": found.confusion.tolist(),
        "mistakes": [_mistake(found, wrong) for wrong in found.mistakes()[:MOST_MISTAKES]],
    }


def _scores(found: Answers) -> dict[str, Any]:
    return {
        "accuracy": found.accuracy,
        "loss": found.loss,
        # A class without any image has no accuracy, and JSON has no NaN.
        "accuracy_by_class": [
            None if math.isnan(accuracy) else accuracy for accuracy in found.accuracy_by_class
        ],
    }


def _mistake(found: Answers, number: int) -> dict[str, Any]:
    return {
        "image": number,
        "label": int(found.labels[number]),
        "predicted": int(found.predicted[number]),
        "confidence": float(found.confidence[number]),
    }


def _ablation(asked: _Asked) -> list[dict[str, Any]]:
    intact = asked.session.answers((), asked.test_images)
    rows = []
    for path in asked.session.branches:
        found = asked.session.answers((path,), asked.test_images, asked.instead)
        rows.append(
            {
                "branch": path,
                "instead": asked.instead,
                **_scores(found),
                "accuracy_difference": found.accuracy - intact.accuracy,
                "loss_difference": found.loss - intact.loss,
            }
        )
    return rows


def _logit_attribution(asked: _Asked) -> list[dict[str, Any]]:
    session = asked.session
    names = [block.name for block in blocks(asked.recording.parts)]
    return [
        {
            "block": found.block,
            "exact": found.exact,
            "branches": {name: values[0].tolist() for name, values in found.branches.items()},
            "bias": None if found.bias is None else found.bias.tolist(),
        }
        for found in (session.logit_attribution(asked.image, name, asked.off) for name in names)
    ]


def _cost(asked: _Asked) -> list[dict[str, Any]]:
    return [asdict(row) for row in asked.session.costs]


def _gradients(asked: _Asked) -> dict[str, dict[str, float]]:
    layers, branches = asked.session.gradients()
    return {"layers": dict(layers), "branches": dict(branches)}


def _filters(asked: _Asked) -> list[dict[str, Any]]:
    return [
        {
            "path": path,
            "shape": list(found.values.shape),
            "mean": found.mean,
            "std": found.std,
            "norms": found.norms.tolist(),
            "likeness": found.likeness,
        }
        for path, found in asked.session.filters().items()
    ]


def _linearity(asked: _Asked) -> list[dict[str, Any]]:
    return [asdict(verdict) for verdict in asked.session.linearity()]


_SECTIONS: Mapping[str, tuple[str, Callable[[_Asked], Any]]] = {
    "prediction": (later("The prediction"), _prediction),
    "patching": (later("The prediction with the patch"), _patching),
    "excites": (later("What excites the channel"), _excites),
    "parts": (later("The output of each part"), _parts),
    "score": (later("The accuracy"), _score),
    "ablation": (later("Ablation"), _ablation),
    "logit_attribution": (later("Logit attribution"), _logit_attribution),
    "cost": (later("Cost"), _cost),
    "gradients": (later("Gradients"), _gradients),
    "filters": (later("Filters"), _filters),
    "linearity": (later("Linearity"), _linearity),
}
