"""Measure the store under load: `python benchmarks/store.py [--json]`.

A worker process writes a run's events, one transaction each, while 20 threads poll the store as the
pages of 20 visitors do, each reading the whole run twice a second. The same writer without readers
takes turns with it.
"""

import multiprocessing
import tempfile
import threading
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

from common import Row, machine, parser, show

from explorer.engines.ownership import new_owner
from explorer.runs.run import RunSpec
from explorer.runs.store import RunStore
from explorer.training.events import Started, Step
from explorer.training.recipe import preset

READERS = 20
PAUSE = 0.5  # seconds between two reads, as on the page
SECONDS = 4.0  # of a round
ROUNDS = 5


def main() -> None:
    """Print the table."""
    as_json = parser(__doc__).parse_args().json
    quiet, busy = [], []
    for round in range(ROUNDS):
        quiet.append(_round(0, 2 * round))
        busy.append(_round(READERS, 2 * round + 1))
    pairs = zip(busy, quiet, strict=True)
    ratio = median(one["written a second"] / other["written a second"] for one, other in pairs)
    rows = [_middle(0, quiet), _middle(READERS, busy)]
    show({**machine(), "written with readers, of written without": ratio, "Events": rows}, as_json)


def _middle(readers: int, rounds: list[Row]) -> Row:
    found = {key: median(row[key] for row in rounds) for key in rounds[0]}
    return {"readers": readers, **found}


def _round(readers: int, seed: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'runs.sqlite'}"
        store = RunStore(url)
        spec = RunSpec("plain", {}, "mnist", preset("tutorial").changed(seed=seed), "0" * 64)
        run = store.add(spec)
        spawn = multiprocessing.get_context("spawn")
        here, there = spawn.Pipe()
        writer = spawn.Process(target=_write, args=(there, url, run.id))
        writer.start()
        here.recv()  # it is ready
        here.send("go")
        done = threading.Event()
        looks: list[tuple[float, int]] = []
        threads = [
            threading.Thread(target=_read, args=(store, run.id, done, i * PAUSE / readers, looks))
            for i in range(readers)
        ]
        for thread in threads:
            thread.start()
        written, seconds = here.recv()
        done.set()
        for thread in threads:
            thread.join()
        writer.join()
        store.close()
    return {
        "written a second": written / seconds,
        "read a second": sum(number for _, number in looks) / seconds,
        "a look, ms": 1000 * median(time for time, _ in looks) if looks else 0.0,
        "events a look": median(number for _, number in looks) if looks else 0,
    }


def _write(pipe: Any, url: str, id: str) -> None:
    store, owner = RunStore(url), new_owner()
    store.claim(id, owner)
    store.begin(id, owner)
    store.append(id, owner, Started("cpu", 1, 60_000, 10_000, 938, 10))
    pipe.send("ready")
    pipe.recv()
    began, number = perf_counter(), 0
    while perf_counter() - began < SECONDS:
        number += 1
        store.append(id, owner, Step(number, 1, 0.5, 0.9, 0.01, 10_000.0, 1280))
    pipe.send((number, perf_counter() - began))


def _read(
    store: RunStore, id: str, done: threading.Event, wait: float, looks: list[tuple[float, int]]
) -> None:
    sleep(wait)
    while not done.is_set():
        began = perf_counter()
        store.run(id)
        number = len(store.steps(id))
        looks.append((perf_counter() - began, number))
        done.wait(PAUSE)


if __name__ == "__main__":
    main()
