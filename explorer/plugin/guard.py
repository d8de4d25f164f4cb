"""Puts back what a plugin changes in the process that loads it, and says what that was.

Plugins share a process while they are loaded: torch's default dtype, the working directory, a
function of torch that one of them replaces are those of all. What is read here is read again after
the plugin, and what differs is set back.
"""

import builtins
import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional
from torch import nn

# Where a function that a plugin replaces is replaced for everyone.
_SHARED: tuple[ModuleType | type, ...] = (
    *(builtins, torch, nn, nn.functional, nn.init, torch.optim, torch.autograd),
    *(nn.Module, torch.Tensor),
)
_NOT_FUNCTIONS = {"__warningregistry__", "__builtins__"}


@contextlib.contextmanager
def guarded(changed: list[str]) -> Iterator[None]:
    """Put back what the block changed, however it ends.

    Args:
        changed: Receives what that was, in a few words each.
    """
    before = {what: read() for what, (read, _) in _STATES.items()}
    functions = [dict(vars(shared)) for shared in _SHARED]
    try:
        yield
    finally:
        for what, (read, write) in _STATES.items():
            with contextlib.suppress(Exception):
                if not _same(now := read(), before[what]):
                    write(before[what])
                    if what not in _QUIETLY and now is not None:
                        changed.append(what)
        for shared, own in zip(_SHARED, functions, strict=True):
            changed += _put_back(shared, own)


def _put_back(shared: ModuleType | type, before: dict[str, Any]) -> Iterator[str]:
    """Set what was replaced in a module or a class to what it was, and yield the names."""
    now = vars(shared)
    for name, value in before.items():
        new = now.get(name)
        if new is value or name in _NOT_FUNCTIONS or _is_torchs(new, name):
            continue
        with contextlib.suppress(AttributeError, TypeError):
            setattr(shared, name, value)
            yield (
                f"{shared.__module__}.{shared.__qualname__}.{name}"
                if isinstance(shared, type)
                else f"{shared.__name__}.{name}"
            )


def _is_torchs(value: Any, name: str) -> bool:
    """Return whether it is the same function, which torch itself wraps when it is first used."""
    home, own = getattr(value, "__module__", ""), getattr(value, "__name__", "")
    return own == name and str(home).startswith("torch")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return bool(one == other)


def _write_list(shared: list[Any]) -> Callable[[Any], None]:
    """Fill the list itself, since others hold it."""

    def write(value: Any) -> None:
        shared[:] = value

    return write


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


# In a few words, what is read and how it is set back.
_STATES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's default device": (_default_device, _write_default_device),
    "torch's grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "torch's deterministic mode": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "torch's anomaly detection": (
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    ),
    "torch's random numbers": (torch.get_rng_state, torch.set_rng_state),
    "sys.path": (lambda: list(sys.path), _write_list(sys.path)),
    "the recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "the working directory": (_directory, os.chdir),
    "the environment": (lambda: dict(os.environ), _write_environment),
    "signal handlers": (_signals, _write_signals),
    "sys.stdout or sys.stderr": (lambda: (sys.stdout, sys.stderr), _write_streams),
    "the filters of warnings": (lambda: list(warnings.filters), _write_filters),
    "sys.excepthook": (lambda: sys.excepthook, lambda hook: setattr(sys, "excepthook", hook)),
}
# Many libraries do so when they are imported, and networks draw random numbers when they are built.
_QUIETLY = {"torch's random numbers", "the filters of warnings", "the environment"}
