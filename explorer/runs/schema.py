"""The tables in which runs are kept, and how their database is opened."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sql

METADATA = sql.MetaData()

RUNS = sql.Table(
    "runs",
    METADATA,
    sql.Column("id", sql.String(12), primary_key=True),
    sql.Column("spec", sql.JSON, nullable=False),
    sql.Column("status", sql.String(12), nullable=False),
    sql.Column("reason", sql.Text, nullable=False, default=""),
    sql.Column("created", sql.Float, nullable=False),
    sql.Column("owner", sql.String(80), nullable=False, default=""),
    sql.Column("lease", sql.Float, nullable=False, default=0.0),
    sql.Column("stop", sql.Boolean, nullable=False, default=False),
)


def _run() -> sql.Column[str]:
    return sql.Column(
        "run", sql.ForeignKey(RUNS.c.id, ondelete="CASCADE"), primary_key=True, index=True
    )


# A step is numbered by itself, an epoch too; a start by the epochs that were finished before it.
EVENTS = sql.Table(
    "events",
    METADATA,
    _run(),
    sql.Column("kind", sql.String(8), primary_key=True),
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("content", sql.JSON, nullable=False),
)
WEIGHTS = sql.Table(
    "weights",
    METADATA,
    _run(),
    sql.Column("epoch", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("content", sql.LargeBinary, nullable=False),
)
PROGRESS = sql.Table(
    "progress",
    METADATA,
    _run(),
    sql.Column("epoch", sql.Integer, nullable=False),
    sql.Column("content", sql.LargeBinary, nullable=False),
)


class StoreError(RuntimeError):
    """The database cannot be used; the message names it."""


def connect(url: str) -> sql.Engine:
    """Open the database at `url` and make the tables that are not there yet.

    Raises:
        StoreError: It cannot be opened.
    """
    try:
        engine = sql.create_engine(url)
        if engine.dialect.name == "sqlite":
            read_only = "mode=ro" in url
            sql.event.listen(engine, "connect", _set_up_sqlite(read_only))
            if read_only:
                return engine
            Path(engine.url.database or ".").parent.mkdir(parents=True, exist_ok=True)
        _create_tables(engine)
    except (sql.exc.SQLAlchemyError, ImportError, OSError) as error:
        shown = re.sub("//([^:/@]*):[^@]*@", r"//\1:***@", url)  # without the password
        reason = str(error).splitlines()[0]
        raise StoreError(
            f"The database of the runs, {shown}, cannot be used: {reason}; set "
            "EXPLORER_DATABASE_URL to another, such as sqlite:////home/me/runs.sqlite."
        ) from error
    return engine


def _create_tables(engine: sql.Engine) -> None:
    """Several processes may try at once, and one wins."""
    for last in (*[False] * 50, True):
        try:
            return METADATA.create_all(engine)
        except sql.exc.OperationalError as error:
            if last or not re.search("locked|already exists", str(error)):
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
