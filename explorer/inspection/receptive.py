"""Receptive fields: which pixels of the image can influence a unit of a feature map.

They are measured, not derived from kernel sizes: for each row of a blank image, one copy of it
holds NaN in that row, and a unit that becomes NaN sees the row. Sums, products, pooling and
normalisation keep a NaN, so this works for any network built of them, however it is wired.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from explorer.inspection.fields import NOTHING, Extent, ReceptiveField, Span
from explorer.inspection.outline import real_type
from explorer.inspection.tracing import trace, twin

TOGETHER = 31  # images that run at once; a number that no side of a map is likely to have
TRIALS = 3  # of random images
ROUNDING = 1e-5  # relative to the largest value of an output

_log = logging.getLogger(__name__)


def receptive_fields(model: nn.Module, image: tuple[int, int, int]) -> Mapping[str, ReceptiveField]:
    """Measure the receptive field of each part, by name.

    A network may refuse a NaN, or lose it, as `torch.where(x > 0, x, 0)` does. There random rows
    and columns of random images are changed as well: what changes with them sees them. What sees
    more than the NaN showed sees at least that.

    Args:
        model: Unchanged afterwards.
        image: The shape `(C, H, W)` of an image.

    Returns:
        By the name of the part; empty if the network refuses such images.
    """
    found: dict[str, Tensor] = {}
    changed: dict[str, Tensor] = {}
    try:
        # In the plain layout, where a convolution reads no pixel outside of its kernel.
        model = twin(model)
        found = _reached(model, poisoned(image), _seen)
    except Exception:  # a forward may check its input
        _log.info("%s takes no NaN", type(model).__name__, exc_info=True)
    try:
        if not found or not all(reached.any(dim=0).all() for reached in found.values()):
            changed = _changed(model, image)
    except Exception:
        _log.info("No receptive fields of %s", type(model).__name__, exc_info=True)
    fields = {name: _field(reached, image) for name, reached in found.items()}
    for name, reached in changed.items():
        both = reached | found[name] if name in found else reached
        if name not in found or not torch.equal(both, found[name]):
            fields[name] = _field(both, image, is_least=True)
    return {name: field for name, field in fields.items() if field}


def _reached(
    model: nn.Module,
    images: Tensor,
    seen: Callable[[Tensor], Tensor],
    first: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return by name what `seen` makes of the output of each part for all images.

    Args:
        model: In the plain layout.
        images: For each row and then for each column.
        seen: Called with the output for a few of the images.
        first: An image that comes before them, each time.
    """
    dtype = real_type(model)
    found: dict[str, list[Tensor]] = defaultdict(list)
    for some in images.to(dtype).split(TOGETHER):
        batch = some if first is None else torch.cat([first.to(dtype), some])
        for name, reached in trace(model, batch, seen).kept.items():
            found[name].append(reached)
    return {name: torch.cat(reached) for name, reached in found.items()}


def _changed(model: nn.Module, shape: tuple[int, int, int]) -> dict[str, Tensor]:
    """Return by name what changed in the output of each part with each row and each column."""
    generator = torch.Generator().manual_seed(0)
    rows_and_columns = poisoned(shape).isnan()
    found: dict[str, Tensor] = {}
    for _ in range(TRIALS):
        first, other = (2 * torch.randn(1, *shape, generator=generator) for _ in range(2))
        images = torch.where(rows_and_columns, other, first)
        for name, reached in _reached(model, images, _differs, first).items():
            found[name] = found[name] | reached if name in found else reached
    return found


def poisoned(shape: tuple[int, int, int]) -> Tensor:
    """Return an image `(C, H, W)` for each row and then for each column: NaN there, 0 elsewhere."""
    channels, height, width = shape
    images = torch.zeros(height + width, channels, height, width)
    for row in range(height):
        images[row, :, row, :] = torch.nan
    for column in range(width):
        images[height + column, :, :, column] = torch.nan
    return images


def receptive_field(output: Tensor, shape: tuple[int, int, int]) -> ReceptiveField | None:
    """Return the receptive field of what some map made of `poisoned(shape)`."""
    return _field(_seen(output), shape)


def _seen(output: Tensor) -> Tensor:
    """Return where an output is NaN, `(N, units down, units across)`."""
    return _any_channel(output.isnan())


def _differs(output: Tensor) -> Tensor:
    """Return where outputs differ from the first one, `(N - 1, units down, units across)`."""
    tolerance = ROUNDING * output.abs().max()
    return _any_channel((output[1:] - output[:1]).abs() > tolerance)


def _any_channel(reached: Tensor) -> Tensor:
    """Return `(N, units down, units across)`: 1 by 1 of what has no units side by side."""
    if reached.ndim != 4:
        return reached.flatten(1).any(dim=1)[:, None, None]
    return reached.any(dim=1)


def _field(
    reached: Tensor, shape: tuple[int, int, int], *, is_least: bool = False
) -> ReceptiveField | None:
    """Return the receptive field of units, from where each row and each column reached them."""
    _, height, width = shape
    if len(reached) != height + width:
        return None
    rows, columns = reached[:height].any(dim=2), reached[height:].any(dim=1)
    return ReceptiveField(_extent(rows), _extent(columns), is_least)


def _extent(reached: Tensor) -> Extent:
    """The extent of the units, from `(pixels, units)` booleans."""
    pixels = len(reached)
    return Extent(tuple(_span(column) for column in reached.T.tolist()), pixels)


def _span(sees: Sequence[bool]) -> Span:
    seen = [pixel for pixel, sees_it in enumerate(sees) if sees_it]
    return (seen[0], seen[-1]) if seen else NOTHING
