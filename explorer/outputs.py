"""What a network returns: its logits, alone or with other tensors after them."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor

from explorer.errors import ExplorerError
from explorer.language import say


class OutputError(ExplorerError, TypeError):
    """A network returned no tensor."""


def first_output(returned: object) -> Tensor:
    """Return the first tensor of what a network returns: its logits; auxiliary logits come after.

    Args:
        returned: A tensor; or a tuple, a list, a mapping or a dataclass that holds tensors, as
            networks with auxiliary classifiers return in training mode.

    Raises:
        OutputError: There is no tensor in it.
    """
    if isinstance(returned, Tensor):
        return returned
    for tensor in tensors_in(returned):
        return tensor
    raise OutputError(
        say(
            "The network returns {kind} without a tensor where logits are expected.",
            kind=type(returned).__name__,
        )
    )


def tensors_in(value: object) -> Iterator[Tensor]:
    """Yield the tensors in nested tuples, lists, mappings and dataclasses, in their order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _each(value.values())
    elif isinstance(value, tuple | list):
        yield from _each(value)
    elif dataclasses.is_dataclass(value):
        yield from _each(getattr(value, field.name) for field in dataclasses.fields(value))


def _each(values: Iterable[object]) -> Iterator[Tensor]:
    for value in values:
        yield from tensors_in(value)
