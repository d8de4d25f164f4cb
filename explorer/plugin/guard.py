"""Puts back what a plugin changes in the process that loads it, and says what that was.

Plugins share a process while they are loaded: torch's default dtype, the working directory, a
function of torch that one of them replaces are those of all. What is read here is read again after
the plugin, and what differs is set back.
"""

import builtins
import contextlib
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional
import torch.nn.modules.module
from torch import nn
from torch.utils._device import DeviceContext

from explorer.language import later

# Where a function that a plugin replaces is replaced for everyone.
_MODULES = (builtins, torch, nn, nn.functional, nn.init, torch.optim, torch.autograd)
_CLASSES = {
    f"{each.__module__}.{each.__qualname__}": each
    for each in (torch.Tensor, *vars(nn).values(), *vars(torch.optim).values())
    if isinstance(each, type) and each.__module__.startswith("torch")
}
_SHARED: tuple[ModuleType | type, ...] = (*_MODULES, *_CLASSES.values())
# What Python itself keeps there.
_NOT_FUNCTIONS = {"__warningregistry__", "__builtins__", "__annotations__", "__slotnames__"}
_TORCH = str(Path(torch.__file__).parent)


@contextlib.contextmanager
def guarded(changed: list[str]) -> Iterator[None]:
    """Put back what the block changed, however it ends.

    Args:
        changed: Receives what that was, in a few words each, in English.
    """
    before = {what: read() for what, (read, _) in _STATES.items()}
    functions = [dict(vars(shared)) for shared in _SHARED]
    try:
        yield
    finally:
        for what, (read, write) in _STATES.items():
            with contextlib.suppress(Exception):
                if not _same(read(), before[what]):
                    write(before[what])
                    if what not in _QUIETLY:
                        changed.append(what)
        for shared, own in zip(_SHARED, functions, strict=True):
            changed += _put_back(shared, own)


def _put_back(shared: ModuleType | type, before: dict[str, Any]) -> Iterator[str]:
    """Set what was replaced in a module or a class to what it was, and yield the names."""
    now = vars(shared)
    for name, value in before.items():
        new = now.get(name)
        if new is value or name in _NOT_FUNCTIONS or _is_torchs(new, value):
            continue
        with contextlib.suppress(AttributeError, TypeError):
            setattr(shared, name, value)
            yield _name(shared, name)
    # A class inherits some methods, as a tensor most of its own; what hides these is taken away.
    bases = shared.__mro__[1:] if isinstance(shared, type) else ()
    for name in now.keys() - before.keys() - _NOT_FUNCTIONS:
        if any(name in vars(base) for base in bases) and not _is_torchs(now[name]):
            delattr(shared, name)
            yield _name(shared, name)


def _name(shared: ModuleType | type, name: str) -> str:
    home = f"{shared.__module__}.{shared.__qualname__}" if isinstance(shared, type) else None
    return f"{home or shared.__name__}.{name}"


def _is_torchs(value: Any, before: Any = None) -> bool:
    """Return whether torch itself put it there, which wraps some functions at their first use.

    Args:
        value: What is there now.
        before: What it has to be wrapped around, if it replaces something.
    """
    code = getattr(value, "__code__", None)
    if code is None or not code.co_filename.startswith(_TORCH):
        return False
    with contextlib.suppress(ValueError):  # a cell that is empty
        around = [cell.cell_contents for cell in value.__closure__ or ()]
        return before is None or any(each is before for each in around)
    return False


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return bool(one == other)


def _path() -> tuple[list[str], list[str]]:
    """Return the folders of modules, but for those that setuptools adds when it is imported."""
    return sys.path, [folder for folder in sys.path if not folder.endswith(_VENDORED)]


def _write_path(value: tuple[list[str], list[str]]) -> None:
    vendored = [folder for folder in sys.path if folder.endswith(_VENDORED)]
    sys.path, before = value  # the list itself, since others hold it
    sys.path[:] = [*before, *vendored]


_VENDORED = os.path.join("setuptools", "_vendor")


def _recursion_limit() -> int:
    """Return the limit, or the usual one where it is torch's compiler that has raised it."""
    limit = sys.getrecursionlimit()
    return 1000 if limit == 2000 and "torch._inductor.compile_fx" in sys.modules else limit


def _hooks() -> list[dict[Any, Any]]:
    return [dict(each) for each in _HOOKS]


def _write_hooks(value: list[dict[Any, Any]]) -> None:
    for each, own in zip(_HOOKS, value, strict=True):
        each.clear()
        each.update(own)


_HOOKS = [
    each
    for name, each in vars(torch.nn.modules.module).items()
    if name.startswith("_global_") and isinstance(each, dict)
]


def _write_environment(value: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(value)


def _directory() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _signals() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _write_signals(value: dict[int, Any]) -> None:
    for number, handler in value.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _write_streams(value: tuple[Any, Any]) -> None:
    sys.stdout, sys.stderr = value


def _write_filters(value: list[Any]) -> None:
    warnings.filters[:] = value  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _default_device() -> torch.device:
    return torch.get_default_device()


def _write_default_device(value: torch.device) -> None:
    torch.set_default_device(None if value.type == "cpu" else value)


def _numpys() -> tuple[Any, ...] | None:
    if (numpy := sys.modules.get("numpy.random")) is None:
        return None
    name, keys, *rest = numpy.get_state()
    return name, tuple(keys), *rest


def _write_numpys(value: tuple[Any, ...] | None) -> None:
    if value:  # else the plugin was the first to import it
        sys.modules["numpy.random"].set_state(value)


def _grad_mode() -> tuple[bool, bool]:
    return torch.is_inference_mode_enabled(), torch.is_grad_enabled()


def _write_grad_mode(value: tuple[bool, bool]) -> None:
    is_inference, is_on = value
    if torch.is_inference_mode_enabled() != is_inference:
        # It can be left only by who entered it; another one inside it hides it.
        _ENTERED.append(torch.inference_mode(is_inference))  # it is left when it is forgotten
        _ENTERED[-1].__enter__()
    torch.set_grad_enabled(is_on)


_ENTERED: list[torch.inference_mode] = []


def _write_function_modes(number: int) -> None:
    while _function_modes() > number:
        torch.overrides._pop_mode()


def _function_modes() -> int:
    """Return how many modes see each function of torch, but for that of the default device."""
    modes = torch.overrides._get_current_function_mode_stack()
    return sum(not isinstance(mode, DeviceContext) for mode in modes)


def _kernels() -> dict[str, bool]:
    return {f"{name}.{flag}": getattr(getattr(torch.backends, name), flag) for name, flag in _FLAGS}


def _write_kernels(value: dict[str, bool]) -> None:
    for name, flag in _FLAGS:
        setattr(getattr(torch.backends, name), flag, value[f"{name}.{flag}"])


_FLAGS = [("cudnn", "enabled"), ("cudnn", "benchmark"), ("cudnn", "deterministic")]
_FLAGS += [("mkldnn", "enabled")]


def _autocast() -> tuple[bool, int]:
    """Return whether it is on, and how many blocks of it are open."""
    torch.autocast_increment_nesting()
    return torch.is_autocast_enabled("cpu"), torch.autocast_decrement_nesting()


def _write_autocast(value: tuple[bool, int]) -> None:
    is_on, depth = value
    torch.set_autocast_enabled("cpu", is_on)
    while _autocast()[1] > depth:
        # At the end of the outermost block it forgets the weights that it has cast.
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()


# In a few words, what is read and how it is set back.
_STATES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    later("torch's default dtype"): (torch.get_default_dtype, torch.set_default_dtype),
    later("torch's default device"): (_default_device, _write_default_device),
    later("torch's function modes"): (_function_modes, _write_function_modes),
    later("torch's autocast"): (_autocast, _write_autocast),
    later("torch's precision of products"): (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    later("torch's choice of kernels"): (_kernels, _write_kernels),
    later("torch's grad mode"): (_grad_mode, _write_grad_mode),
    later("torch's number of threads"): (torch.get_num_threads, torch.set_num_threads),
    later("torch's deterministic mode"): (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    later("torch's anomaly detection"): (
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    ),
    "torch's random numbers": (torch.get_rng_state, torch.set_rng_state),
    "Python's random numbers": (random.getstate, random.setstate),
    "NumPy's random numbers": (_numpys, _write_numpys),
    later("torch's hooks of all modules"): (_hooks, _write_hooks),
    "sys.path": (_path, _write_path),
    later("the recursion limit"): (_recursion_limit, sys.setrecursionlimit),
    later("the working directory"): (_directory, os.chdir),
    "the environment": (lambda: dict(os.environ), _write_environment),
    later("signal handlers"): (_signals, _write_signals),
    later("sys.stdout or sys.stderr"): (lambda: (sys.stdout, sys.stderr), _write_streams),
    "the filters of warnings": (lambda: list(warnings.filters), _write_filters),
    "sys.excepthook": (lambda: sys.excepthook, lambda hook: setattr(sys, "excepthook", hook)),
}
# Many libraries do so when they are imported, and networks draw random numbers when they are built.
_QUIETLY = {
    *(f"{whose} random numbers" for whose in ("torch's", "Python's", "NumPy's")),
    "the filters of warnings",
    "the environment",
}
