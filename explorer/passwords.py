"""Passwords: turned into a text from which they cannot be read back, and compared with it."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets

from explorer.errors import ExplorerError
from explorer.language import say

SHORTEST = 12  # characters
LONGEST = 1_000  # characters; more is only work for the server

# The cost of one guess: 32 MiB of memory, and a tenth of a second or two.
_N, _R, _P = 2**15, 8, 3
_SALT_BYTES, _HASH_BYTES = 16, 32
_MOST_MEMORY = 2**28  # bytes that a hash from the environment may demand

# No character of it has a meaning in a shell, in an .env file or in a compose file, as `$` has.
_FORM = re.compile(r"scrypt:(\d{1,8}):(\d{1,3}):(\d{1,3}):([\w-]{16,}):([\w-]{32,})", re.ASCII)


class PasswordError(ExplorerError, ValueError):
    """A password, or the hash of one, cannot be used; the message never repeats it."""


def hash_password(password: str) -> str:
    """Return a text that `matches` compares a password with, never the same one twice.

    Raises:
        PasswordError: The password is too short or too long.
    """
    if len(password) < SHORTEST:
        raise PasswordError(
            say(
                "The password has {number} characters; take at least {least}, such as four words.",
                number=len(password),
                least=SHORTEST,
            )
        )
    if len(password) > LONGEST:
        raise PasswordError(
            say("The password has over {most:,} characters; take a shorter one.", most=LONGEST)
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    made = _scrypt(password, salt, _N, _R, _P, _HASH_BYTES)
    return f"scrypt:{_N}:{_R}:{_P}:{_text(salt)}:{_text(made)}"


def matches(password: str, hashed: str) -> bool:
    """Return whether `hashed` was made from this password, in the same time for every answer.

    Raises:
        PasswordError: `hashed` is not what `hash_password` gives.
    """
    n, r, p, salt, made = _read(hashed)
    if len(password) > LONGEST:
        return False
    return hmac.compare_digest(_scrypt(password, salt, n, r, p, len(made)), made)


def demand_hash(hashed: str) -> str:
    """Return `hashed`, which is what `hash_password` gives.

    Raises:
        PasswordError: It is not.
    """
    _read(hashed)
    return hashed


def _read(hashed: str) -> tuple[int, int, int, bytes, bytes]:
    found = _FORM.fullmatch(hashed)
    if not found:
        raise PasswordError(
            say("It is no hash of a password; `explorer hash-password` prints the line to be used.")
        )
    n, r, p = map(int, found.groups()[:3])
    if n < 2 or n & (n - 1) or not r or not p or 128 * n * r * p > _MOST_MEMORY:
        raise PasswordError(
            say(
                "The numbers in the hash of the password are out of range; `explorer "
                "hash-password` prints the line to be used."
            )
        )
    try:
        return n, r, p, _bytes(found[4]), _bytes(found[5])
    except (binascii.Error, ValueError):
        raise PasswordError(
            say(
                "The hash of the password is cut off; `explorer hash-password` prints the line to "
                "be used."
            )
        ) from None


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int, size: int) -> bytes:
    # What a lone surrogate stands for cannot be typed; it must not end in a traceback.
    content = password.encode("utf-8", errors="surrogatepass")
    return hashlib.scrypt(content, salt=salt, n=n, r=r, p=p, maxmem=2 * _MOST_MEMORY, dklen=size)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
