"""Opens the database in which runs are kept."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from explorer.errors import ExplorerError
from explorer.runs.migrations import SchemaError, demand_known, migrate, read_version


class StoreError(ExplorerError, RuntimeError):
    """The database cannot be used; the message names it."""


def connect(url: str) -> sql.Engine:
    """Open the database at `url`; create its tables, or bring them up to date.

    Raises:
        StoreError: It cannot be opened, or was made by a newer version of the explorer.
    """
    try:
        engine = sql.create_engine(url)
        if engine.dialect.name == "sqlite":
            read_only = "mode=ro" in url
            sql.event.listen(engine, "connect", _set_up_sqlite(read_only))
            if read_only:
                with engine.connect() as connection:
                    demand_known(read_version(connection) or 0)
                return engine
            Path(engine.url.database or ".").parent.mkdir(parents=True, exist_ok=True)
        _migrate(engine)
    except (sql.exc.SQLAlchemyError, ImportError, OSError, SchemaError) as error:
        shown = re.sub("//([^:/@]*):[^@]*@", r"//\1:***@", url)  # without the password
        reason = str(error).splitlines()[0]
        raise StoreError(
            f"The database of the runs, {shown}, cannot be used: {reason}; set "
            "EXPLORER_DATABASE_URL to another, such as sqlite:////home/me/runs.sqlite."
        ) from error
    return engine


def _migrate(engine: sql.Engine) -> None:
    """Several processes may try at once, and one succeeds."""
    for last in (*[False] * 50, True):
        try:
            with engine.begin() as connection:
                if engine.dialect.name == "sqlite":
                    # Python's driver would begin with the first change, after others have read.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                return migrate(connection)
        except (
            sql.exc.OperationalError,
            sql.exc.ProgrammingError,
            sql.exc.IntegrityError,
        ) as error:
            if last or not re.search("locked|already exists|unique", str(error), re.IGNORECASE):
                raise
            time.sleep(0.1)


def _set_up_sqlite(read_only: bool) -> Callable[[Any, Any], None]:
    def set_up(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 30000")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    return set_up
