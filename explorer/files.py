"""Writes files in one piece: whoever reads one sees all of the old content or all of the new."""

import contextlib
import errno
import os
import uuid
from pathlib import Path


def write_whole(file: Path, content: bytes) -> None:
    """Write a file, or replace it, in one piece; if that fails, nothing has changed.

    Raises:
        OSError: It cannot be written.
    """
    part = file.with_name(f".{uuid.uuid4().hex[:12]}.part")
    try:
        part.write_bytes(content)
        os.replace(part, file)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def why_not_written(file: Path, error: OSError) -> str:
    """Say in a sentence why a file cannot be written, and what to do."""
    what = "name a file in an existing folder"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = "free some space, or name a file on another disk"
    return f"{file} cannot be written ({error.strerror}); {what}."
