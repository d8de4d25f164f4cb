"""The store: where runs are kept, and all that a trainer and its watchers share.

Whoever trains a run owns it and renews a lease on it. A run whose lease ran out is interrupted,
whatever became of its owner: nothing has to be cleaned up after a crash.
"""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from explorer import events
from explorer.events import Checkpoint, Epoch, Event, Started, Step
from explorer.runs import (
    Run,
    RunIsBusyError,
    RunSpec,
    Status,
    UnknownRunError,
    epochs_to_keep,
)

LEASE_SECONDS = 6.0

_schema = sql.MetaData()

_runs = sql.Table(
    "runs",
    _schema,
    sql.Column("id", sql.String(12), primary_key=True),
    sql.Column("spec", sql.JSON, nullable=False),
    sql.Column("status", sql.String(12), nullable=False),
    sql.Column("reason", sql.Text, nullable=False, default=""),
    sql.Column("created", sql.Float, nullable=False),
    sql.Column("owner", sql.String(80), nullable=False, default=""),
    sql.Column("lease", sql.Float, nullable=False, default=0.0),
    sql.Column("stop", sql.Boolean, nullable=False, default=False),
)


def _run_id() -> sql.Column[str]:
    return sql.Column(
        "run", sql.ForeignKey(_runs.c.id, ondelete="CASCADE"), primary_key=True, index=True
    )


# A step is numbered by itself, an epoch too; a start by the epochs that were finished before it.
_events = sql.Table(
    "events",
    _schema,
    _run_id(),
    sql.Column("kind", sql.String(8), primary_key=True),
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("content", sql.JSON, nullable=False),
)
_weights = sql.Table(
    "weights",
    _schema,
    _run_id(),
    sql.Column("epoch", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("content", sql.LargeBinary, nullable=False),
)
_progress = sql.Table(
    "progress",
    _schema,
    _run_id(),
    sql.Column("epoch", sql.Integer, nullable=False),
    sql.Column("content", sql.LargeBinary, nullable=False),
)


class StoreError(RuntimeError):
    """The database cannot be used; the message names it."""


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
        try:
            self._engine = sql.create_engine(url)
            if self._engine.dialect.name == "sqlite":
                read_only = "mode=ro" in url
                sql.event.listen(self._engine, "connect", _set_up_sqlite(read_only))
                if read_only:
                    return
                Path(self._engine.url.database or ".").parent.mkdir(parents=True, exist_ok=True)
            self._create()
        except (sql.exc.SQLAlchemyError, ImportError, OSError) as error:
            reason = str(error).splitlines()[0]
            shown = re.sub("//([^:/@]*):[^@]*@", r"//\1:***@", url)  # without the password
            raise StoreError(
                f"The database of the runs, {shown}, cannot be used: {reason}; set "
                "EXPLORER_DATABASE_URL to another, such as sqlite:////home/me/runs.sqlite."
            ) from error

    def _create(self) -> None:
        """Make the tables, unless they are there; several may try at once, and one wins."""
        for last in (*[False] * 50, True):
            try:
                return _schema.create_all(self._engine)
            except sql.exc.OperationalError as error:
                if last or not re.search("locked|already exists", str(error)):
                    raise
                time.sleep(0.1)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # What anyone may ask.

    def add(self, spec: RunSpec) -> Run:
        """The run of this spec: the one there is, or a new one that waits to be claimed."""
        row = {"id": spec.id, "spec": spec.to_json(), "status": "queued", "created": time.time()}
        try:
            with self._engine.begin() as connection:
                connection.execute(_runs.insert().values(row))
        except sql.exc.IntegrityError:
            pass  # it is there, perhaps since a moment ago
        return self.run(spec.id)

    def run(self, id: str) -> Run:
        """The run of that id.

        Raises:
            UnknownRunError: There is none.
        """
        if found := self._read(_runs.c.id == id):
            return found[0]
        raise UnknownRunError(f"There is no run {id!r}; `explorer runs` lists all there are.")

    def runs(self) -> list[Run]:
        """All runs, the newest first."""
        return self._read(sql.true())

    def steps(self, id: str, after: int = 0) -> list[Step]:
        """What a run reported after its step `after`."""
        query = (
            sql.select(_events.c.content)
            .where(_events.c.run == id, _events.c.kind == "step", _events.c.number > after)
            .order_by(_events.c.number)
        )
        with self._engine.connect() as connection:
            return [Step(**content) for content in connection.scalars(query)]

    def kept_epochs(self, id: str) -> list[int]:
        """The epochs of a run whose weights are kept: first, last and up to ten between."""
        query = sql.select(_weights.c.epoch).where(_weights.c.run == id).order_by(_weights.c.epoch)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def weights(self, id: str, epoch: int) -> bytes:
        """The weights that a run had after `epoch`, as safetensors.

        Raises:
            LookupError: They were not kept.
        """
        query = sql.select(_weights.c.content).where(
            _weights.c.run == id, _weights.c.epoch == epoch
        )
        with self._engine.connect() as connection:
            if (content := connection.scalar(query)) is not None:
                return bytes(content)
        raise LookupError(
            f"Run {id} has no weights of epoch {epoch}; kept are {self.kept_epochs(id)}."
        )

    def request_stop(self, id: str) -> None:
        """Ask whoever trains the run to stop at its next event."""
        with self._engine.begin() as connection:
            connection.execute(_runs.update().where(_runs.c.id == id).values(stop=True))

    def delete(self, id: str) -> None:
        """Forget a run, its weights included.

        Raises:
            RunIsBusyError: It is being trained.
        """
        with self._engine.begin() as connection:
            gone = connection.execute(_runs.delete().where(_runs.c.id == id, _is_free()))
        if not gone.rowcount and self._read(_runs.c.id == id):
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
                _runs.update()
                .where(_runs.c.id == id, _runs.c.status != "finished", _is_free())
                .values(status="queued", reason="", owner=owner, lease=_lease(), stop=False)
            )
            if claimed.rowcount:
                last = connection.scalar(sql.select(_progress.c.epoch).where(_progress.c.run == id))
                start = connection.scalar(
                    sql.select(_events.c.content)
                    .where(_events.c.run == id, _events.c.kind == "started")
                    .limit(1)
                )
                steps = (last or 0) * (start or {"steps_per_epoch": 0})["steps_per_epoch"]
                connection.execute(
                    _events.delete().where(
                        _events.c.run == id, _events.c.kind == "step", _events.c.number > steps
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
                _runs.update()
                .where(_runs.c.id == id, _runs.c.owner == owner, _runs.c.status == "queued")
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
                _runs.update()
                .where(_runs.c.id == id, _runs.c.owner == owner, _runs.c.status == "running")
                .values(lease=_lease())
            )
            if not owned.rowcount:
                return False
            number = {Started: "finished_epochs", Step: "step", Epoch: "epoch"}[type(event)]
            key = {"run": id, "kind": events.kind(event), "number": getattr(event, number)}
            _replace(connection, _events, key, events.to_json(event))
            if isinstance(event, Epoch) and checkpoint:
                self._keep(connection, id, event.epoch, checkpoint)
            return not connection.scalar(sql.select(_runs.c.stop).where(_runs.c.id == id))

    def checkpoint(self, id: str) -> tuple[int, Checkpoint] | None:
        """The last finished epoch and all that is needed to go on from it; `None` at the start."""
        query = (
            sql.select(_progress.c.epoch, _weights.c.content, _progress.c.content)
            .join(_weights, _weights.c.run == _progress.c.run)
            .where(_progress.c.run == id, _weights.c.epoch == _progress.c.epoch)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return (row[0], Checkpoint(bytes(row[1]), bytes(row[2]))) if row else None

    def end(self, id: str, owner: str, status: Status, reason: str = "") -> bool:
        """Close the run, if it is live and still `owner`'s; return whether it was."""
        with self._engine.begin() as connection:
            ended = connection.execute(
                _runs.update()
                .where(_runs.c.id == id, _runs.c.owner == owner, _is_live())
                .values(status=str(status), reason=reason, lease=0.0)
            )
            if ended.rowcount and status is Status.FINISHED:
                connection.execute(_progress.delete().where(_progress.c.run == id))
        return bool(ended.rowcount)

    def renew(self, owner: str) -> None:
        """Renew `owner`'s lease on all runs that it has claimed."""
        with self._engine.begin() as connection:
            connection.execute(
                _runs.update().where(_runs.c.owner == owner, _is_live()).values(lease=_lease())
            )

    def _keep(self, connection: Connection, id: str, epoch: int, checkpoint: Checkpoint) -> None:
        _replace(connection, _weights, {"run": id, "epoch": epoch}, checkpoint.weights)
        connection.execute(_progress.delete().where(_progress.c.run == id))
        connection.execute(
            _progress.insert().values(run=id, epoch=epoch, content=checkpoint.progress)
        )
        spec = connection.scalar(sql.select(_runs.c.spec).where(_runs.c.id == id))
        passing = _weights.c.epoch.not_in(
            epochs_to_keep((spec or {})["recipe"]["epochs"]) | {epoch}
        )
        connection.execute(_weights.delete().where(_weights.c.run == id, passing))

    def _read(self, which: sql.ColumnElement[bool]) -> list[Run]:
        happened = (
            sql.select(_events.c.run, _events.c.kind, _events.c.content)
            .join(_runs, _runs.c.id == _events.c.run)
            .where(which, _events.c.kind != "step")
            .order_by(_events.c.number)
        )
        now = time.time()
        with self._engine.connect() as connection:
            rows = connection.execute(
                sql.select(_runs).where(which).order_by(_runs.c.created.desc())
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


def _lease() -> float:
    return time.time() + LEASE_SECONDS


def _is_live() -> sql.ColumnElement[bool]:
    return _runs.c.status.in_(["queued", "running"])


def _is_free() -> sql.ColumnElement[bool]:
    return sql.or_(sql.not_(_is_live()), _runs.c.lease < time.time())


def _status(written: str, lease: float, now: float) -> Status:
    status = Status(written)
    return Status.INTERRUPTED if status.is_live and lease < now else status


def _replace(
    connection: Connection, table: sql.Table, key: Mapping[str, Any], content: Any
) -> None:
    connection.execute(table.delete().where(*(table.c[name] == key[name] for name in key)))
    connection.execute(table.insert().values(**key, content=content))


def _set_up_sqlite(read_only: bool) -> Callable[[Any, Any], None]:
    def set_up(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 30000")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    return set_up
