"""Opens the database in which runs are kept."""

import os
import re
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from explorer.language import say
from explorer.runs.faults import moved, store_error
from explorer.runs.migrations import SchemaError, demand_current, is_current, migrate

PATIENCE = 60.0  # seconds that another process may take to bring the tables up to date
PAUSE = 0.1  # seconds between two attempts
BUSY_MILLISECONDS = 30_000  # that SQLite waits for another's lock
ANSWER_SECONDS = 10  # that a server may take to accept a connection
_LOCK = 20_241_016  # any number that no other program locks in PostgreSQL


def connect(url: str) -> sql.Engine:
    """Open the database at `url`; create its tables, or bring them up to date.

    A database that is only read, which SQLite's `mode=ro` says, has to be up to date.

    Raises:
        StoreError: It cannot be opened, was made by a newer version of the explorer, or failed to
            be brought up to date, in which case it is unchanged.
    """
    try:
        engine = _engine(url)
        try:
            _prepare(engine)
        except BaseException:
            engine.dispose()
            raise
    except (sql.exc.SQLAlchemyError, ImportError, OSError, SchemaError, ValueError) as error:
        raise store_error(url, error) from error
    return engine


def watch_file(engine: sql.Engine) -> Callable[[], None]:
    """Return a function that raises once the file of an SQLite database is another or gone.

    Who has it open would go on writing to the file that nobody can find any more.

    Raises:
        StoreError: When the function is called.
    """
    file = _file(engine)
    try:
        before = os.stat(file or "")
    except (OSError, ValueError):  # another database, one in memory, or an address of its own
        return lambda: None

    def check() -> None:
        try:
            same = os.path.samestat(before, os.stat(file))
        except OSError:
            same = False
        if not same:
            raise moved(str(engine.url), file)

    return check


def _engine(url: str) -> sql.Engine:
    address = sql.make_url(url)
    if address.drivername in ("postgres", "postgresql"):
        other = find_spec("psycopg") is None and find_spec("psycopg2") is not None
        address = address.set(drivername=f"postgresql+{'psycopg2' if other else 'psycopg'}")
    if address.get_backend_name() == "sqlite":
        return sql.create_engine(address)
    arguments: dict[str, Any] = {}
    if address.get_backend_name() == "postgresql":
        arguments = {"connect_timeout": ANSWER_SECONDS}
        if address.get_driver_name() == "psycopg":
            # A pooler between, such as PgBouncer, may give each transaction another connection.
            arguments["prepare_threshold"] = None
        arguments = {name: value for name, value in arguments.items() if name not in address.query}
    # A connection that the server has closed meanwhile is found out, and another opened.
    return sql.create_engine(address, pool_pre_ping=True, connect_args=arguments)


def _file(engine: sql.Engine) -> str:
    name = engine.url.database if engine.dialect.name == "sqlite" else ""
    return "" if not name or name.startswith("file:") else name


def _prepare(engine: sql.Engine) -> None:
    if engine.dialect.name == "sqlite":
        read_only = engine.url.query.get("mode") == "ro"
        sql.event.listen(engine, "connect", _set_up_sqlite(read_only))
        if read_only:
            with engine.connect() as connection:
                return demand_current(connection)
        if file := _file(engine):
            if Path(file).is_dir():
                raise IsADirectoryError(0, say("it is a folder"), file)
            Path(file).parent.mkdir(parents=True, exist_ok=True)
    _migrate(engine)


def _migrate(engine: sql.Engine) -> None:
    """Bring the tables up to date; of several processes that try at once, one does."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with engine.connect() as connection:
                if is_current(connection):
                    return  # without the lock for a change, which another may hold for long
            with engine.begin() as connection:
                if engine.dialect.name == "sqlite":
                    # Python's driver would begin with the first change, after others have read.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                elif engine.dialect.name == "postgresql":
                    connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))
                return migrate(connection)
        except sql.exc.DBAPIError as error:
            others = re.search("lock|already exists|unique", str(error.orig), re.IGNORECASE)
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
