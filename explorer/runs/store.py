"""The store: where runs are kept, and all that a trainer and its watchers share.

Whoever trains a run owns it and renews a lease on it. A run whose lease has run out is interrupted,
whatever happened to its owner: nothing needs cleaning up after a crash.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from explorer.language import listed, say
from explorer.runs.database import connect, watch_file
from explorer.runs.faults import StoreError, TakenError, store_error
from explorer.runs.records import read_event, read_runs, read_spec
from explorer.runs.run import (
    MOST_NAME,
    MOST_NOTE,
    LongNameError,
    MissingWeightsError,
    Run,
    RunIsBusyError,
    RunSpec,
    Status,
    UnknownRunError,
    UnreadableRun,
    UnreadableRunError,
    epochs_to_keep,
)
from explorer.runs.schema import EVENTS, RUNS, TRAINING_STATES, WEIGHTS
from explorer.training import events
from explorer.training.events import (
    Checkpoint,
    Epoch,
    Event,
    Gradients,
    Moment,
    Score,
    Started,
    Step,
    Update,
)

__all__ = ["LEASE_SECONDS", "RunStore", "StoreError", "find_run"]

LEASE_SECONDS = 6.0

_E = TypeVar("_E", bound=Event)

# An event has the number of its step, apart from these.
_NUMBERS: Mapping[type[Event], str] = {Started: "finished_epochs", Epoch: "epoch"}
_UNFINISHED = [str(status) for status in Status if status is not Status.FINISHED]
_LASTING = [cls.__name__.lower() for cls in _NUMBERS]  # kinds that every reading of a run needs


class RunStore:
    """Runs in a database: SQLite for one machine, PostgreSQL or another where several share it.

    Each method is one transaction, so a reader never sees half an epoch.

    Args:
        url: Where it is, as a SQLAlchemy URL, such as `sqlite:////home/me/runs.sqlite`. An SQLite
            URL with `mode=ro` is only read from.

    Raises:
        StoreError: The database cannot be opened; each method raises it where the database cannot
            be read or written.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = connect(url)
        self._check_file = watch_file(self._engine)

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Do all that the block does with the connection, or nothing of it."""
        self._check_file()
        try:
            with self._engine.begin() as connection:
                yield connection
        except (sql.exc.SQLAlchemyError, UnicodeDecodeError) as error:  # of damaged texts
            raise store_error(self._url, error) from error

    # What anyone may ask.

    def add(self, spec: RunSpec) -> Run:
        """Return the run of this spec: the one there is, or a new one that waits to be claimed.

        Raises:
            UnknownRunError: Its weights were imported and are gone, so there is nothing to train.
            UnreadableRunError: There is one, and it cannot be read.
        """
        if spec.imported:
            return self.run(spec.id)
        row = {"id": spec.id, "spec": spec.to_json(), "status": "queued", "created": time.time()}
        try:
            with self.transaction() as connection:
                connection.execute(RUNS.insert().values(row))
        except TakenError:
            pass  # it is there, possibly since a moment ago
        return self.run(spec.id)

    def add_imported(self, spec: RunSpec, started: Started, epoch: Epoch, weights: bytes) -> Run:
        """Return the run of this spec: the one there is, or a new one that is finished at once.

        Args:
            spec: Says which weights are imported.
            started: What they were scored on.
            epoch: Their scores.
            weights: A state dict, as safetensors.

        Raises:
            UnreadableRunError: There is one, and it cannot be read.
        """
        row = {"id": spec.id, "spec": spec.to_json(), "status": "finished", "created": time.time()}
        happened = [
            {"run": spec.id, "kind": events.kind(e), "number": n, "content": events.to_json(e)}
            for e, n in ((started, started.finished_epochs), (epoch, epoch.epoch))
        ]
        kept = {"run": spec.id, "epoch": epoch.epoch, "content": weights}
        try:
            with self.transaction() as connection:
                connection.execute(RUNS.insert().values(row))
                connection.execute(EVENTS.insert(), happened)
                connection.execute(WEIGHTS.insert().values(kept))
        except TakenError:
            pass  # it is there, possibly since a moment ago
        return self.run(spec.id)

    def run(self, id: str) -> Run:
        """Return the run with this id.

        Raises:
            UnknownRunError: There is none.
            UnreadableRunError: Its record cannot be read.
        """
        return _one(id, self._read(RUNS.c.id == id))

    def runs(self) -> list[Run]:
        """Return all runs that can be read, the newest first."""
        return [run for run in self._read(sql.true()) if isinstance(run, Run)]

    def unreadable(self) -> list[UnreadableRun]:
        """Return the runs that cannot be read, and why; they can be deleted."""
        return [run for run in self._read(sql.true()) if isinstance(run, UnreadableRun)]

    def counts(self) -> dict[Status, int]:
        """Return how many runs there are of each status, also of those that cannot be read."""
        is_left = sql.and_(_is_live(), RUNS.c.lease < time.time())
        status = sql.case((is_left, Status.INTERRUPTED.value), else_=RUNS.c.status)
        with self.transaction() as connection:
            found = connection.execute(sql.select(status, sql.func.count()).group_by(status)).all()
        counted = dict.fromkeys(Status, 0)
        for name, number in found:
            with contextlib.suppress(ValueError):  # a status of a later version
                counted[Status(name)] += number
        return counted

    def trained_seconds(self) -> float:
        """Return the wall time of all finished epochs of all runs, in seconds."""
        query = sql.select(EVENTS.c.run, _text(EVENTS.c.content)).where(EVENTS.c.kind == "epoch")
        total = 0.0
        with self.transaction() as connection:
            for run, content in connection.execute(query):
                with contextlib.suppress(UnreadableRunError):
                    event = read_event(run, "epoch", content)
                    total += event.seconds if isinstance(event, Epoch) else 0.0
        return total

    def ids(self, beginning: str) -> list[str]:
        """Return the ids that begin so, also of runs that cannot be read; at most ten."""
        query = sql.select(RUNS.c.id).where(RUNS.c.id.startswith(beginning, autoescape=True))
        with self.transaction() as connection:
            return list(connection.scalars(query.order_by(RUNS.c.id).limit(10)))

    def steps(self, id: str, after: int = 0) -> list[Step]:
        """Return what a run reported after its step `after`."""
        return self._events(id, Step, after)

    def scores(self, id: str) -> list[Score]:
        """Return the scores within a run's epochs, in order; its recipe may ask for none."""
        return self._events(id, Score, 0)

    def gradients(self, id: str) -> list[Gradients]:
        """Return the gradient norms that a run recorded, in order; its recipe may ask for none."""
        return self._events(id, Gradients, 0)

    def _events(self, id: str, cls: type[_E], after: int) -> list[_E]:
        kind = cls.__name__.lower()
        query = (
            sql.select(_text(EVENTS.c.content))
            .where(EVENTS.c.run == id, EVENTS.c.kind == kind, EVENTS.c.number > after)
            .order_by(EVENTS.c.number)
        )
        with self.transaction() as connection:
            found = (read_event(id, kind, text) for text in connection.scalars(query))
            return [event for event in found if isinstance(event, cls)]

    def updates(self, id: str) -> list[Update]:
        """Return the steps of a run that were looked at closely, in order."""
        return self._events(id, Update, 0)

    def moments(self, id: str) -> list[Moment]:
        """Return when the weights of a run were kept.

        These are its first and last epoch, up to ten between, and, where it is paused or goes on
        within an epoch, the last step at which they were.
        """
        query = (
            sql.select(WEIGHTS.c.epoch, WEIGHTS.c.step)
            .where(WEIGHTS.c.run == id)
            .order_by(WEIGHTS.c.epoch)
        )
        with self.transaction() as connection:
            return [Moment(epoch, step) for epoch, step in connection.execute(query)]

    def moment(self, id: str, epoch: int | None = None) -> Moment:
        """Return when the weights of a run were kept: in or after an epoch, or last.

        Raises:
            MissingWeightsError: They were not.
        """
        kept = self.moments(id)
        if not kept:
            raise MissingWeightsError(
                say("Run {id} has no weights yet; `explorer train` goes on with it.", id=id)
            )
        for moment in kept:
            if moment.epoch == epoch:
                return moment
        if epoch is None:
            return kept[-1]
        raise MissingWeightsError(_missing(id, Moment(epoch), kept))

    def kept_epochs(self, id: str) -> list[int]:
        """Return the finished epochs of a run whose weights are kept."""
        return [moment.epoch for moment in self.moments(id) if moment.is_whole]

    def weights(self, id: str, moment: Moment) -> bytes:
        """Return the weights that a run had at a moment, as safetensors.

        Raises:
            MissingWeightsError: They were not kept, or others were since.
        """
        query = sql.select(WEIGHTS.c.content).where(
            WEIGHTS.c.run == id, WEIGHTS.c.epoch == moment.epoch, WEIGHTS.c.step == moment.step
        )
        with self.transaction() as connection:
            if (content := connection.scalar(query)) is not None:
                return bytes(content)
        raise MissingWeightsError(_missing(id, moment, self.moments(id)))

    def rename(self, id: str, name: str, note: str) -> None:
        """Give a run a name and a note; nothing if there is no such run.

        Raises:
            LongNameError: One of them is too long to be shown.
        """
        name, note = name.strip(), note.strip()
        if len(name) > MOST_NAME:
            raise LongNameError(
                say(
                    "The name of a run may have {most:,} characters, and this one has {number:,}; "
                    "shorten it.",
                    most=MOST_NAME,
                    number=len(name),
                )
            )
        if len(note) > MOST_NOTE:
            raise LongNameError(
                say(
                    "The note of a run may have {most:,} characters, and this one has {number:,}; "
                    "shorten it.",
                    most=MOST_NOTE,
                    number=len(note),
                )
            )
        with self.transaction() as connection:
            named = RUNS.update().where(RUNS.c.id == id).values(name=name, note=note)
            connection.execute(named)

    def request_stop(self, id: str) -> None:
        """Ask the owner of the run to pause it at its next report."""
        with self.transaction() as connection:
            connection.execute(RUNS.update().where(RUNS.c.id == id).values(stop=True))

    def delete(self, id: str) -> None:
        """Delete a run, its weights included, whether it can be read or not.

        Raises:
            RunIsBusyError: It is being trained.
        """
        with self.transaction() as connection:
            gone = connection.execute(RUNS.delete().where(RUNS.c.id == id, is_free()))
            found = connection.scalar(sql.select(RUNS.c.id).where(RUNS.c.id == id))
        if found and not gone.rowcount:
            raise RunIsBusyError(
                say("Run {id} is being trained; stop it before you delete it.", id=id)
            )

    # What the owner of a run says. All but `claim` does nothing for anyone else.

    def claim(self, id: str, owner: str) -> Run:
        """Become the owner of a run, to train it from where it was last kept.

        What was reported after that is deleted: it will be reported again.

        Raises:
            UnknownRunError: There is no such run.
            UnreadableRunError: Its record cannot be read.
            RunIsBusyError: Another has it, or it is finished.
        """
        with self.transaction() as connection:
            claimed = connection.execute(
                RUNS.update()
                .where(RUNS.c.id == id, RUNS.c.status.in_(_UNFINISHED), is_free())
                .values(
                    status="queued",
                    reason="",
                    traceback="",
                    owner=owner,
                    lease=_lease(),
                    stop=False,
                )
            )
            run = _one(id, _read(connection, RUNS.c.id == id))  # an error undoes the claim
            if claimed.rowcount:
                steps = run.kept.step
                if run.kept.is_whole and run.started:
                    steps = run.kept.epoch * run.started.steps_per_epoch
                connection.execute(
                    EVENTS.delete().where(
                        EVENTS.c.run == id,
                        EVENTS.c.kind.not_in(_LASTING),
                        EVENTS.c.number > steps,
                    )
                )
        if not claimed.rowcount:
            raise RunIsBusyError(
                say("Run {id} is finished.", id=id)
                if run.status is Status.FINISHED
                else say("Run {id} is being trained already.", id=id)
            )
        return run

    def begin(self, id: str, owner: str) -> None:
        """Say that the training of a claimed run begins."""
        with self.transaction() as connection:
            connection.execute(
                RUNS.update()
                .where(RUNS.c.id == id, RUNS.c.owner == owner, RUNS.c.status == "queued")
                .values(status="running", lease=_lease())
            )

    def append(self, id: str, owner: str, event: Event) -> bool | None:
        """Store an event; an epoch with its checkpoint.

        Returns:
            Whether to proceed: not if a stop was requested. `None` if the run is no longer
            `owner`'s, in which case nothing was stored.
        """
        checkpoint = event.checkpoint() if isinstance(event, Epoch) and event.checkpoint else None
        with self.transaction() as connection:
            if not _trains(connection, id, owner):
                return None
            number = getattr(event, _NUMBERS.get(type(event), "step"))
            key = {"run": id, "kind": events.kind(event), "number": number}
            _replace(connection, EVENTS, key, events.to_json(event))
            if checkpoint:
                self._keep(connection, id, checkpoint)
            return not connection.scalar(sql.select(RUNS.c.stop).where(RUNS.c.id == id))

    def keep(self, id: str, owner: str, checkpoint: Checkpoint) -> None:
        """Keep what is needed to go on from here, in place of what was kept before.

        Of one epoch, only the last moment is kept.
        """
        with self.transaction() as connection:
            if _trains(connection, id, owner):
                self._keep(connection, id, checkpoint)

    def checkpoint(self, id: str) -> Checkpoint | None:
        """Return what is needed to continue a run from where it was last kept, if it was."""
        state = TRAINING_STATES.c
        query = (
            sql.select(state.epoch, state.step, state.seconds, WEIGHTS.c.content, state.content)
            .join(WEIGHTS, WEIGHTS.c.run == state.run)
            .where(state.run == id, WEIGHTS.c.epoch == state.epoch, WEIGHTS.c.step == state.step)
        )
        with self.transaction() as connection:
            row = connection.execute(query).first()
        if not row:
            return None
        epoch, step, seconds, weights, training = row
        return Checkpoint(Moment(epoch, step), bytes(weights), bytes(training), seconds)

    def end(
        self, id: str, owner: str, status: Status, reason: str = "", traceback: str = ""
    ) -> bool:
        """End the run, if it is live and still `owner`'s; return whether it was.

        Args:
            id: The run.
            owner: Who says so.
            status: How it ended.
            reason: Why, in a sentence, if it failed.
            traceback: Of the error that it failed with.
        """
        with self.transaction() as connection:
            ended = connection.execute(
                RUNS.update()
                .where(RUNS.c.id == id, RUNS.c.owner == owner, _is_live())
                .values(status=str(status), reason=reason, traceback=traceback, lease=0.0)
            )
            if ended.rowcount and status is Status.FINISHED:
                connection.execute(TRAINING_STATES.delete().where(TRAINING_STATES.c.run == id))
        return bool(ended.rowcount)

    def renew(self, owner: str) -> None:
        """Renew `owner`'s lease on all runs that it has claimed."""
        with self.transaction() as connection:
            connection.execute(
                RUNS.update().where(RUNS.c.owner == owner, _is_live()).values(lease=_lease())
            )

    def _keep(self, connection: Connection, id: str, checkpoint: Checkpoint) -> None:
        epoch, step = checkpoint.moment
        _replace(connection, WEIGHTS, {"run": id, "epoch": epoch}, checkpoint.weights, step=step)
        _replace(
            connection,
            TRAINING_STATES,
            {"run": id},
            checkpoint.training_state,
            epoch=epoch,
            step=step,
            seconds=checkpoint.seconds,
        )
        text = connection.scalar(sql.select(_text(RUNS.c.spec)).where(RUNS.c.id == id))
        epochs = read_spec(id, text or "").recipe.epochs
        passing = WEIGHTS.c.epoch.not_in(epochs_to_keep(epochs) | {epoch})
        connection.execute(WEIGHTS.delete().where(WEIGHTS.c.run == id, passing))

    def _read(self, which: sql.ColumnElement[bool]) -> list[Run | UnreadableRun]:
        with self.transaction() as connection:
            return _read(connection, which)


def _read(connection: Connection, which: sql.ColumnElement[bool]) -> list[Run | UnreadableRun]:
    happened = (
        sql.select(EVENTS.c.run, EVENTS.c.kind, _text(EVENTS.c.content))
        .join(RUNS, RUNS.c.id == EVENTS.c.run)
        .where(which, EVENTS.c.kind.in_(_LASTING))
        .order_by(EVENTS.c.number)
    )
    plain = (column for column in RUNS.c if column is not RUNS.c.spec)
    state = TRAINING_STATES.c
    kept = (state.epoch, state.step, state.seconds)
    rows = (
        sql.select(*plain, _text(RUNS.c.spec), *kept)
        .outerjoin(TRAINING_STATES, state.run == RUNS.c.id)
        .where(which)
        .order_by(RUNS.c.created.desc())
    )
    return read_runs(
        connection.execute(rows).all(), connection.execute(happened).all(), time.time()
    )


def _one(id: str, found: Sequence[Run | UnreadableRun]) -> Run:
    match found:
        case [Run() as run]:
            return run
        case [UnreadableRun(reason=reason)]:
            raise UnreadableRunError(reason)
    raise UnknownRunError(
        say("There is no run {id!r}; `explorer runs` lists all there are.", id=id)
    )


def _missing(id: str, moment: Moment, kept: Sequence[Moment]) -> str:
    return say(
        "Run {id} has no weights of {moment}; kept are [{kept}].",
        id=id,
        moment=moment,
        kept=listed([str(each.epoch if each.is_whole else each) for each in kept], ","),
    )


def _text(column: sql.ColumnElement[Any]) -> sql.ColumnElement[str]:
    """Select a JSON column as text, since what cannot be read must not end the query."""
    return sql.cast(column, sql.Text).label(column.key)


def find_run(id: str, stores: Sequence[RunStore]) -> tuple[Run, RunStore]:
    """Return a run and the first of these stores that has it.

    Args:
        id: Its id, or the beginning of it that no other run has.
        stores: Where it is looked for.

    Raises:
        UnknownRunError: None has it, or several runs begin so.
        UnreadableRunError: The first that has it cannot read it.
    """
    found = {own: store for store in reversed(stores) for own in store.ids(id) if id}
    if id not in found and len(found) > 1:
        raise UnknownRunError(
            say(
                "Several runs have ids that begin with {id!r}: {ids}; give more digits.",
                id=id,
                ids=listed(sorted(found), ","),
            )
        )
    whole = id if id in found or not found else next(iter(found))
    store = found.get(whole, stores[-1])
    return store.run(whole), store


def _lease() -> float:
    return time.time() + LEASE_SECONDS


def _trains(connection: Connection, id: str, owner: str) -> bool:
    """Renew the lease of who trains a run; return whether that is `owner`.

    Writing first takes SQLite's write lock at once, instead of failing to get it later.
    """
    owned = connection.execute(
        RUNS.update()
        .where(RUNS.c.id == id, RUNS.c.owner == owner, RUNS.c.status == "running")
        .values(lease=_lease())
    )
    return bool(owned.rowcount)


def _is_live() -> sql.ColumnElement[bool]:
    return RUNS.c.status.in_(["queued", "running"])


def is_free() -> sql.ColumnElement[bool]:
    """Select the runs that nobody trains."""
    return sql.or_(sql.not_(_is_live()), RUNS.c.lease < time.time())


def _replace(
    connection: Connection, table: sql.Table, key: Mapping[str, Any], content: Any, **others: Any
) -> None:
    connection.execute(table.delete().where(*(table.c[name] == key[name] for name in key)))
    connection.execute(table.insert().values(**key, **others, content=content))
