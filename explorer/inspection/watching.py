"""Follows one run of a network: every layer that runs, every tensor operation between layers.

A `TorchFunctionMode` sees each operation, hooks see each module begin and end. The place of each is
known by four facts: the path of a module, which call of it this is, the name of the operation, and
its number among the operations of that name in this call. So what one run saw is found again in
another, which is all that an intervention needs.
"""

import contextlib
import copy
import functools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.branches import merge_named
from explorer.inspection.parts import Point
from explorer.outputs import tensors_in

# These pass on what they are given in another shape, layout or type, and are no nodes.
TRANSPARENT = frozenset(
    """
    alias adjoint as_strided as_tensor atleast_1d atleast_2d atleast_3d bfloat16 broadcast_to chunk
    clone contiguous cpu cuda detach diagonal double dsplit expand expand_as flatten float get half
    hsplit moveaxis movedim narrow permute pin_memory positive ravel rename requires_grad reshape
    reshape_as resolve_conj resolve_neg select split split_with_sizes squeeze swapaxes swapdims t
    tensor_split to transpose type type_as unbind unflatten unfold unsafe_chunk unsafe_split
    unsqueeze view view_as view_as_complex view_as_real vsplit
    """.split()  # noqa: SIM905
)
# Modules that count as one layer although they have parts, or whose inside cannot be watched.
PARAMETRIZATIONS = "parametrizations"  # the child in which torch keeps what computes parameters
OPAQUE: tuple[type[nn.Module], ...] = (nn.MultiheadAttention, torch.jit.ScriptModule)


def is_layer(module: nn.Module) -> bool:
    """Tell whether a module is watched from outside only."""
    inner = [name for name, _ in module.named_children() if name != PARAMETRIZATIONS]
    return not inner or isinstance(module, OPAQUE)


def merges_itself(module: nn.Module, args: Any, kwargs: Any) -> bool:
    """Tell whether a module without parts is watched from inside, since it merges what it is given.

    Such as a `Concat` that somebody wrote. Those of torch count as one operation.
    """
    written_here = not type(module).__module__.startswith("torch.")
    return written_here and len(list(islice(tensors_in((args, kwargs)), 2))) > 1


def with_tensors(value: Any, replaced: Mapping[int, Tensor], start: int = 0) -> tuple[Any, int]:
    """Return `value` with some of its tensors replaced, counted as `tensors_in` does.

    Returns:
        The new value, and the number of the tensor that comes next.
    """
    if isinstance(value, Tensor):
        return replaced.get(start, value), start + 1
    if isinstance(value, Mapping):
        made: dict[Any, Any] = {}
        for key, inner in value.items():
            made[key], start = with_tensors(inner, replaced, start)
        build: Any = type(value)
        return build(made), start
    if isinstance(value, tuple | list):
        items = []
        for inner in value:
            item, start = with_tensors(inner, replaced, start)
            items.append(item)
        if hasattr(value, "_fields"):  # a named tuple
            return type(value)(*items), start
        return type(value)(items), start
    if is_dataclass(value) and not isinstance(value, type):
        copied = copy.copy(value)
        for each in fields(value):
            inner, start = with_tensors(getattr(value, each.name), replaced, start)
            object.__setattr__(copied, each.name, inner)
        return copied, start
    return value, start


@dataclass(slots=True)
class Running:
    """A module that is running."""

    path: str
    call: int
    module: nn.Module
    is_layer: bool
    operations: Counter[str] = field(default_factory=Counter)


class Watch(TorchFunctionMode):
    """Follows a run and knows where it is; what is done there, those say who derive from it.

    `operation`, `before_layer` and `after_layer` may look at and replace what goes in and comes
    out.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model
        self._calls: Counter[str] = Counter()
        self._running: list[Running] = []
        self._within = 0  # how many modules run within a layer; what they do is the layer's

    def run_begins(self) -> None:
        """The network itself begins to run."""

    def run_ends(self) -> None:
        """The network itself has run."""

    def operation(self, point: Point, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run an operation between layers."""
        return run(func, args, kwargs)

    def named(self, outputs: Sequence[Tensor], names: Sequence[str]) -> None:
        """A `Branches` is about to merge these outputs, which have these names."""

    def module_begins(self, path: str, is_layer: bool) -> None:
        """A module begins, and whether it is watched from outside only."""

    def before_layer(self, point: Point, module: nn.Module, args: Any, kwargs: Any) -> Any:
        """A layer begins; return other arguments as a pair, or nothing."""

    def after_layer(
        self, point: Point, module: nn.Module, args: Any, kwargs: Any, output: Any
    ) -> Any:
        """A layer has ended; return another output, or nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self._running or self._running[-1].is_layer:
            return run(func, args, kwargs)
        if func is merge_named:
            merge, outputs, names = args
            self.named(outputs, names)
            with self:  # the merge is made of operations as any other
                return merge(outputs)
        here = self._running[-1]
        name = operation_name(func)
        here.operations[name] += 1
        point = Point(here.path, here.call, name, here.operations[name])
        return self.operation(point, func, args, kwargs)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch until the block is left; no hook outlives it, not even after an exception."""
        with contextlib.ExitStack() as hooks, _slow_paths():
            for path, module in self._model.named_modules():
                if isinstance(module, torch.jit.ScriptModule):  # takes no hooks
                    hooks.enter_context(self._script(path, module))
                    continue
                begin = module.register_forward_pre_hook(self._begin(path), with_kwargs=True)
                hooks.callback(begin.remove)
                # Also where it raises: the author's code, or whoever runs it, may go on.
                end = module.register_forward_hook(
                    self._end(path), with_kwargs=True, always_call=True
                )
                hooks.callback(end.remove)
            with self:
                yield
            self._running.clear()

    @contextlib.contextmanager
    def _script(self, path: str, module: nn.Module) -> Iterator[None]:
        """Watch a scripted module by the hooks that all modules share."""
        if path and isinstance(self._parent(path), torch.jit.ScriptModule):
            yield  # its own script runs it
            return
        begin, end = self._begin(path), self._end(path)

        def begins(ran: nn.Module, args: Any) -> None:
            if ran is module:
                begin(ran, args, {})

        def ends(ran: nn.Module, args: Any, output: Any) -> Any:
            return end(ran, args, {}, output) if ran is module else None

        hooks = torch.nn.modules.module
        with contextlib.ExitStack() as undo:
            undo.callback(hooks.register_module_forward_pre_hook(begins).remove)
            undo.callback(hooks.register_module_forward_hook(ends).remove)
            yield

    def _parent(self, path: str) -> nn.Module:
        modules: dict[str, nn.Module] = dict(self._model.named_modules())
        return modules[path.rpartition(".")[0]]

    def _begin(self, path: str) -> Callable[..., Any]:
        @unseen
        def begin(module: nn.Module, args: Any, kwargs: Any) -> Any:
            if self._running and self._running[-1].is_layer:
                self._within += 1
                return None
            if not self._running:
                self._calls.clear()
                self.run_begins()
            self._calls[path] += 1
            whole = is_layer(module) and not merges_itself(module, args, kwargs)
            running = Running(path, self._calls[path], module, whole)
            self._running.append(running)
            self.module_begins(path, whole)
            if not whole:
                return None
            return self.before_layer(Point(path, running.call), module, args, kwargs)

        return begin

    def _end(self, path: str) -> Callable[..., Any]:
        @unseen
        def end(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
            if self._within:
                self._within -= 1
                return None
            running = self._running.pop()
            changed = None
            if output is None:  # it raised, or gives nothing
                return None
            if running.is_layer:
                changed = self.after_layer(Point(path, running.call), module, args, kwargs, output)
            if not self._running:
                self.run_ends()
            return changed

        return end


def run(func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Run an operation as it was called; what it raises is its caller's error, not ours."""
    return func(*args, **kwargs)


def unseen(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose own operations are not taken for those of the network."""

    @functools.wraps(function)
    def hidden(*args: Any) -> Any:
        with torch._C.DisableTorchFunction():
            return function(*args)

    return hidden


def write_count(tensor: Tensor) -> int:
    """Return how often the tensor's memory was written to; 0 where torch does not count it."""
    return 0 if tensor.is_inference() else tensor._version


def plain(tensor: Tensor) -> Tensor:
    """Return the tensor that holds the values of one within `torch.vmap`, or the tensor itself."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def operation_name(func: Any) -> str:
    """Return the plain name of a torch function: `add` for `x + y`, `x += y` and `torch.add`."""
    name = str(getattr(func, "__name__", type(func).__name__))
    if name.startswith("__") and name.endswith("__"):
        inner = name.strip("_")
        for letter in ("i", "r"):
            if inner.startswith(letter) and inner[1:] in _ARITHMETIC:
                return inner[1:]
        return inner
    return name.rstrip("_") if name.endswith("_") and not name.startswith("_") else name


_ARITHMETIC = {"add", "sub", "mul", "div", "truediv", "floordiv", "matmul", "pow", "mod"}
_ARITHMETIC |= {"and", "or", "xor", "lshift", "rshift"}


def author_frame(caller: CodeType) -> FrameType | None:
    """Return the innermost frame of the author's code; `None` if there is none above `caller`.

    Args:
        caller: The code of the function that runs the network.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not caller:
        if not frame.f_code.co_filename.startswith(_OURS):
            return frame
        frame = frame.f_back
    return None


_HERE, _TORCH = Path(__file__).parent, Path(torch.__file__).parent
_OURS = (f"{_TORCH}{os.sep}", f"{_HERE}{os.sep}", str(_HERE.parent / "branches.py"), "<")


@contextlib.contextmanager
def _slow_paths() -> Iterator[None]:
    """Keep torch from fusing whole layers of a transformer into one operation."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
