"""Says what is wrong with the database of the runs, what to do, and whether it may pass.

SQLite and PostgreSQL number their errors; each number that a disk, a neighbour or an operator can
cause has its advice here.
"""

import logging
import re
import sqlite3
import time
from collections.abc import Callable, Mapping
from enum import Enum
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS
from typing import TypeVar

import sqlalchemy as sql

from explorer.errors import ExplorerError
from explorer.language import english, later, say
from explorer.settings import masked

PATIENCE = 300.0  # seconds that a training waits for its database
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

_ANOTHER = later("set EXPLORER_DATABASE_URL to another, such as sqlite:////home/me/runs.sqlite")


class StoreError(ExplorerError, RuntimeError):
    """The database cannot be used; the message names it, and says what to do.

    Attributes:
        may_pass: Whether it may be usable again without a change of the settings.
    """

    may_pass = False


class TakenError(StoreError):
    """There is a row of this key already."""


class _Fault(Enum):
    """What is wrong: what to do, in which `{another}` is `_ANOTHER`, and whether it may pass."""

    AWAY = (later("start its server, or mend the network between; then try again"), True)
    BUSY = (later("end the program that keeps it locked, or try again when that is done"), True)
    FULL = (later("make room on its disk"), True)
    DISK = (later("see that its disk has room and is in order"), True)
    MOVED = (
        later(
            "put that file back, or start the explorer again, which begins with what is there then"
        ),
        True,
    )
    READ_ONLY = (
        later("let the explorer's user write the file and its folder, or {another}"),
        False,
    )
    FORBIDDEN = (later("give the user that it names the right to do so, or {another}"), False)
    PASSWORD = (later("correct the user and the password in EXPLORER_DATABASE_URL"), False)
    MISSING = (later("create the database that it names, or {another}"), False)
    DAMAGED = (later("stop the explorer and restore a backup, or {another}"), False)
    TOO_LARGE = (later("train a network with fewer parameters"), False)
    NO_DRIVER = (later("install it by: pip install 'psycopg[binary]', or {another}"), False)
    OTHER = ("{another}", False)


_SQLITE: Mapping[int, _Fault] = {
    sqlite3.SQLITE_BUSY: _Fault.BUSY,
    sqlite3.SQLITE_LOCKED: _Fault.BUSY,
    sqlite3.SQLITE_PROTOCOL: _Fault.BUSY,
    sqlite3.SQLITE_FULL: _Fault.FULL,
    sqlite3.SQLITE_IOERR: _Fault.DISK,
    sqlite3.SQLITE_READONLY: _Fault.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _Fault.READ_ONLY,
    sqlite3.SQLITE_PERM: _Fault.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: _Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: _Fault.DAMAGED,
    sqlite3.SQLITE_TOOBIG: _Fault.TOO_LARGE,
}
# By SQLSTATE, or its first two characters: PostgreSQL's manual, appendix A.
_POSTGRESQL: Mapping[str, _Fault] = {
    **dict.fromkeys(("08", "57P01", "57P02", "57P03", "57P05", "53300"), _Fault.AWAY),
    **dict.fromkeys(("40", "55P03", "57014"), _Fault.BUSY),
    **dict.fromkeys(("53100", "53200"), _Fault.FULL),
    **dict.fromkeys(("25006", "42501"), _Fault.FORBIDDEN),
    **dict.fromkeys(("58", "XX001", "XX002"), _Fault.DAMAGED),
    "54": _Fault.TOO_LARGE,
    "28": _Fault.PASSWORD,
    "3D": _Fault.MISSING,
}
_ERRNO = {
    **dict.fromkeys((EACCES, EPERM, EROFS), _Fault.READ_ONLY),
    **dict.fromkeys((ENOSPC, EDQUOT), _Fault.FULL),
}
# What libpq says when there is no connection yet, and so no SQLSTATE.
_REFUSALS = {
    "password|authentication|pg_hba": _Fault.PASSWORD,
    'database ".*" does not exist': _Fault.MISSING,
}


def store_error(url: str, error: Exception) -> StoreError:
    """Return the sentence that says why the database at `url` cannot be used, and what to do."""
    kind = TakenError if isinstance(error, sql.exc.IntegrityError) else StoreError
    return _sentence(kind, url, _cause(error), _fault(error))


def moved(url: str, file: str) -> StoreError:
    """Return the sentence that says that the database's file is no longer where it was."""
    cause = say("{file} was deleted, moved or replaced while it was in use", file=file)
    return _sentence(StoreError, url, cause, _Fault.MOVED)


def patiently(ask: Callable[[], _T], seconds: float = PATIENCE) -> _T:
    """Return what `ask` returns; while the database is away, locked or full, ask again.

    Args:
        ask: Asks the store for what may be asked twice.
        seconds: How long to try.

    Raises:
        StoreError: It was not to be used all that time, or its fault is one that does not pass.
    """
    end, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        try:
            found = ask()
        except StoreError as error:
            left = end - time.monotonic()
            if not error.may_pass or left <= 0:
                raise
            if pause == FIRST_PAUSE:
                _log.warning("%s Trying again for %.0f seconds", english(error), left)
            time.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            if pause > FIRST_PAUSE:
                _log.warning("The database of the runs can be used again")
            return found


def _sentence(kind: type[StoreError], url: str, cause: str, fault: _Fault) -> StoreError:
    advice, may_pass = fault.value
    error = kind(
        say(
            "The database of the runs, {url}, cannot be used: {reason}; {advice}.",
            url=masked(url),
            reason=masked(cause),
            advice=say(advice, another=say(_ANOTHER)),
        )
    )
    error.may_pass = may_pass
    return error


def _cause(error: Exception) -> str:
    """Return the driver's own words on a line, without the statement that SQLAlchemy adds."""
    found = getattr(error, "orig", None) or error
    if isinstance(found, ExplorerError):
        return str(found)
    if isinstance(found, OSError) and found.strerror:
        if not found.filename:
            return found.strerror
        return say("{file}: {reason}", file=found.filename, reason=found.strerror)
    lines = str(found).splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def _fault(error: Exception) -> _Fault:
    driver = getattr(error, "orig", None)
    if isinstance(error, ImportError):
        return _Fault.NO_DRIVER if "psycopg" in str(error) else _Fault.OTHER
    if isinstance(error, OSError):
        return _ERRNO.get(error.errno or 0, _Fault.OTHER)
    if isinstance(error, sql.exc.TimeoutError):  # all connections are in use
        return _Fault.BUSY
    if isinstance(driver, sqlite3.Error):
        return _SQLITE.get(getattr(driver, "sqlite_errorcode", 0) & 0xFF, _Fault.OTHER)
    state = getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None) or ""
    if found := _POSTGRESQL.get(state, _POSTGRESQL.get(state[:2])):
        return found
    if isinstance(error, sql.exc.OperationalError) and not state:
        refusals = (fault for words, fault in _REFUSALS.items() if re.search(words, str(driver)))
        return next(refusals, _Fault.AWAY)
    is_lost = isinstance(error, sql.exc.DBAPIError) and error.connection_invalidated
    return _Fault.AWAY if is_lost else _Fault.OTHER
