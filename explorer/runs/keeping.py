"""Which runs are kept, what of their output, and which are forgotten to make room."""

import sqlalchemy as sql

from explorer.runs.faults import TakenError
from explorer.runs.schema import EVENTS, LOGS, PINS, RUNS, TRAINING_STATES, WEIGHTS
from explorer.runs.store import RunStore, is_free

EVENT_BYTES = 250  # of a row of the table of events, about


def pin(store: RunStore, id: str, visitor: str = "") -> None:
    """Keep a run when room is made; nothing if there is no such run, or somebody pinned it."""
    row = sql.select(sql.literal(id), sql.literal(visitor, PINS.c.visitor.type)).where(
        sql.exists().where(RUNS.c.id == id)
    )
    try:
        with store.transaction() as connection:
            connection.execute(PINS.insert().from_select(["run", "visitor"], row))
    except TakenError:
        pass  # it is pinned


def unpin(store: RunStore, id: str) -> None:
    """Let a run be forgotten when room is made."""
    with store.transaction() as connection:
        connection.execute(PINS.delete().where(PINS.c.run == id))


def pinned(store: RunStore) -> dict[str, str]:
    """Return who pinned each run that is pinned, by its id."""
    with store.transaction() as connection:
        pins = connection.execute(sql.select(PINS))
        return {pin.run: pin.visitor for pin in pins}


def write_log(store: RunStore, id: str, text: str) -> None:
    """Keep what a run's process printed, in place of what it printed before."""
    with store.transaction() as connection:
        connection.execute(LOGS.delete().where(LOGS.c.run == id))
        if connection.scalar(sql.select(RUNS.c.id).where(RUNS.c.id == id)):
            connection.execute(LOGS.insert().values(run=id, content=text))


def read_log(store: RunStore, id: str) -> str:
    """Return what a run's process printed; may be empty."""
    with store.transaction() as connection:
        return connection.scalar(sql.select(LOGS.c.content).where(LOGS.c.run == id)) or ""


def sizes(store: RunStore) -> dict[str, int]:
    """Return about how many bytes each run takes, by id, the oldest run first."""
    parts: list[sql.Select[tuple[str, int]]] = [
        sql.select(table.c.run, sql.func.sum(sql.func.length(table.c.content))).group_by(
            table.c.run
        )
        for table in (WEIGHTS, TRAINING_STATES, LOGS)
    ]
    events = sql.select(EVENTS.c.run, sql.func.count() * EVENT_BYTES).group_by(EVENTS.c.run)
    with store.transaction() as connection:
        order = connection.scalars(sql.select(RUNS.c.id).order_by(RUNS.c.created, RUNS.c.id))
        found = dict.fromkeys(order, 0)
        for query in (*parts, events):
            for run, size in connection.execute(query):
                found[run] = found.get(run, 0) + int(size or 0)
    return found


def make_room(store: RunStore, most: int) -> list[str]:
    """Delete the oldest runs until all take at most so many bytes.

    A run that is pinned, or that is being trained or waits for it, is left alone.

    Returns:
        The ids of those that were deleted.
    """
    found = sizes(store)
    left = sum(found.values())
    forgotten: list[str] = []
    for id, size in found.items():
        if left <= most:
            break
        with store.transaction() as connection:
            gone = connection.execute(
                RUNS.delete().where(
                    RUNS.c.id == id, is_free(), RUNS.c.id.not_in(sql.select(PINS.c.run))
                )
            )
        if gone.rowcount:
            left -= size
            forgotten.append(id)
    return forgotten
