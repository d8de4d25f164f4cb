"""Packs runs into one small file that can be given away, such as those that ship with lessons."""

import os
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from explorer.runs.lists import Weights


def pack(file: Path, weights: Mapping[str, Weights]) -> None:
    """Make an SQLite file of runs as small as it can be, and readable where nothing can be written.

    Other runs, what is needed to go on with a training, and what names machines and visitors are
    deleted. The file is replaced in one piece, so that nothing half-written stays.

    Args:
        file: Is used by nobody else.
        weights: Which weights are kept of each run that is, by id.
    """
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        scratch, packed = Path(folder, "scratch.sqlite"), Path(folder, file.name)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(scratch)) as copy:
            source.backup(copy)
        with closing(sqlite3.connect(scratch)) as database:
            _strip(database, weights)
            database.execute("PRAGMA journal_mode = DELETE")
            database.execute("VACUUM INTO ?", (str(packed),))
        for suffix in ("-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        os.replace(packed, file)


def _strip(database: sqlite3.Connection, weights: Mapping[str, Weights]) -> None:
    runs = [id for (id,) in database.execute("SELECT id FROM runs").fetchall()]
    tables = ("events", "weights", "training_states", "wishes", "pins", "logs")
    with database:
        for id in runs:
            for table in tables if id not in weights else tables[2:]:
                database.execute(f"DELETE FROM {table} WHERE run = ?", (id,))
            if id not in weights:
                database.execute("DELETE FROM runs WHERE id = ?", (id,))
            elif weights[id] == "none":
                database.execute("DELETE FROM weights WHERE run = ?", (id,))
            elif weights[id] == "last":
                database.execute(
                    "DELETE FROM weights WHERE run = ?1 AND epoch < "
                    "(SELECT max(epoch) FROM weights WHERE run = ?1)",
                    (id,),
                )
        database.execute("UPDATE runs SET owner = ''")
        if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'measured'").fetchone():
            database.execute("DELETE FROM measured WHERE run NOT IN (SELECT id FROM runs)")
