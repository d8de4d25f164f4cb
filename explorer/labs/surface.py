"""The loss around a trained network, in the plane in which its training moved most.

After Hao Li et al., "Visualizing the Loss Landscape of Neural Nets", arXiv:1712.09913: directions
are scaled filter by filter to the size of the network's own filters (section 4), so that surfaces
of different networks can be compared, and the plane is that of the first two principal components
of the training's path (section 7). Batch normalisation takes its statistics from the images that
are scored, as in training, since kept ones would belong to other weights.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.data.loader import Split
from explorer.outputs import first_output

if TYPE_CHECKING:
    from explorer.labs.measures import Subject

IMAGES = 500  # training images whose loss is measured
POINTS = 25  # of each axis
REACH = 1.0  # of the plane to each side, in sizes of the network's filters

Weights = dict[str, Tensor]


def surface(subject: "Subject") -> dict[str, Any]:
    """Measure the surface around a recorded network, and its training's path on it."""
    run = subject.run
    path: list[Weights] = [
        dict(subject.after(epoch.epoch).named_parameters()) for epoch in run.epochs
    ]
    split = subject.data.train.subset(run.spec.recipe.train_size).first(IMAGES)
    return around(subject.model, split, path)


def around(
    model: nn.Module, split: Split, path: Sequence[Weights], points: int = POINTS
) -> dict[str, Any]:
    """Measure the loss around a network in the plane in which its training moved most.

    Args:
        model: The network at the end of its training; it is unchanged afterwards.
        split: The images whose loss is measured.
        path: The parameters after each epoch, the last ones being the network's.
        points: How many values are measured along each axis.

    Returns:
        What `plane` returns, and `path`, the places of the epochs, `(x, y)`.

    Raises:
        ValueError: The path has fewer than two epochs.
    """
    end = _copy(model)
    first, second = (normalised(direction, end) for direction in _components(path, end))
    places = [_project(weights, end, first, second) for weights in path]
    return {**plane(model, split, first, second, points), "path": places}


def random_plane(model: nn.Module, split: Split, points: int, seed: int) -> dict[str, Any]:
    """Measure the loss around a network in a random plane; the arguments are those of `plane`."""
    end, generator = _copy(model), torch.Generator().manual_seed(seed)
    first, second = (
        normalised(
            {n: torch.randn(v.shape, generator=generator).to(v) for n, v in end.items()}, end
        )
        for _ in range(2)
    )
    return plane(model, split, first, second, points)


def plane(
    model: nn.Module, split: Split, first: Weights, second: Weights, points: int
) -> dict[str, Any]:
    """Measure the loss on a plane through a network's parameters.

    Args:
        model: The network; it is unchanged afterwards.
        split: The images whose loss is measured.
        first: The direction of the x axis.
        second: That of the y axis.
        points: How many values are measured along each axis.

    Returns:
        `at`, the places along both axes; `loss`, in rows, the mean cross-entropy in nats.
    """
    end, at = _copy(model), torch.linspace(-REACH, REACH, points).tolist()
    loss = []
    with _scoring(model), torch.no_grad():
        for y in at:
            row = []
            for x in at:
                _place(model, end, first, second, x, y)
                row.append(round(_loss(model, split), 4))
            loss.append(row)
        _place(model, end, first, second, 0.0, 0.0)
    return {"at": at, "loss": loss}


def normalised(direction: Weights, like: Weights) -> Weights:
    """Scale a direction filter by filter to the norms of a network's filters (section 4, eq. 1).

    What has one dimension, biases and the parameters of batch normalisation, stays where it is.
    """
    scaled = {}
    for name, value in direction.items():
        if value.dim() < 2:
            scaled[name] = torch.zeros_like(value)
            continue
        own, wanted = (each.flatten(1).norm(dim=1) for each in (value, like[name]))
        scale = wanted / own.clamp_min(1e-12)
        scaled[name] = value * scale.view(-1, *[1] * (value.dim() - 1))
    return scaled


def _copy(model: nn.Module) -> Weights:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def _components(path: Sequence[Weights], end: Weights) -> tuple[Weights, Weights]:
    """Return the two directions along which the path is longest."""
    names = [name for name, value in end.items() if value.dim() > 1]
    rows = torch.stack(
        [torch.cat([(weights[n].detach() - end[n]).flatten() for n in names]) for weights in path]
    )
    _, _, components = torch.linalg.svd(rows, full_matrices=False)
    if len(components) < 2:
        raise ValueError("A path of two epochs or more is needed.")

    def unpacked(vector: Tensor) -> Weights:
        parts = vector.split([end[name].numel() for name in names])
        own = {name: part.view_as(end[name]) for name, part in zip(names, parts, strict=True)}
        return {name: own.get(name, torch.zeros_like(value)) for name, value in end.items()}

    return unpacked(components[0]), unpacked(components[1])


def _project(
    weights: Weights, end: Weights, first: Weights, second: Weights
) -> tuple[float, float]:
    """Return where in the plane weights are, or the point of the plane nearest to them."""
    target = torch.cat([(weights[name].detach() - end[name]).flatten() for name in end])
    plane = torch.stack(
        [torch.cat([direction[name].flatten() for name in end]) for direction in (first, second)],
        dim=1,
    )
    x, y = torch.linalg.lstsq(plane, target[:, None]).solution.flatten().tolist()
    return round(x, 4), round(y, 4)


def _place(
    model: nn.Module, end: Weights, first: Weights, second: Weights, x: float, y: float
) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(end[name] + x * first[name] + y * second[name])


def _loss(model: nn.Module, split: Split) -> float:
    images, labels = split.normalise(split.images), split.labels
    return float(F.cross_entropy(first_output(model(images)).float(), labels))


@contextmanager
def _scoring(model: nn.Module) -> Iterator[None]:
    """Let batch normalisation use the images' own statistics and keep none, and nothing else."""
    was_training = model.training
    norms = [each for each in model.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    before = [norm.track_running_stats for norm in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.track_running_stats = False
    try:
        yield
    finally:
        model.train(was_training)
        for norm, tracks in zip(norms, before, strict=True):
            norm.track_running_stats = tracks
