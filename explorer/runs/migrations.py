"""Brings the database of an earlier version of the explorer up to date, one step for each version.

A new step is a function at the end of `MIGRATIONS`; it does in SQL what was changed in `schema.py`,
whose tables it must not use, since those change again. A column is added by one line:

    connection.execute(sql.text("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT ''"))

New tables need no line. All steps run in one transaction, so a step that fails changes nothing.
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.runs.run import spec_id
from explorer.runs.schema import METADATA, VERSION

FIRST = 1  # of databases that have no table of versions

_log = logging.getLogger(__name__)


class SchemaError(ExplorerError, RuntimeError):
    """The tables are of a version that cannot be used; the message is a part of a sentence."""


def migrate(connection: Connection) -> None:
    """Create the tables, or bring them up to date, within the connection's transaction.

    Raises:
        SchemaError: They are of a newer version.
    """
    version = _read_version(connection)
    if version == CURRENT:
        return
    if version is not None:
        _demand_known(version)
        _log.info("The database is brought up to date, from version %s to %s", version, CURRENT)
        for step in MIGRATIONS[version - FIRST :]:
            step(connection)
    METADATA.create_all(connection)
    connection.execute(VERSION.delete())
    connection.execute(VERSION.insert().values(version=CURRENT))


def is_current(connection: Connection) -> bool:
    """Return whether the tables are of this version.

    Raises:
        SchemaError: Their version cannot be read.
    """
    return _read_version(connection) == CURRENT


def demand_current(connection: Connection) -> None:
    """Refuse tables that are not of the current version.

    Raises:
        SchemaError: They are of another version, or there are none.
    """
    version = _read_version(connection)
    if version is None:
        raise SchemaError(say("it holds no runs, and none can be written, since it is read-only"))
    _demand_known(version)
    if version < READABLE:
        raise SchemaError(
            say(
                "it was made by an earlier version of the explorer (its tables have version "
                "{version}, this explorer needs {current}) and cannot be brought up to date, since "
                "it is read-only; open it once without mode=ro",
                version=version,
                current=CURRENT,
            )
        )


def _read_version(connection: Connection) -> int | None:
    """Return the version of the database's tables; `None` if it has none."""
    tables = sql.inspect(connection).get_table_names()
    if VERSION.name not in tables:
        return FIRST if "runs" in tables else None
    match connection.scalars(sql.select(VERSION.c.version)).all():
        case [int(version)] if version >= FIRST:
            return version
        case found:
            raise SchemaError(
                say(
                    "its table {table} should hold one number, not {found}",
                    table=VERSION.name,
                    found=found,
                )
            )


def _demand_known(version: int) -> None:
    if version > CURRENT:
        raise SchemaError(
            say(
                "it was made by a newer version of the explorer (its tables have version "
                "{version}, this explorer knows {current}); update the explorer",
                version=version,
                current=CURRENT,
            )
        )


def _plain_words(connection: Connection) -> None:
    """Version 2: options and parameters, longer kinds of events, tracebacks."""

    def run(statement: str) -> None:
        connection.execute(sql.text(statement))

    run("ALTER TABLE progress RENAME TO training_states")
    run("ALTER TABLE runs ADD COLUMN traceback TEXT NOT NULL DEFAULT ''")
    for table in ("events", "weights", "progress"):  # the primary keys begin with the same column
        run(f"DROP INDEX IF EXISTS ix_{table}_run")
    if connection.dialect.name != "sqlite":  # which checks no lengths, and cannot alter a column
        run("ALTER TABLE events ALTER COLUMN kind TYPE VARCHAR(16)")
    _rename_in_specs(connection)
    _rename_in_starts(connection)


def _rename_in_specs(connection: Connection) -> None:
    plain = ("id", "status", "reason", "created", "owner", "lease", "stop")
    runs = sql.table("runs", *map(sql.column, plain), sql.column("spec", sql.JSON))
    rows = sql.select(*(runs.c[name] for name in plain), _text(runs.c.spec))
    for row in connection.execute(rows).all():
        if (spec := _renamed(row.spec, "parameters", "options")) is None:
            continue
        new = spec_id(spec)
        # The rows that refer to a run need it to be there, so it is copied, not renamed.
        connection.execute(runs.insert().values({**row._mapping, "id": new, "spec": spec}))
        for name in ("events", "weights", "training_states"):
            table = sql.table(name, sql.column("run"))
            connection.execute(table.update().where(table.c.run == row.id).values(run=new))
        connection.execute(runs.delete().where(runs.c.id == row.id))


def _rename_in_starts(connection: Connection) -> None:
    names = ("run", "kind", "number")
    events = sql.table("events", *map(sql.column, names), sql.column("content", sql.JSON))
    is_start = events.c.kind == "started"
    rows = sql.select(events.c.run, events.c.number, _text(events.c.content)).where(is_start)
    for row in connection.execute(rows).all():
        if content := _renamed(row.content, "weights", "parameters"):
            this = (is_start, events.c.run == row.run, events.c.number == row.number)
            connection.execute(events.update().where(*this).values(content=content))


def _text(column: sql.ColumnElement[Any]) -> sql.ColumnElement[str]:
    """Select a JSON column as it is written, since what is damaged must not end the migration."""
    return sql.cast(column, sql.Text).label(column.key)


def _renamed(text: str, old: str, new: str) -> Mapping[str, Any] | None:
    """Return the values of a JSON object with one key renamed; `None` if there is none to rename.

    What cannot be read stays as it is, and the store lists its run as unreadable.
    """
    try:
        values = json.loads(text)
    except ValueError:
        return None
    if not isinstance(values, dict) or old not in values:
        return None
    return {new if key == old else key: value for key, value in values.items()}


def _version_3_wider_numbers(connection: Connection) -> None:
    """Version 3: steps and epochs of 64 bits, which SQLite has always had."""
    if connection.dialect.name == "sqlite":
        return
    for table, column in (("events", "number"), ("weights", "epoch"), ("training_states", "epoch")):
        connection.execute(sql.text(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE BIGINT"))


def _version_4_visitors(_: Connection) -> None:
    """Version 4: who asked for a run, what is pinned, what a run printed; all in new tables."""


def _version_5_links(connection: Connection) -> None:
    """Version 5: who pinned a run; and, in new tables, what was answered in lessons."""
    if sql.inspect(connection).has_table("pins"):  # of version 4; before, there was none
        connection.execute(
            sql.text("ALTER TABLE pins ADD COLUMN visitor VARCHAR(80) NOT NULL DEFAULT ''")
        )


def _version_6_pauses(connection: Connection) -> None:
    """Version 6: runs that are paused within an epoch; names and notes of runs."""
    for table, column in (
        ("weights", "step BIGINT NOT NULL DEFAULT 0"),
        ("training_states", "step BIGINT NOT NULL DEFAULT 0"),
        ("training_states", "seconds FLOAT NOT NULL DEFAULT 0"),
        ("runs", "name VARCHAR(80) NOT NULL DEFAULT ''"),
        ("runs", "note TEXT NOT NULL DEFAULT ''"),
    ):
        connection.execute(sql.text(f"ALTER TABLE {table} ADD COLUMN {column}"))
    connection.execute(sql.text("UPDATE runs SET status = 'paused' WHERE status = 'stopped'"))


MIGRATIONS: list[Callable[[Connection], None]] = [
    _plain_words,
    _version_3_wider_numbers,
    _version_4_visitors,
    _version_5_links,
    _version_6_pauses,
]
CURRENT = FIRST + len(MIGRATIONS)
READABLE = 6  # the earliest version whose runs are read as they are
