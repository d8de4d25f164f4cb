"""What a child process prints: its beginning and its end, however much there is."""

import contextlib
import os
import threading

CHUNK = 2**16  # bytes that are read at once
DRAIN_SECONDS = 2.0  # that are waited for the last of it, once its process is gone


class Output:
    """The output of one process, read as it comes, so that the process never waits.

    Args:
        most: Bytes that are kept: half of them from its beginning, half from its end.
    """

    def __init__(self, most: int) -> None:
        self._ours, self.theirs = os.pipe()
        self._half = most // 2
        self._begun, self._ending, self._length = b"", b"", 0
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="output", daemon=True)
        self._reader.start()

    def close_ours(self) -> None:
        """Close this process's copy of the end into which the child prints."""
        os.close(self.theirs)

    @property
    def length(self) -> int:
        """How many bytes were printed so far."""
        return self._length

    def text(self, *, whole: bool = False) -> str:
        """Return what was printed so far; in place of what is not kept, a line that says so.

        Args:
            whole: Wait for the last of it. Its process has to be gone.
        """
        if whole:
            self._reader.join(DRAIN_SECONDS)
        with self._lock:
            begun, ending, length = self._begun, self._ending, self._length
        left_out = length - len(begun) - len(ending)
        gap = f"\n… {left_out:,} bytes are left out …\n".encode() if left_out else b""
        return (begun + gap + ending).decode(errors="replace")

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(self._ours, CHUNK):
                with self._lock:
                    self._length += len(chunk)
                    room = self._half - len(self._begun)
                    self._begun += chunk[:room]
                    self._ending = (self._ending + chunk[room:])[-self._half :]
        os.close(self._ours)
