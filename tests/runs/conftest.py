"""The databases in which the store is tested."""

import pytest
import sqlalchemy as sql
from postgres import running


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server."""
    with running() as server:
        yield server


class Database:
    """An empty database, and what a test does to it behind the store's back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")

    def execute(self, statement: str, **values: object) -> int:
        """Change rows; return how many."""
        engine = sql.create_engine(self.url)
        with engine.begin() as connection:
            changed = connection.execute(sql.text(statement), values).rowcount
        engine.dispose()
        return changed

    def rows(self, statement: str) -> list[tuple]:
        """All that a query finds."""
        engine = sql.create_engine(self.url)
        with engine.connect() as connection:
            if self.is_sqlite:
                connection.connection.driver_connection.text_factory = bytes
            found = [tuple(row) for row in connection.execute(sql.text(statement))]
        engine.dispose()
        return found


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path) -> Database:
    """Each kind of database in turn."""
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    return Database(request.getfixturevalue("postgres").new_database())
