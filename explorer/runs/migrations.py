"""Brings the database of an earlier version of the explorer up to date, one step for each version.

A new step is a function at the end of `MIGRATIONS`. Steps are written in SQL of their own, since
the tables of `schema.py` are those of the newest version only.
"""

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from explorer.errors import ExplorerError
from explorer.runs.run import spec_id
from explorer.runs.schema import METADATA, VERSION

FIRST = 1  # of databases that have no table of versions


class SchemaError(ExplorerError, RuntimeError):
    """The database was made by a newer version; the message says so, as a part of a sentence."""


def read_version(connection: Connection) -> int | None:
    """Return the version of the database's tables; `None` if it has none."""
    tables = set(sql.inspect(connection).get_table_names())
    if VERSION.name in tables:
        return int(connection.scalars(sql.select(VERSION.c.version)).one())
    return FIRST if "runs" in tables else None


def demand_known(version: int) -> None:
    """Refuse a version that this explorer does not know.

    Raises:
        SchemaError: It is newer.
    """
    if version > CURRENT:
        raise SchemaError(
            f"it was made by a newer version of the explorer (its tables have version {version}, "
            f"this explorer knows {CURRENT}); update the explorer"
        )


def migrate(connection: Connection) -> None:
    """Create the tables, or bring them up to date, within one transaction.

    Raises:
        SchemaError: They are of a newer version.
    """
    version = read_version(connection)
    if version is None:
        METADATA.create_all(connection)
        connection.execute(VERSION.insert().values(version=CURRENT))
        return
    demand_known(version)
    for step in MIGRATIONS[version - FIRST :]:
        step(connection)
    if version < CURRENT:
        METADATA.create_all(connection)
        connection.execute(VERSION.delete())
        connection.execute(VERSION.insert().values(version=CURRENT))


def _plain_words(connection: Connection) -> None:
    """Version 2: options and parameters, longer kinds of events, tracebacks."""

    def run(statement: str, **values: Any) -> Any:
        return connection.execute(sql.text(statement), values)

    run("ALTER TABLE progress RENAME TO training_states")
    run("ALTER TABLE runs ADD COLUMN traceback TEXT NOT NULL DEFAULT ''")
    if connection.dialect.name != "sqlite":  # which checks no lengths, and cannot alter a column
        run("ALTER TABLE events ALTER COLUMN kind TYPE VARCHAR(16)")
    for id, spec in run("SELECT id, spec FROM runs").all():
        values = _renamed(spec, "parameters", "options")
        new = spec_id(values)
        columns = "status, reason, created, owner, lease, stop"
        # The rows that refer to a run need it to be there, so it is copied, not renamed.
        run(
            f"INSERT INTO runs (id, spec, {columns}) SELECT :new, :spec, {columns} FROM runs "
            "WHERE id = :id",
            new=new,
            spec=json.dumps(values),
            id=id,
        )
        for table in ("events", "weights", "training_states"):
            run(f"UPDATE {table} SET run = :new WHERE run = :id", new=new, id=id)
        run("DELETE FROM runs WHERE id = :id", id=id)
    started = "SELECT run, number, content FROM events WHERE kind = 'started'"
    for id, number, content in run(started).all():
        run(
            "UPDATE events SET content = :content "
            "WHERE run = :id AND number = :number AND kind = 'started'",
            content=json.dumps(_renamed(content, "weights", "parameters")),
            id=id,
            number=number,
        )


def _renamed(content: Any, old: str, new: str) -> dict[str, Any]:
    """Return the values of a JSON column with one key renamed."""
    values = json.loads(content) if isinstance(content, str) else content
    return {new if key == old else key: value for key, value in values.items()}


MIGRATIONS: list[Callable[[Connection], None]] = [_plain_words]
CURRENT = FIRST + len(MIGRATIONS)
