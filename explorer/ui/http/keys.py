"""The key that signs cookies."""

import contextlib
import functools
import os
import secrets
from pathlib import Path

from explorer.language import say
from explorer.settings import SHORTEST_SECRET, Settings, SettingsError, data_folder

FILE = "secret-key"


def secret_key(settings: Settings) -> str:
    """Return the key of this app: the setting, or the one that was made when it was first needed.

    Raises:
        SettingsError: There is none, and none can be kept.
    """
    return settings.secret_key or _kept(data_folder() / FILE)


@functools.lru_cache
def _kept(file: Path) -> str:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            _make(file)
        key = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            say(
                "The key that signs cookies cannot be kept in {file} ({error}); set "
                "EXPLORER_SECRET_KEY to at least {least} random characters.",
                file=file,
                error=type(error).__name__,
                least=SHORTEST_SECRET,
            )
        ) from error
    if len(key) < SHORTEST_SECRET:
        raise SettingsError(
            say(
                "The key that signs cookies, in {file}, is damaged; delete the file, and another "
                "is made.",
                file=file,
            )
        )
    return key


def _make(file: Path) -> None:
    """Write a new key that only this user can read; of several processes, one does."""
    if file.exists():
        return
    whole = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    handle = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "w", encoding="ascii") as opened:
            opened.write(secrets.token_urlsafe(48) + "\n")
        os.link(whole, file)  # fails where another process was first; nobody reads half a key
    finally:
        whole.unlink()
