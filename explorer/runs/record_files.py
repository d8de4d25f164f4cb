"""Recorded runs with what was measured of them, in one file that ships with a lesson.

`explorer record` makes such a file from a list of runs; `packing.py` makes it small.
"""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from explorer.errors import ExplorerError
from explorer.language import listed, say
from explorer.runs.run import Run
from explorer.runs.store import RunStore
from explorer.text import date_words

_TABLES = """
CREATE TABLE IF NOT EXISTS measured (
    run TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, name)
);
CREATE TABLE IF NOT EXISTS made (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class NoRecordError(ExplorerError, LookupError):
    """A record has no such run, or not what is asked for was measured of it."""


class Made(NamedTuple):
    """Where and when a record was made.

    Attributes:
        machine: The processor.
        day: When it was finished.
        torch: The version of torch.
    """

    machine: str
    day: date
    torch: str


class Records:
    """A file of recorded runs, which is only read.

    Args:
        file: As `explorer record` makes it.

    Raises:
        NoRecordError: There is no such file.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise NoRecordError(
                say(
                    "There is no {file} here; `explorer record` makes it of {list}.",
                    file=file.name,
                    list=file.with_suffix(".toml").name,
                )
            )
        self._file = file
        self.store = RunStore(f"sqlite:///{file.as_uri()}?mode=ro&immutable=1&uri=true")

    @cached_property
    def runs(self) -> list[Run]:
        """All runs."""
        return self.store.runs()

    def of(self, architecture: str, **wanted: object) -> list[Run]:
        """Return the runs of an architecture, the first seed first.

        Args:
            architecture: Its name.
            wanted: Values of options, `dataset`, or fields of the recipe, by name.

        Raises:
            NoRecordError: There is none.
        """
        found = [
            run
            for run in self.runs
            if run.spec.architecture == architecture
            and all(_fact(run, name) == value for name, value in wanted.items())
        ]
        if not found:
            facts = [f"{name} {value}" for name, value in wanted.items()]
            raise NoRecordError(
                say(
                    "{file} has no run of {architecture} with {facts}.",
                    file=self._file.name,
                    architecture=architecture,
                    facts=listed(facts, ","),
                )
            )
        return sorted(found, key=lambda run: run.spec.recipe.seed)

    def measured(self, run: Run, name: str) -> Any:
        """Return what was measured of a run under this name.

        Raises:
            NoRecordError: Nothing was.
        """
        try:
            return self._measured[run.id, name]
        except KeyError:
            raise NoRecordError(
                say(
                    "{file} has no {name} of the run {run}.",
                    file=self._file.name,
                    name=name,
                    run=run.id,
                )
            ) from None

    @cached_property
    def made(self) -> Made:
        """Where and when they were made."""
        with closing(sqlite3.connect(self._uri, uri=True)) as database:
            said = dict(database.execute("SELECT name, value FROM made"))
        return Made(said["machine"], date.fromisoformat(said["day"]), said["torch"])

    @property
    def origin(self) -> str:
        """The same as a sentence."""
        made = self.made
        return say(
            "Recorded on {day} ({machine}, torch {torch}), {runs:,} runs.",
            day=date_words(made.day),
            machine=made.machine,
            torch=made.torch,
            runs=len(self.runs),
        )

    @property
    def _uri(self) -> str:
        return f"{self._file.absolute().as_uri()}?mode=ro&immutable=1"

    @cached_property
    def _measured(self) -> Mapping[tuple[str, str], Any]:
        with closing(sqlite3.connect(self._uri, uri=True)) as database:
            rows = database.execute("SELECT run, name, value FROM measured").fetchall()
        return {(run, name): json.loads(value) for run, name, value in rows}


def note(file: Path, run: str, name: str, value: object) -> None:
    """Write into a record what was measured of a run; it can be written as JSON."""
    with closing(_opened(file)) as database, database:
        row = (run, name, json.dumps(value, separators=(",", ":")))
        database.execute("INSERT OR REPLACE INTO measured VALUES (?, ?, ?)", row)


def noted(file: Path) -> set[tuple[str, str]]:
    """Return of which runs what was measured."""
    with closing(_opened(file)) as database:
        return set(database.execute("SELECT run, name FROM measured").fetchall())


def sign(file: Path, made: Made) -> None:
    """Write into a record where and when it was made."""
    values = {"machine": made.machine, "day": made.day.isoformat(), "torch": made.torch}
    with closing(_opened(file)) as database, database:
        database.executemany("INSERT OR REPLACE INTO made VALUES (?, ?)", values.items())


def _opened(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file)
    database.executescript(_TABLES)
    return database


def _fact(run: Run, name: str) -> object:
    if name == "dataset":
        return run.spec.dataset
    if name in run.spec.options:
        return run.spec.options[name]
    return getattr(run.spec.recipe, name, None)
