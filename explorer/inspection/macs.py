"""Counts multiply-adds while a network runs, operation by operation, wherever they are written."""

from typing import Any

from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class MacCounter(TorchDispatchMode):
    """Counts the multiply-adds of the tensor operations that run within it.

    The formulas are those of `torch.utils.flop_counter`, which count two operations for each
    multiply-add. An operation without a formula counts as what it is made of, or as nothing.
    `FlopCounterMode` itself would also assign them to modules, and fails where a module is called
    on a parameter.

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
