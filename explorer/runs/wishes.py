"""Who asked for which run, where several people share one app.

Two who ask for the same share the run: it is trained until nobody wants it any more.
"""

import sqlalchemy as sql

from explorer.runs.faults import TakenError
from explorer.runs.schema import RUNS, WISHES
from explorer.runs.store import RunStore


def wish(store: RunStore, id: str, visitor: str) -> None:
    """Note that a visitor asked for a run; nothing if there is no such run."""
    is_there = sql.exists().where(RUNS.c.id == id)
    row = sql.select(sql.literal(id), sql.literal(visitor, WISHES.c.visitor.type)).where(is_there)
    try:
        with store.transaction() as connection:
            connection.execute(WISHES.insert().from_select(["run", "visitor"], row))
    except TakenError:
        pass  # they asked for it before


def withdraw(store: RunStore, id: str, visitor: str) -> bool:
    """Forget that a visitor asked for a run; return whether nobody else wants it."""
    with store.transaction() as connection:
        connection.execute(WISHES.delete().where(WISHES.c.run == id, WISHES.c.visitor == visitor))
        left = sql.select(sql.func.count()).select_from(WISHES).where(WISHES.c.run == id)
        return not connection.scalar(left)


def wished_by(store: RunStore, visitor: str) -> dict[str, bool]:
    """Return the ids of the runs that a visitor asked for, and whether nobody else did."""
    mine = sql.select(WISHES.c.run).where(WISHES.c.visitor == visitor)
    query = (
        sql.select(WISHES.c.run, sql.func.count())
        .where(WISHES.c.run.in_(mine))
        .group_by(WISHES.c.run)
    )
    with store.transaction() as connection:
        return {run: number == 1 for run, number in connection.execute(query)}


def wishers(store: RunStore, id: str) -> frozenset[str]:
    """Return the visitors who asked for a run."""
    with store.transaction() as connection:
        return frozenset(connection.scalars(sql.select(WISHES.c.visitor).where(WISHES.c.run == id)))
