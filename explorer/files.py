"""Writes files in one piece: whoever reads one sees all of the old content or all of the new."""

import contextlib
import errno
import os
import uuid
from pathlib import Path

from explorer.language import say


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
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return say(
            "{file} cannot be written ({reason}); free some space, or name a file on another disk.",
            file=file,
            reason=error.strerror,
        )
    return say(
        "{file} cannot be written ({reason}); name a file in an existing folder.",
        file=file,
        reason=error.strerror,
    )
