"""Counts multiply-adds while a network runs, operation by operation, wherever they are written."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class MacCounter(TorchDispatchMode):
    """Counts the multiply-adds of the tensor operations that run within it.

    The formulas are those of `torch.utils.flop_counter`, which count two operations for each
    multiply-add, and `FORMULAS` for what that lacks. An operation without a formula counts as what
    it is made of, or as nothing. `FlopCounterMode` itself would also assign them to modules, and
    fails where a module is called on a parameter.

    Attributes:
        total: The multiply-adds so far, for all images together.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one operation, and count it."""
        kwargs = kwargs or {}
        operation = func.overloadpacket if isinstance(func, OpOverload) else func
        if own := FORMULAS.get(operation):
            self.total += own(*args)
            return func(*args, **kwargs)
        formula = flop_registry.get(operation)
        if formula is None and isinstance(func, OpOverload):
            with self:
                output = func.decompose(*args, **kwargs)
            if output is not NotImplemented:
                return output
        output = func(*args, **kwargs)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=output) // 2
        return output


def _matrix_vector(*tensors: Any) -> int:
    """A matrix `(n, m)` times a vector, perhaps added to another one."""
    return max(int(t.numel()) for t in tensors if isinstance(t, Tensor))


def _batches_summed(_: Tensor, one: Tensor, other: Tensor, *__: Any) -> int:
    """Matrices `(b, n, m)` times matrices `(b, m, p)`, summed over b."""
    return int(one.numel() * other.shape[2])


def _trilinear(*args: Any) -> int:
    """Three tensors, each expanded along some sides, multiplied and summed (`nn.Bilinear`)."""
    shapes = []
    for tensor, sides in zip(args[:3], args[3:6], strict=True):
        shape = list(tensor.shape)
        for side in sides:
            shape.insert(side, 1)
        shapes.append(shape)
    return prod(tuple(torch.broadcast_shapes(*shapes)))


def _distances(one: Tensor, other: Tensor, *_: Any) -> int:
    """The distances of each of `(…, n, m)` to each of `(…, p, m)`."""
    return int(one.numel() * other.shape[-2])


def _recurrent(steps: Tensor, *weights: Any) -> int:
    """One layer of a recurrent network, whose weights are used once for each step."""
    found = weights[0] if isinstance(weights[0], list | tuple) else weights[:2]
    matrices = [weight for weight in found if weight.ndim == 2]
    return int(steps.shape[0] * steps.shape[1] * sum(weight.numel() for weight in matrices))


_aten = torch.ops.aten
FORMULAS: Mapping[Any, Callable[..., int]] = {
    _aten.mv: _matrix_vector,
    _aten.addmv: _matrix_vector,
    _aten.dot: _matrix_vector,
    _aten.vdot: _matrix_vector,
    _aten.addbmm: _batches_summed,
    _aten._trilinear: _trilinear,
    _aten._cdist_forward: _distances,
    _aten._euclidean_dist: _distances,
    _aten.mkldnn_rnn_layer: _recurrent,
    _aten._cudnn_rnn: _recurrent,
}
