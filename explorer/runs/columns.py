"""Columns that hold the same in every database, whatever an address or a plugin passes.

SQLite checks no length and takes NUL in a text; PostgreSQL refuses both, and neither takes half of
a surrogate pair or an integer of more than 64 bits. What a database cannot hold is replaced in the
same way where it is written and where it is looked for, so it is found again or there is none.
"""

import hashlib
import re
from typing import Any

import sqlalchemy as sql

from explorer.language import english

_LARGEST = 2**63 - 1
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_HASH = 6  # characters of the hash in place of what is cut


class Words(sql.TypeDecorator[str]):
    """A text of any length, without NUL and lone surrogates; a sentence is kept in English."""

    impl = sql.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sql.Dialect) -> str | None:
        """Return the text with a replacement character for each that cannot be kept."""
        return None if value is None else _NO_TEXT.sub("\ufffd", english(value))


class Name(sql.TypeDecorator[str]):
    """A short text; of a longer one the beginning and a hash, so that different ones stay so.

    Args:
        length: The most characters.
    """

    impl = sql.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: sql.Dialect) -> str | None:
        """Return the text, cut if it is too long."""
        if value is None:
            return None
        if len(value) > self.length:
            rest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:_HASH]
            value = f"{value[: self.length - _HASH - 1]}…{rest}"
        return _NO_TEXT.sub("\ufffd", value)


class Whole(sql.TypeDecorator[int]):
    """An integer; of one beyond 64 bits, the nearest within."""

    impl = sql.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sql.Dialect) -> int | None:
        """Return the integer, clamped."""
        return None if value is None else max(-_LARGEST - 1, min(_LARGEST, value))
