"""The tables in which runs are kept, as the newest version of the explorer has them.

To change them, change them here and add the same change to `migrations.MIGRATIONS`. A new column
needs a `server_default`, which the rows of older databases get.
"""

import sqlalchemy as sql

from explorer.runs.columns import Name, Whole, Words

METADATA = sql.MetaData()

RUNS = sql.Table(
    "runs",
    METADATA,
    sql.Column("id", Name(12), primary_key=True),
    sql.Column("spec", sql.JSON, nullable=False),
    sql.Column("status", Name(12), nullable=False),
    sql.Column("reason", Words, nullable=False, server_default=""),
    sql.Column("created", sql.Float, nullable=False),
    sql.Column("owner", Name(80), nullable=False, server_default=""),
    sql.Column("lease", sql.Float, nullable=False, server_default="0"),
    sql.Column("stop", sql.Boolean, nullable=False, server_default=sql.false()),
    sql.Column("traceback", Words, nullable=False, server_default=""),
    sql.Column("name", Name(80), nullable=False, server_default=""),
    sql.Column("note", Words, nullable=False, server_default=""),
)


def _run() -> sql.Column[str]:
    return sql.Column("run", sql.ForeignKey(RUNS.c.id, ondelete="CASCADE"), primary_key=True)


# A step, and what is recorded after one, has the step's number; an epoch its own; a start the
# number of the epochs finished before it.
EVENTS = sql.Table(
    "events",
    METADATA,
    _run(),
    sql.Column("kind", Name(16), primary_key=True),
    sql.Column("number", Whole, primary_key=True, autoincrement=False),
    sql.Column("content", sql.JSON, nullable=False),
)
# The weights after an epoch; of an unfinished one, those after the step, which is 0 otherwise.
WEIGHTS = sql.Table(
    "weights",
    METADATA,
    _run(),
    sql.Column("epoch", Whole, primary_key=True, autoincrement=False),
    sql.Column("content", sql.LargeBinary, nullable=False),
    sql.Column("step", Whole, nullable=False, server_default="0"),
)
# What training needs beside the weights of that epoch, to go on from there.
TRAINING_STATES = sql.Table(
    "training_states",
    METADATA,
    _run(),
    sql.Column("epoch", Whole, nullable=False),
    sql.Column("content", sql.LargeBinary, nullable=False),
    sql.Column("step", Whole, nullable=False, server_default="0"),
    sql.Column("seconds", sql.Float, nullable=False, server_default="0"),
)
# Who asked for a run, and has not stopped it: visitors of a hosted app, by their random ids.
WISHES = sql.Table(
    "wishes",
    METADATA,
    _run(),
    sql.Column("visitor", Name(80), primary_key=True),
)
# Runs that are kept when room is made, since somebody, the visitor, copied a link to them.
PINS = sql.Table(
    "pins",
    METADATA,
    _run(),
    sql.Column("visitor", Name(80), nullable=False, server_default=""),
)
# What a run's process printed.
LOGS = sql.Table("logs", METADATA, _run(), sql.Column("content", Words, nullable=False))
# What was answered to the questions of lessons, one answer of a visitor, of whom only a hash is
# kept that is another for each lesson; and the lessons whose answers are shown to who has answered.
ANSWERS = sql.Table(
    "answers",
    METADATA,
    sql.Column("lesson", Name(80), primary_key=True),
    sql.Column("visitor", Name(64), primary_key=True),
    sql.Column("answer", Name(120), nullable=False),
)
SHOWN_ANSWERS = sql.Table(
    "shown_answers", METADATA, sql.Column("lesson", Name(80), primary_key=True)
)
VERSION = sql.Table(
    "schema_version",
    METADATA,
    sql.Column("version", sql.Integer, primary_key=True, autoincrement=False),
)
