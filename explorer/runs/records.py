"""Reads what the tables hold back into runs and events, and says of which it cannot be read."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from explorer.language import Recorded, bare, say
from explorer.runs.run import Run, RunSpec, Status, UnreadableRun, UnreadableRunError
from explorer.training import events
from explorer.training.events import Epoch, Event, Moment, Started

# What Python raises where a record is damaged or of a later version.
_ERRORS = (ArithmeticError, LookupError, OSError, TypeError, ValueError)

_PLAIN: dict[Any, Any] = {int: int, float: (int, float), str: str}


def read_event(id: str, kind: str, content: str) -> Event:
    """Return an event of the run `id`.

    Raises:
        UnreadableRunError: It is damaged, or of a later version.
    """
    try:
        event = events.from_json(kind, json.loads(content))
        for field in fields(event):
            value = getattr(event, field.name)
            if not isinstance(value, _PLAIN.get(field.type, object)):
                raise TypeError(say("{name} cannot be {value}", name=field.name, value=repr(value)))
    except _ERRORS as error:
        raise UnreadableRunError(
            say(
                "Run {id} cannot be read: it was made by a newer version of the explorer, or is "
                "damaged. Its event {kind!r}: {reason}.",
                id=id,
                kind=kind,
                reason=bare(str(error)),
            )
        ) from error
    return event


def read_spec(id: str, spec: str) -> RunSpec:
    """Return the spec of the run `id`.

    Raises:
        UnreadableRunError: It is damaged, or of a later version.
    """
    try:
        return RunSpec.from_json(json.loads(spec))
    except _ERRORS as error:
        raise _unreadable(id, error) from error


def read_runs(
    rows: Iterable[Any], happened: Iterable[Any], now: float
) -> list[Run | UnreadableRun]:
    """Return the runs of these rows, in their order.

    Args:
        rows: Of the table of runs, with `spec` as text.
        happened: Run, kind, and content as text, of each start and each epoch, in order.
        now: The time, in seconds since 1970; earlier leases have run out.
    """
    started: dict[str, Started] = {}
    epochs: dict[str, list[Epoch]] = defaultdict(list)
    damaged: dict[str, UnreadableRunError] = {}
    for row in happened:
        try:
            event = read_event(row.run, row.kind, row.content)
        except UnreadableRunError as error:
            damaged[row.run] = error
        else:
            if isinstance(event, Started):
                started[row.run] = event
            elif isinstance(event, Epoch):
                epochs[row.run].append(event)
    found: list[Run | UnreadableRun] = []
    for row in rows:
        try:
            if row.id in damaged:
                raise damaged[row.id]
            run = _read_run(row, started.get(row.id), tuple(epochs[row.id]), now)
        except UnreadableRunError as error:
            found.append(UnreadableRun(row.id, str(error)))
        else:
            found.append(run)
    return found


def _read_run(row: Any, started: Started | None, epochs: tuple[Epoch, ...], now: float) -> Run:
    spec = read_spec(row.id, row.spec)
    try:
        status = Status(row.status)
        return Run(
            id=row.id,
            spec=spec,
            status=Status.INTERRUPTED if status.is_live and row.lease < now else status,
            reason=Recorded(row.reason),
            created=datetime.fromtimestamp(row.created, UTC),
            started=started,
            epochs=epochs,
            traceback=row.traceback,
            name=row.name,
            note=row.note,
            kept=Moment(row.epoch or 0, row.step or 0),
            kept_seconds=row.seconds or 0.0,
        )
    except _ERRORS as error:
        raise _unreadable(row.id, error) from error


def _unreadable(id: str, error: Exception) -> UnreadableRunError:
    return UnreadableRunError(
        say(
            "Run {id} cannot be read: it was made by a newer version of the explorer, or is "
            "damaged. Its record: {reason}.",
            id=id,
            reason=bare(str(error)),
        )
    )
