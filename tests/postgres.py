"""A PostgreSQL server of the tests' own: on a free port, in a folder that is deleted afterwards."""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql

PASSWORD = "kept from everyone"
REQUIRED = "TEST_POSTGRES"  # `required`: that it is not installed is a failure


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian has one for each version, not in the path."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((file.parent for file in versions), key=lambda f: int(f.parent.name), default=None)


class Postgres:
    """A server that runs.

    Args:
        home: The folder of its programs.
        folder: Where it keeps everything.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        self._home, self._data = home, folder / "data"
        # It refuses to run as root.
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        self._user = {"user": "postgres", "group": "postgres"} if is_root else {}
        if self._user:
            shutil.chown(folder, "postgres", "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._numbers = itertools.count(1)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        self._call(
            *("initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--username=tests"),
            *("--auth=scram-sha-256", f"--pwfile={secret}", f"--pgdata={self._data}"),
        )
        self.start()

    def start(self) -> None:
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
            "-c fsync=off -c max_connections=200"
        )
        self._control("start", "-w", "-o", options, "-l", str(self._data.parent / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; `immediate` closes no connection properly, as a crash."""
        self._control("stop", "-w", "-m", mode)

    def url(self, database: str, driver: str = "postgresql+psycopg") -> str:
        password = PASSWORD.replace(" ", "%20")
        return f"{driver}://tests:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database, and return its URL."""
        name = f"runs{next(self._numbers)}"
        engine = sql.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self.url(name)

    def _control(self, *arguments: str) -> None:
        self._call("pg_ctl", f"--pgdata={self._data}", *arguments)

    def _call(self, program: str, *arguments: str) -> None:
        # What it starts keeps its output open, so there is no waiting for the end of a pipe.
        with tempfile.TemporaryFile("w+") as said:
            command = [self._home / program, *arguments]
            done = subprocess.run(
                command, check=False, cwd="/", stdout=said, stderr=said, **self._user
            )
            said.seek(0)
            assert done.returncode == 0, said.read()


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """Start a server; skip the test where PostgreSQL is not installed."""
    home = programs()
    if home is None:
        assert os.environ.get(REQUIRED) != "required", "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed")
    # Not in pytest's folder, which the server's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="explorer-postgres-"))
    try:
        server = Postgres(home, folder)
        try:
            yield server
        finally:
            with contextlib.suppress(AssertionError):  # a test may have left it stopped
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
