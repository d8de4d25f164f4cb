"""Prepares a process: its memory, its threads, its place among others."""

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

# glibc's numbers of its settings (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENAS = -1, -3, -8
_LARGEST_MMAP_THRESHOLD = 32 * 2**20  # bytes; more is refused
_CONTAINER = Path("/sys/fs/cgroup")
_QUOTAS: tuple[tuple[Path, Path | None], ...] = (  # microseconds, and in how many of them
    (_CONTAINER / "cpu.max", None),
    (_CONTAINER / "cpu/cpu.cfs_quota_us", _CONTAINER / "cpu/cpu.cfs_period_us"),
)
_OWN = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"}  # the user's own settings


def prepare() -> None:
    """Make this process, and those it starts, fast at training; call it before torch is loaded.

    Its threads do not spin (`prepare_children`), and it keeps its memory: glibc returns the
    megabytes of a layer's activations to the system at each step and requests them again at the
    next, page by page. That is up to a quarter of a small network's step.
    """
    prepare_children()
    if not _OWN & os.environ.keys():
        _set_glibc({_MMAP_THRESHOLD: _LARGEST_MMAP_THRESHOLD, _TRIM_THRESHOLD: 2**31 - 1})


def prepare_children() -> None:
    """Set what processes that are started from here inherit: torch's threads do not spin there.

    GNU's OpenMP lets threads spin while they wait for others at the end of a parallel loop. Where
    one of these has lost its core to a page or a browser, the others spin for a whole time slice,
    each time: training beside a busy page would be ten times slower.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def prepare_server() -> None:
    """Keep this process small, whose many threads each do a little and end.

    glibc gives threads heaps of their own, sixteen on two cores, and each keeps what was freed in
    it beside what is used: a server that many visit would grow for hours.
    """
    if "MALLOC_ARENA_MAX" not in os.environ:
        _set_glibc({_ARENAS: 1})


def _set_glibc(settings: Mapping[int, int]) -> None:
    """Set how this process keeps memory, where its C library is glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        for setting, value in settings.items():
            mallopt(setting, value)


def give_back() -> None:
    """Return to the system the memory that is not used."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)


def give_way() -> None:
    """Let pages go first: this process waits where they want a core too."""
    with contextlib.suppress(psutil.Error, OSError):
        if sys.platform == "win32":
            psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            psutil.Process().nice(10)


def end_copy(own: int) -> None:
    """End this process if it is not `own` but a copy of it that an author's code made by `os.fork`.

    It would do the same work a second time, and load the plugin that makes copies again.
    """
    if os.getpid() != own:
        os._exit(0)


def processors() -> int:
    """Return how many processors this process may use: a container may have a part of them."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min([allowed, *map(round, _quotas())]))


def processor() -> str:
    """Return the name of the processor."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _quotas() -> Iterator[float]:
    """Yield the processors that a container's limits of time allow, of both kinds of Linux."""
    for quota_file, period_file in _QUOTAS:
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = quota_file.read_text().split()
            period = period_file.read_text() if period_file else words[1]
            if words[0] != "max" and float(words[0]) > 0:
                yield float(words[0]) / float(period)


def limit_memory(megabytes: int | None) -> None:
    """Refuse this process more memory than it has now and so much; on Linux only.

    What goes over it raises an error as on a machine whose memory is used up.
    """
    if megabytes is None or sys.platform != "linux":
        return
    import resource

    used = psutil.Process().memory_info().data
    most = used + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
