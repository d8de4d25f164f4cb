"""The store: where runs are kept, and all that a trainer and its watchers share.

Whoever trains a run owns it and renews a lease on it. A run whose lease ran out is interrupted,
whatever became of its owner: nothing has to be cleaned up after a crash.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from explorer.runs.database import StoreError, connect
from explorer.runs.run import (
    Run,
    RunIsBusyError,
    RunSpec,
    Status,
    UnknownRunError,
    epochs_to_keep,
)
from explorer.runs.schema import EVENTS, RUNS, TRAINING_STATES, WEIGHTS
from explorer.training import events
from explorer.training.events import Checkpoint, Epoch, Event, Gradients, Started, Step

__all__ = ["LEASE_SECONDS", "RunStore", "StoreError", "find_run"]

LEASE_SECONDS = 6.0


class RunStore:
    """Runs in a database: SQLite for one machine, PostgreSQL or another where several share it.

    Args:
        url: Where, as SQLAlchemy writes it, such as `sqlite:////home/me/runs.sqlite`. An SQLite
            URL with `mode=ro` is only read from.

    Each method is one transaction, so a reader never sees half an epoch.

    Raises:
        StoreError: The database cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # What anyone may ask.

    def add(self, spec: RunSpec) -> Run:
        """The run of this spec: the one there is, or a new one that waits to be claimed."""
        row = {"id": spec.id, "spec": spec.to_json(), "status": "queued", "created": time.time()}
        try:
            with self._engine.begin() as connection:
                connection.execute(RUNS.insert().values(row))
        except sql.exc.IntegrityError:
            pass  # it is there, perhaps since a moment ago
        return self.run(spec.id)

    def run(self, id: str) -> Run:
        """The run of that id.

        Raises:
            UnknownRunError: There is none.
        """
        if found := self._read(RUNS.c.id == id):
            return found[0]
        raise UnknownRunError(f"There is no run {id!r}; `explorer runs` lists all there are.")

    def runs(self) -> list[Run]:
        """All runs, the newest first."""
        return self._read(sql.true())

    def steps(self, id: str, after: int = 0) -> list[Step]:
        """What a run reported after its step `after`."""
        return [Step(**content) for content in self._events(id, "step", after)]

    def gradients(self, id: str) -> list[Gradients]:
        """The gradient norms that a run recorded, in order; none if its recipe did not ask."""
        return [Gradients(**content) for content in self._events(id, "gradients", 0)]

    def _events(self, id: str, kind: str, after: int) -> list[dict[str, Any]]:
        query = (
            sql.select(EVENTS.c.content)
            .where(EVENTS.c.run == id, EVENTS.c.kind == kind, EVENTS.c.number > after)
            .order_by(EVENTS.c.number)
        )
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def kept_epochs(self, id: str) -> list[int]:
        """The epochs of a run whose weights are kept: first, last and up to ten between."""
        query = sql.select(WEIGHTS.c.epoch).where(WEIGHTS.c.run == id).order_by(WEIGHTS.c.epoch)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def weights(self, id: str, epoch: int) -> bytes:
        """The weights that a run had after `epoch`, as safetensors.

        Raises:
            LookupError: They were not kept.
        """
        query = sql.select(WEIGHTS.c.content).where(WEIGHTS.c.run == id, WEIGHTS.c.epoch == epoch)
        with self._engine.connect() as connection:
            if (content := connection.scalar(query)) is not None:
                return bytes(content)
        raise LookupError(
            f"Run {id} has no weights of epoch {epoch}; kept are {self.kept_epochs(id)}."
        )

    def request_stop(self, id: str) -> None:
        """Ask whoever trains the run to stop at its next event."""
        with self._engine.begin() as connection:
            connection.execute(RUNS.update().where(RUNS.c.id == id).values(stop=True))

    def delete(self, id: str) -> None:
        """Forget a run, its weights included.

        Raises:
            RunIsBusyError: It is being trained.
        """
        with self._engine.begin() as connection:
            gone = connection.execute(RUNS.delete().where(RUNS.c.id == id, _is_free()))
        if not gone.rowcount and self._read(RUNS.c.id == id):
            raise RunIsBusyError(f"Run {id} is being trained; stop it before you delete it.")

    # What the one who trains a run says. All but `claim` are in vain for anyone else.

    def claim(self, id: str, owner: str) -> Run:
        """Take a run on, to train it from where it ended.

        What was reported after the last finished epoch is forgotten: it will be reported again.

        Raises:
            RunIsBusyError: Another has it, or it is finished.
        """
        with self._engine.begin() as connection:
            claimed = connection.execute(
                RUNS.update()
                .where(RUNS.c.id == id, RUNS.c.status != "finished", _is_free())
                .values(status="queued", reason="", owner=owner, lease=_lease(), stop=False)
            )
            if claimed.rowcount:
                last = connection.scalar(
                    sql.select(TRAINING_STATES.c.epoch).where(TRAINING_STATES.c.run == id)
                )
                start = connection.scalar(
                    sql.select(EVENTS.c.content)
                    .where(EVENTS.c.run == id, EVENTS.c.kind == "started")
                    .limit(1)
                )
                steps = (last or 0) * (start or {"steps_per_epoch": 0})["steps_per_epoch"]
                connection.execute(
                    EVENTS.delete().where(
                        EVENTS.c.run == id,
                        EVENTS.c.kind.in_(("step", "gradients")),
                        EVENTS.c.number > steps,
                    )
                )
        run = self.run(id)
        if not claimed.rowcount:
            state = "finished" if run.status is Status.FINISHED else "being trained already"
            raise RunIsBusyError(f"Run {id} is {state}.")
        return run

    def begin(self, id: str, owner: str) -> None:
        """Say that a claimed run is now being worked on."""
        with self._engine.begin() as connection:
            connection.execute(
                RUNS.update()
                .where(RUNS.c.id == id, RUNS.c.owner == owner, RUNS.c.status == "queued")
                .values(status="running", lease=_lease())
            )

    def append(self, id: str, owner: str, event: Event) -> bool:
        """Write down what happened; an epoch takes its checkpoint with it.

        Returns:
            Whether to go on: not if a stop was asked for, or if the run is no longer `owner`'s, in
            which case nothing was written.
        """
        checkpoint = event.checkpoint() if isinstance(event, Epoch) and event.checkpoint else None
        with self._engine.begin() as connection:
            # Writing first takes SQLite's write lock at once, instead of failing to get it later.
            owned = connection.execute(
                RUNS.update()
                .where(RUNS.c.id == id, RUNS.c.owner == owner, RUNS.c.status == "running")
                .values(lease=_lease())
            )
            if not owned.rowcount:
                return False
            number = {Started: "finished_epochs", Epoch: "epoch"}.get(type(event), "step")
            key = {"run": id, "kind": events.kind(event), "number": getattr(event, number)}
            _replace(connection, EVENTS, key, events.to_json(event))
            if isinstance(event, Epoch) and checkpoint:
                self._keep(connection, id, event.epoch, checkpoint)
            return not connection.scalar(sql.select(RUNS.c.stop).where(RUNS.c.id == id))

    def checkpoint(self, id: str) -> tuple[int, Checkpoint] | None:
        """The last finished epoch and all that is needed to go on from it; `None` at the start."""
        query = (
            sql.select(TRAINING_STATES.c.epoch, WEIGHTS.c.content, TRAINING_STATES.c.content)
            .join(WEIGHTS, WEIGHTS.c.run == TRAINING_STATES.c.run)
            .where(TRAINING_STATES.c.run == id, WEIGHTS.c.epoch == TRAINING_STATES.c.epoch)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return (row[0], Checkpoint(bytes(row[1]), bytes(row[2]))) if row else None

    def end(self, id: str, owner: str, status: Status, reason: str = "") -> bool:
        """Close the run, if it is live and still `owner`'s; return whether it was."""
        with self._engine.begin() as connection:
            ended = connection.execute(
                RUNS.update()
                .where(RUNS.c.id == id, RUNS.c.owner == owner, _is_live())
                .values(status=str(status), reason=reason, lease=0.0)
            )
            if ended.rowcount and status is Status.FINISHED:
                connection.execute(TRAINING_STATES.delete().where(TRAINING_STATES.c.run == id))
        return bool(ended.rowcount)

    def renew(self, owner: str) -> None:
        """Renew `owner`'s lease on all runs that it has claimed."""
        with self._engine.begin() as connection:
            connection.execute(
                RUNS.update().where(RUNS.c.owner == owner, _is_live()).values(lease=_lease())
            )

    def _keep(self, connection: Connection, id: str, epoch: int, checkpoint: Checkpoint) -> None:
        _replace(connection, WEIGHTS, {"run": id, "epoch": epoch}, checkpoint.weights)
        _replace(connection, TRAINING_STATES, {"run": id}, checkpoint.training_state, epoch=epoch)
        spec = connection.scalar(sql.select(RUNS.c.spec).where(RUNS.c.id == id))
        passing = WEIGHTS.c.epoch.not_in(epochs_to_keep((spec or {})["recipe"]["epochs"]) | {epoch})
        connection.execute(WEIGHTS.delete().where(WEIGHTS.c.run == id, passing))

    def _read(self, which: sql.ColumnElement[bool]) -> list[Run]:
        happened = (
            sql.select(EVENTS.c.run, EVENTS.c.kind, EVENTS.c.content)
            .join(RUNS, RUNS.c.id == EVENTS.c.run)
            .where(which, EVENTS.c.kind != "step")
            .order_by(EVENTS.c.number)
        )
        now = time.time()
        with self._engine.connect() as connection:
            rows = connection.execute(
                sql.select(RUNS).where(which).order_by(RUNS.c.created.desc())
            ).all()
            started: dict[str, Started] = {}
            epochs: dict[str, list[Epoch]] = defaultdict(list)
            for id, kind, content in connection.execute(happened):
                event = events.from_json(kind, content)
                if isinstance(event, Started):
                    started[id] = event
                elif isinstance(event, Epoch):
                    epochs[id].append(event)
        return [
            Run(
                id=row.id,
                spec=RunSpec.from_json(row.spec),
                status=_status(row.status, row.lease, now),
                reason=row.reason,
                created=datetime.fromtimestamp(row.created, UTC),
                started=started.get(row.id),
                epochs=tuple(epochs[row.id]),
            )
            for row in rows
        ]


def find_run(id: str, stores: Sequence[RunStore]) -> tuple[Run, RunStore]:
    """A run and the first of these stores that has it.

    Raises:
        UnknownRunError: None has it.
    """
    for store in stores[:-1]:
        try:
            return store.run(id), store
        except UnknownRunError:
            pass
    return stores[-1].run(id), stores[-1]


def _lease() -> float:
    return time.time() + LEASE_SECONDS


def _is_live() -> sql.ColumnElement[bool]:
    return RUNS.c.status.in_(["queued", "running"])


def _is_free() -> sql.ColumnElement[bool]:
    return sql.or_(sql.not_(_is_live()), RUNS.c.lease < time.time())


def _status(written: str, lease: float, now: float) -> Status:
    status = Status(written)
    return Status.INTERRUPTED if status.is_live and lease < now else status


def _replace(
    connection: Connection, table: sql.Table, key: Mapping[str, Any], content: Any, **others: Any
) -> None:
    connection.execute(table.delete().where(*(table.c[name] == key[name] for name in key)))
    connection.execute(table.insert().values(**key, **others, content=content))
