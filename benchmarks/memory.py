"""Measure the memory of the app's processes: `python benchmarks/memory.py [--json]`.

One visitor trains and watches, another looks inside a recorded network and asks for one image after
the other. Memory is the proportional set size (PSS): a page that several processes share counts a
share for each, so that the sum is what the machine has to have. Libraries that a program beside
these has loaded from the same files count as shared too: measure where there is none. What is `of
files`, the kernel can drop and read again where memory is short. On Linux only. The rows:

    server       Streamlit, all pages
    fork server  has torch loaded
    trainers     the one that trains, and the one that is ready for the next run
    others       what loads plugins, builds networks, and looks inside
    all          the sum of them
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import psutil
from common import Row, machine, parser, show

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from serving import serving
from visiting import Visitor

from explorer.settings import read_settings

KINDS = ("server", "fork server", "trainers", "others", "all")
FILES = " of files"
TARGETS = {"server": 250, "all": 900}  # MB
SETTLE = 8.0  # seconds until the plugins are checked, and a trainer is ready
PAUSE = 0.5  # seconds between two looks
LOWERED = 10  # the priority of trainers
TRAIN = "architecture={}&fast.epochs=10"

_Sizes = dict[str, float]


def main() -> None:
    """Print the table."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server is ended even then
    environment = dict(pair.split("=", 1) for pair in options.env)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "runs.sqlite"
        with serving(database, read_settings().cache, **environment) as (address, process):
            idle, busy = asyncio.run(_measure(address, psutil.Process(process.pid), options))
    at_most = {kind: max(sizes.get(kind, 0.0) for sizes, _ in busy) for kind in KINDS}
    fullest, counts = max(busy, key=lambda found: found[0]["all"])
    rows = [
        {
            "process": kind,
            "how many": counts[kind],
            "idle, MB": idle.get(kind, 0.0),
            "at the fullest moment": fullest.get(kind, 0.0),
            "of it, of files": fullest.get(f"{kind}{FILES}", 0.0),
            "at most": at_most[kind],
            "target": TARGETS.get(kind, ""),
        }
        for kind in KINDS
    ]
    results: Row = {
        **machine(),
        "network": options.architecture,
        "environment": " ".join(options.env) or "as it is",
        "looks": len(busy),
        "Memory, MB of proportional set size": rows,
    }
    show(results, options.json)


def _options() -> argparse.Namespace:
    asked = parser(__doc__)
    asked.add_argument("--seconds", type=float, default=30, help="that are measured")
    asked.add_argument("--architecture", default="residual", help="of the network that is trained")
    asked.add_argument("--env", nargs="*", default=["EXPLORER_HOSTED=1"], help="NAME=VALUE")
    options = asked.parse_args()
    if any("=" not in pair for pair in options.env):
        asked.error("--env takes NAME=VALUE, such as EXPLORER_HOSTED=1")
    if not 5 <= options.seconds <= 1800:
        asked.error("--seconds is from 5 to 1800")
    return options


async def _measure(
    address: str, server: psutil.Process, options: argparse.Namespace
) -> tuple[_Sizes, list[tuple[_Sizes, dict[str, int]]]]:
    trainer = Visitor(address, "train", TRAIN.format(options.architecture), assets=True)
    looker = Visitor(address, "inside", assets=True)
    await trainer.arrive()
    await asyncio.sleep(SETTLE)
    idle, _ = look(server)
    await trainer.click("Train")
    await looker.arrive()
    asking = asyncio.create_task(_look_inside(looker))
    busy = []
    end = perf_counter() + options.seconds
    while perf_counter() < end and not asking.done():
        busy.append(await asyncio.to_thread(look, server))
        await asyncio.sleep(PAUSE)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    wrong = [*trainer.errors, *looker.errors]
    for visitor in (trainer, looker):
        await visitor.leave()
    if wrong:
        raise SystemExit("\n".join(wrong))
    return idle, busy


async def _look_inside(visitor: Visitor) -> None:
    while True:
        await visitor.click("Next")
        await asyncio.sleep(PAUSE)


def look(server: psutil.Process) -> tuple[_Sizes, dict[str, int]]:
    """Return the megabytes of each kind of process now, and how many there are."""
    sizes: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.Error, OSError):
            kind = _kind(process, server)
            whole, files = _shares(process.pid)
            for each in (kind, "all"):
                sizes[each] += whole
                sizes[f"{each}{FILES}"] += files
                counts[each] += 1
    return dict(sizes), dict(counts)


def _shares(pid: int) -> tuple[float, float]:
    """Return the megabytes of a process, and those of them that are of files."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    found = {
        name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)
    }
    return found["Pss"] * 1024 / 1e6, found["Pss_File"] * 1024 / 1e6


def _kind(process: psutil.Process, server: psutil.Process) -> str:
    if process.pid == server.pid:
        return "server"
    if process.ppid() == server.pid:
        return "fork server"
    return "trainers" if process.nice() >= LOWERED else "others"


if __name__ == "__main__":
    main()
