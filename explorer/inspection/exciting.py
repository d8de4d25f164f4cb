"""Finds the images that excite each channel of a network most and least, and its class means.

All channels of all parts are found in one pass. Nothing of an image is kept but its rank, so the
memory needed does not grow with the number of images (images that excite a channel most: Zeiler &
Fergus 2014, arXiv:1311.2901, section 4.1).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from explorer.data.loader import Split, evaluation_batch
from explorer.inspection.excitation import MOST, Excitation, Ranked, all_merged
from explorer.inspection.tracing import trace

_ON_CPU = 251  # images that run at once there: a prime, which no side of a map is likely to be


class _Response(NamedTuple):
    """How strongly some images excite the channels of a part.

    Attributes:
        shape: The shape of the part's output for one image.
        values: The largest value of each channel, `float32`, `(N, C)`.
        units: The number of the unit that has it, `(N, C)`; −1 if all units have the same value.
    """

    shape: tuple[int, ...]
    values: Tensor
    units: Tensor


def excitations(
    model: nn.Module, split: Split, classes: int, numbers: range | None = None
) -> Mapping[str, Excitation]:
    """Find what excites each channel of each part that gives maps or features.

    Args:
        model: Unchanged afterwards.
        split: The images; of equally exciting ones, those with the smaller index come first.
        classes: How many classes there are.
        numbers: Which of the images are shown, one after the other; by default all.

    Returns:
        By the name of the part. A part that some of the images do not pass is left out.
    """
    numbers = range(len(split)) if numbers is None else numbers
    part = slice(numbers.start, numbers.stop)
    some = replace(split, images=split.images[part], labels=split.labels[part])
    found: dict[str, Excitation] | None = None
    seen = numbers.start
    for images, labels in some.batches(
        _ON_CPU if split.device.type == "cpu" else evaluation_batch(split.device)
    ):
        batch = {
            name: _excitation(response, labels, classes, seen)
            for name, response in trace(model, images, _respond).kept.items()
            if response is not None
        }
        found = batch if found is None else all_merged(found, batch)
        seen += len(labels)
    return found or {}


def _respond(output: Tensor) -> _Response | None:
    """Return how strongly images excite the channels of an output; `None` if it has none."""
    shape = tuple(output.shape[1:])
    if len(shape) not in (1, 3) or not output.numel():
        return None
    values = output.detach().abs() if output.is_complex() else output.detach()
    values = values.float()
    if len(shape) == 1:
        # A later operation may write into the tensor itself.
        return _Response(shape, values.clone(), torch.zeros_like(values, dtype=torch.int64))
    flat = values.flatten(2)
    largest, units = flat.max(dim=2)
    if flat.shape[2] > 1:
        units = units.masked_fill(flat.amin(dim=2) == largest, -1)
    return _Response(shape, largest, units)


def _excitation(response: _Response, labels: Tensor, classes: int, start: int) -> Excitation:
    """Return what excites the channels of a part among some images, the first numbered `start`."""
    values, known = response.values, response.values.isfinite()
    sums = torch.zeros(classes, values.shape[1], dtype=torch.float64, device=values.device)
    counts = sums.index_add(0, labels, known.double())
    # About one of the values, so that a channel that never changes has no variance by rounding.
    origin = values[0].double().nan_to_num(posinf=0, neginf=0)
    moved = (values - origin).masked_fill(~known, 0)
    means = sums.index_add(0, labels, moved) / counts  # NaN where there are no images
    apart = (moved - means[labels]).masked_fill(~known, 0)
    stds = (sums.index_add(0, labels, apart**2) / counts).sqrt()
    return Excitation(
        shape=response.shape,
        most=_ranked(response, known, start, -1),
        least=_ranked(response, known, start, 1),
        counts=counts.long().cpu().numpy(),
        means=(means + origin).cpu().numpy(),
        stds=stds.cpu().numpy(),
    )


def _ranked(response: _Response, known: Tensor, start: int, sign: int) -> Ranked:
    """Rank images by `sign` times their values, the smallest first."""
    ranks = (sign * response.values).masked_fill(~known, torch.inf)
    ranks, order = ranks.sort(dim=0, stable=True)
    images = (order + start).masked_fill(ranks.isinf(), -1)[:MOST]
    tied = ((ranks == ranks[0]) & ranks[0].isfinite()).sum(dim=0)
    return Ranked(
        images=images.cpu().numpy(),
        values=response.values.gather(0, order[:MOST]).cpu().numpy(),
        units=response.units.gather(0, order[:MOST]).cpu().numpy(),
        tied=tied.cpu().numpy(),
    )
