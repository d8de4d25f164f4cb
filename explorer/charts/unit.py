"""The arithmetic of one channel, as the browser draws it (`explorer/ui/components/unit.js`).

A pure function. Values are sent as they were recorded, in single precision, so that what the
browser adds up is what the network added up.
"""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.charts.lanes import limit
from explorer.charts.style import POSITIVE, SIGNED, WEIGHTS
from explorer.inspection.units import (
    Arithmetic,
    Copied,
    Map,
    Merged,
    Normalised,
    Pointwise,
    Pooled,
    Source,
    Step,
    SwitchedOff,
    Unknown,
    Weighted,
)
from explorer.language import again, english


def unit(found: Arithmetic) -> dict[str, Any]:
    """Return what the browser needs to show how each unit of a channel was computed."""
    return {
        "part": found.part,
        "channel": found.channel,
        "channels": found.channels,
        "asked": found.asked,
        "readers": list(found.readers),
        "steps": [_step(step) for step in found.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    height, width = step.values.shape
    known = {
        "kind": type(step).__name__,
        "part": step.part,
        "text": again(step.text),
        "height": height,
        "width": width,
        "values": _bytes(step.values),
        **_colours([step.values]),
    }
    match step:
        case Weighted():
            return known | {
                **_sources(step.sources),
                "weights": _bytes(step.weights),
                "kernel": step.weights.shape[1:],
                "bias": step.bias,
                "rows": step.rows.tolist(),
                "columns": step.columns.tolist(),
                "others": step.others,
                "rest": None if step.rest is None else _bytes(step.rest),
                "ramp of weights": WEIGHTS,
                "end of weights": _end(float(np.abs(step.weights).max())),
            }
        case Pooled():
            return known | {
                **_sources([step.source]),
                "of": step.kind,
                "rows": step.rows.tolist(),
                "columns": step.columns.tolist(),
                "divisor": step.divisor,
            }
        case Normalised():
            return known | {
                **_sources([step.source] if step.source else []),
                **{
                    name: number.tolist() if not number.ndim else _bytes(number)
                    for name, number in (
                        ("mean", step.mean),
                        ("variance", step.variance),
                        ("scale", step.scale),
                        ("shift", step.shift),
                    )
                },
                "epsilon": step.epsilon,
                "over": step.over,
            }
        case Pointwise():
            own = [step.source] if step.source else []
            return known | {**_sources(own), "formula": again(step.formula)}
        case Merged():
            return known | {**_sources(step.sources), "signs": step.signs}
        case Copied():
            return known | {**_sources([step.source]), "places": step.places.ravel().tolist()}
        case SwitchedOff():
            return known
        case Unknown():
            return known | {"sentence": again(step.sentence)}
    raise TypeError(type(step))


def _sources(sources: Sequence[Source]) -> dict[str, Any]:
    """Return the maps that are read, on one scale."""
    colours = _colours([source.values for source in sources]) if sources else {}
    return {
        "scale of sources": colours,
        "sources": [
            {
                "text": again(source.text),
                "isImage": english(source.text) == "image",
                "part": source.part,
                "channel": source.channel,
                "height": source.values.shape[0],
                "width": source.values.shape[1],
                "values": _bytes(source.values),
            }
            for source in sources
        ],
    }


def _colours(maps: Sequence[Map]) -> dict[str, Any]:
    signed = any(bool((values < 0).any()) for values in maps)
    return {"signed": signed, "ramp": SIGNED if signed else POSITIVE, "end": _end(limit(maps))}


def _end(value: float) -> float:
    return float(f"{value:.4g}") or 1.0


def _bytes(values: NDArray[Any]) -> str:
    """Return single or double precision values, little-endian, as base64."""
    kind = "<f8" if values.dtype == np.float64 else "<f4"
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()
