"""Two servers on one PostgreSQL, which goes away, as one of them does, while a run is trained."""

import asyncio
import contextlib
import signal

import pytest
from postgres import running
from serving import serving
from visiting import PATIENCE, Visitor

from explorer.runs.run import Status
from explorer.runs.store import RunStore

LONG = 60  # epochs: more than are trained before what the test does
LEASES = 3 * PATIENCE  # seconds in which a server notices that another is gone


@pytest.fixture
def database():
    with running() as server:
        yield server


@pytest.fixture
def two(database, tmp_path, cache):
    """The database's URL, and the address and the process of each server."""
    url = database.new_database()
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(serving(tmp_path / str(number), cache, EXPLORER_DATABASE_URL=url))
            for number in range(2)
        ]
        yield url, *servers


@pytest.fixture
def store(two):
    store = RunStore(two[0])
    yield store
    store.close()


@contextlib.asynccontextmanager
async def visit(address, query="architecture=plain&fast.train_size=20000"):
    visitor = Visitor(address, "train", query)
    await visitor.arrive()
    try:
        yield visitor
    finally:
        await visitor.leave()


async def until(what, seconds=PATIENCE):
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.1)


async def train(visitor, store, epochs):
    """Have the visitor train *plain*, and return the run's id when its first steps are there."""
    await visitor.change("Epochs", epochs)
    await visitor.click("Train")
    (run,) = store.runs()
    await until(lambda: store.steps(run.id), LEASES)
    return run.id


def says(visitor, *words):
    return any(all(word in shown.label for word in words) for shown in visitor.shown.values())


def test_a_run_outlives_a_restart_of_the_database_and_each_server_shows_it(two, store, database):
    _, (one, _), (other, _) = two

    async def whole():
        async with visit(one) as pupil:
            id = await train(pupil, store, epochs=4)
            async with visit(other, f"run={id}") as watcher:
                database.stop()
                await until(lambda: says(watcher, "start its server"))
                told = watcher.errors
                database.start()
                await until(lambda: store.run(id).status is Status.FINISHED, LEASES)
            async with visit(other, f"run={id}") as late:
                assert not late.errors
                assert says(late, "Look inside plain")
            return id, [*pupil.errors, *told]

    id, told = asyncio.run(whole())
    assert len(store.run(id).epochs) == 4
    assert store.kept_epochs(id) == [1, 2, 3, 4]
    # Sentences, which say what to do, and neither a traceback nor an exception.
    assert told
    assert all(line.startswith("On the page: The database of the runs") for line in told), told


def test_what_a_killed_server_trained_goes_on_at_the_other(two, store):
    _, (one, server), (other, _) = two

    async def whole():
        async with visit(one) as pupil:
            id = await train(pupil, store, epochs=LONG)
            await until(lambda: store.run(id).epochs)
        server.send_signal(signal.SIGKILL)
        server.wait()
        async with visit(other, f"run={id}") as pupil:
            await until(lambda: says(pupil, "**plain** interrupted"), LEASES)
            kept = len(store.run(id).epochs)
            assert kept
            await pupil.click("Resume")
            await until(lambda: len(store.run(id).epochs) > kept, LEASES)
            await pupil.click("Pause")
            await until(lambda: not store.run(id).status.is_live)
            return id, pupil.errors

    id, errors = asyncio.run(whole())
    assert store.run(id).status is Status.PAUSED
    assert errors == []
