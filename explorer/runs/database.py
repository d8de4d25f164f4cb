"""Opens the database in which runs are kept."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from explorer.errors import ExplorerError
from explorer.runs.migrations import SchemaError, demand_current, migrate
from explorer.settings import masked

PATIENCE = 60.0  # seconds that another process may take to bring the tables up to date
PAUSE = 0.1  # seconds between two attempts
BUSY_MILLISECONDS = 30_000  # that SQLite waits for another's lock
_LOCK = 20_241_016  # any number that no other program locks in PostgreSQL


class StoreError(ExplorerError, RuntimeError):
    """The database cannot be used; the message names it."""


def store_error(url: str, error: Exception) -> StoreError:
    """Return the sentence that says why the database at `url` cannot be used."""
    # The driver's own words, without the statement that SQLAlchemy adds.
    lines = str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__]
    return StoreError(
        f"The database of the runs, {masked(url)}, cannot be used: {lines[0].rstrip('.')}; set "
        "EXPLORER_DATABASE_URL to another, such as sqlite:////home/me/runs.sqlite."
    )


def connect(url: str) -> sql.Engine:
    """Open the database at `url`; create its tables, or bring them up to date.

    A database that is only read, which SQLite's `mode=ro` says, has to be up to date.

    Raises:
        StoreError: It cannot be opened, was made by a newer version of the explorer, or failed to
            be brought up to date, in which case it is unchanged.
    """
    try:
        engine = sql.create_engine(url)
        try:
            _prepare(engine)
        except BaseException:
            engine.dispose()
            raise
    except (sql.exc.SQLAlchemyError, ImportError, OSError, SchemaError, ValueError) as error:
        raise store_error(url, error) from error
    return engine


def _prepare(engine: sql.Engine) -> None:
    if engine.dialect.name == "sqlite":
        read_only = engine.url.query.get("mode") == "ro"
        sql.event.listen(engine, "connect", _set_up_sqlite(read_only))
        if read_only:
            with engine.connect() as connection:
                return demand_current(connection)
        if not (file := engine.url.database or "").startswith("file:"):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
    _migrate(engine)


def _migrate(engine: sql.Engine) -> None:
    """Bring the tables up to date; of several processes that try at once, one does."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with engine.begin() as connection:
                if engine.dialect.name == "sqlite":
                    # Python's driver would begin with the first change, after others have read.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                elif engine.dialect.name == "postgresql":
                    connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))
                return migrate(connection)
        except sql.exc.DBAPIError as error:
            others = re.search("lock|already exists|unique", str(error), re.IGNORECASE)
            if not others or time.monotonic() > end:
                raise
            time.sleep(PAUSE)


def _set_up_sqlite(read_only: bool) -> Callable[[Any, Any], None]:
    def set_up(connection: Any, _record: Any) -> None:
        # A damaged text must not take down the query that meets it.
        connection.text_factory = lambda content: content.decode(errors="replace")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    return set_up
