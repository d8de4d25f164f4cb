"""Prepares a process for training: it keeps its memory, and waiting threads do not spin."""

import ctypes
import os
import sys

# glibc's numbers of the two settings (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_MMAP_THRESHOLD = 32 * 2**20  # bytes; more is refused
_OWN = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"}  # the user's own settings


def prepare() -> None:
    """Make this process, and those it starts, fast at training; call it before torch is loaded.

    Waiting threads: GNU's OpenMP lets threads spin while they wait for others at the end of a
    parallel loop. Where one of these has lost its core to a page or a browser, the others spin for
    a whole time slice, each time: training beside a busy page would be ten times slower.

    Memory: glibc returns the megabytes of a layer's activations to the system at each step and
    requests them again at the next, page by page. That is up to a quarter of a small network's
    step, so glibc is set to keep them.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if sys.platform != "linux" or _OWN & os.environ.keys():
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt:
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
