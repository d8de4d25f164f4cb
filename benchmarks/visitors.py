"""Measure the app under many visitors: `python benchmarks/visitors.py [--json]`.

Visitors of `tests/visiting.py` speak Streamlit's own messages over WebSockets, as browsers do, with
a server on this machine; the least Streamlit app, one text, one slider and a fragment that ticks as
often as a live run is drawn, is measured by the same visitors. Parts, all of them if none is named:

    visit     what one visit of each page costs, one after the other
    opening   all visitors open the link within a few seconds, as browsers that were never here
    many      some train, some watch a live run, some look inside; all click now and then
    slowed    the steps a second of one run, alone and watched in turn
    churn     only if named: visitors come and go, and the memory is sampled; `--seconds 900`

    python benchmarks/visitors.py many --visitors 50 --training 5 --looking 13 --seconds 60
    python benchmarks/visitors.py churn --visitors 50 --seconds 900
    python benchmarks/visitors.py opening --env STREAMLIT_SERVER_FILE_WATCHER_TYPE=none

Server, visitors and training share the processor, so the visitors' own use of it is printed too.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

import psutil
from common import Row, machine, parser, show

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from serving import serving
from visiting import Visitor

from explorer.runs.store import RunStore
from explorer.settings import read_settings

PARTS = ("visit", "opening", "many", "slowed", "churn")
MOST_VISITORS, MOST_SECONDS = 200, 1800
VISITS = 6  # of each page, one after the other, after one that warms up
THINKING = 8.0  # seconds between two clicks of a visitor, from half to one and a half of it
STAY = 40.0  # seconds that a visitor stays on average, where they come and go
ROUNDS = 4  # times that a run is measured alone and then watched
SAMPLE = 5.0  # seconds between two looks at the memory
SETTLE = 5.0  # seconds from the last arrival until something is measured
# The last one has children check the plugins, which would disturb what comes after.
PAGES = {
    "Why?": "",
    "Train": "train",
    "Look inside": "inside",
    "Runs": "runs",
    "Plugins": "plugins",
}
TICK = 0.5  # seconds between two looks at a live run
LEAST = f"""
import time

import streamlit as st

seed = st.slider("Seed", 0, 1000)
st.text(f"Nothing but {{seed}}")


@st.fragment(run_every={TICK})
def tick():
    st.text(f"It is {{time.time()}}")


tick()
"""

# What is timed: its name among a visitor's seconds or those of its clicks.
FIRST_TEXT, FIRST_RUN, WIDGET, NEXT = "first text", "first run", "a changed widget", "Next image"
UPDATE, BETWEEN = "update", "between updates"
COUNTERPARTS = {NEXT: WIDGET}  # what the least app does in place of what it has not


@dataclass
class Place:
    """An app that is being served, and what was seen of it."""

    address: str
    process: psutil.Process
    store: RunStore | None  # none of the least app
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """What it is called in the tables."""
        return "explorer" if self.store else "least"

    def visitor(self, page: str = "", query: str = "", *, assets: bool = False) -> Visitor:
        """Return a visitor of one of its pages; the least app has only one."""
        if not self.store:
            page = query = ""
        return Visitor(self.address, page, query, assets=assets)

    async def leave(self, visitors: Iterable[Visitor]) -> None:
        """Let visitors leave, and keep what went wrong for them."""
        visitors = list(visitors)
        for visitor in visitors:
            self.errors.update(visitor.errors)
        await asyncio.gather(*(visitor.leave() for visitor in visitors))


class Meter:
    """Reads how much processor time the server, its child processes and the visitors used."""

    def __init__(self, server: psutil.Process) -> None:
        self._server = server
        self._before = self._now()
        self._began = perf_counter()

    def _now(self) -> tuple[float, float, float]:
        children = 0.0
        for child in self._server.children(recursive=True):
            with suppress(psutil.Error):
                children += _used(child)
        return _used(self._server), children, time.process_time()

    def seconds(self) -> tuple[float, float, float]:
        """Return the processor seconds since the start: server, children, visitors."""
        server, children, own = self._now()
        before = self._before
        return server - before[0], children - before[1], own - before[2]

    def cores(self) -> tuple[float, float, float]:
        """Return the same for each second that passed."""
        passed = perf_counter() - self._began
        server, children, own = self.seconds()
        return server / passed, children / passed, own / passed


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def memory(server: psutil.Process) -> float:
    """Return the megabytes of the server and all its children, shared pages counted once (PSS)."""
    total = 0
    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e6


def main() -> None:
    """Print the tables."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server is ended even then
    environment = dict(pair.split("=", 1) for pair in options.env)
    found: dict[str, dict[str, Any]] = {}
    errors: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "least.py"
        script.write_text(LEAST)
        apps = {"explorer": None} if options.alone else {"explorer": None, "least": script}
        for app, served in apps.items():
            database = folder / f"{app}.sqlite"
            try:
                with serving(database, read_settings().cache, served, **environment) as (at, own):
                    store = None if served else RunStore(f"sqlite:///{database}")
                    place = Place(at, psutil.Process(own.pid), store)
                    errors[app] = place.errors
                    found[app] = asyncio.run(_measure(place, options))
            except AssertionError as error:
                errors[app][f"The server's log: {str(error)[-600:]}"] += 1
    results: Row = {
        **machine(),
        "environment": " ".join(options.env) or "as it is",
        "visitors": f"{options.visitors}: {options.training} training, {options.watching} "
        f"watching, {options.looking} looking inside",
        "seconds": options.seconds,
    }
    for part, tables in _TABLES.items():
        if part in options.parts:
            results |= tables({app: parts[part] for app, parts in found.items()})
    results["errors"] = sum(count for each in errors.values() for count in each.values())
    if results["errors"]:
        results["What went wrong"] = [
            {"app": app, "times": times, "what": what}
            for app, each in errors.items()
            for what, times in each.most_common(20)
        ]
    show(results, options.json)


def _options() -> argparse.Namespace:
    asked = parser(__doc__)
    asked.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    asked.add_argument("--visitors", type=int, default=50, help="all together")
    asked.add_argument("--training", type=int, default=5, help="of them, who start a run")
    asked.add_argument("--looking", type=int, default=13, help="of them, who look inside")
    asked.add_argument("--watching", type=int, help="of them, who watch a live run: the others")
    asked.add_argument("--seconds", type=float, default=60, help="that each part measures for")
    asked.add_argument("--within", type=float, default=5, help="seconds in which all arrive")
    asked.add_argument("--epochs", type=int, default=100, help="of each run; it must last")
    asked.add_argument("--env", nargs="*", default=[], help="the servers' variables, NAME=VALUE")
    asked.add_argument("--alone", action="store_true", help="without the least app")
    asked.add_argument("--pid", action="store_true", help="print the server's process id")
    options = asked.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        asked.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if any("=" not in pair for pair in options.env):
        asked.error("--env takes NAME=VALUE, such as STREAMLIT_SERVER_FILE_WATCHER_TYPE=none")
    options.parts = options.parts or [part for part in PARTS if part != "churn"]
    rest = options.visitors - options.training - options.looking
    if options.watching is None:
        options.watching = rest
    if options.watching != rest or min(rest, options.training, options.looking) < 0:
        asked.error("--training, --watching and --looking must sum to --visitors")
    if not 1 <= options.visitors <= MOST_VISITORS or not 1 <= options.seconds <= MOST_SECONDS:
        asked.error(f"at most {MOST_VISITORS} visitors and {MOST_SECONDS} seconds, and one of each")
    if {"many", "slowed", "churn"} & set(options.parts) and not options.training:
        asked.error("somebody has to train: --training 1")
    return options


async def _measure(place: Place, options: argparse.Namespace) -> dict[str, Any]:
    if options.pid:
        print(f"The server is process {place.process.pid}.", file=sys.stderr)
    warm = [place.visitor(page, assets=True) for page in ("train", "inside")]
    for visitor in warm:  # what only the first visitor of a server waits for
        await visitor.arrive()
    await asyncio.sleep(SETTLE)
    await place.leave(warm)
    found = {}
    for part in PARTS:
        if part in options.parts:
            print(f"{place.name}: {part}", file=sys.stderr)
            found[part] = await _PARTS[part](place, options)
    return found


# What one visit costs.


async def _visit(place: Place, _: argparse.Namespace) -> list[Row]:
    pages = PAGES if place.store else {"": ""}
    first = await _page(place, "the first one, with scripts", "", assets=True)
    return [
        first,
        *[await _page(place, title, page, assets=False) for title, page in pages.items()],
    ]


async def _page(place: Place, title: str, page: str, *, assets: bool) -> Row:
    visitors: list[Visitor] = []
    meter = Meter(place.process)
    for number in range(VISITS + 1):
        if number == 1:
            meter = Meter(place.process)
        visitor = place.visitor(page, assets=assets)
        await visitor.arrive()
        await asyncio.sleep(1.5 if assets else 0.2)  # a chart's script comes after the first run
        await place.leave([visitor])
        visitors.append(visitor)
    server, children, _ = meter.seconds()
    return {
        "app": place.name,
        "page": title,
        "first text, ms": 1000 * mean(_all(visitors[1:], FIRST_TEXT)),
        "whole, ms": 1000 * mean(_all(visitors[1:], FIRST_RUN)),
        "server's CPU, ms": 1000 * server / VISITS,
        "children's CPU, ms": 1000 * children / VISITS,
        "kB of messages": mean(visitor.received for visitor in visitors[1:]) / 1000,
        "kB over HTTP": mean(visitor.loaded for visitor in visitors[1:]) / 1000,
    }


# All at once.


async def _arrive(visitors: Sequence[Visitor], within: float) -> None:
    """Let visitors arrive one after the other within so many seconds; wait until all have."""

    async def one(number: int, visitor: Visitor) -> None:
        await asyncio.sleep(number * within / len(visitors))
        await _trying(visitor, visitor.arrive())

    await asyncio.gather(*(one(n, visitor) for n, visitor in enumerate(visitors)))


async def _trying(visitor: Visitor, act: Awaitable[Any]) -> Any:
    """Do something as a visitor; what fails is an error of that visit."""
    try:
        return await act
    except (OSError, LookupError, TimeoutError) as error:
        what = "no answer within half a minute" if isinstance(error, TimeoutError) else str(error)
        visitor.errors.append(f"{type(error).__name__}: {what}")


async def _opening(place: Place, options: argparse.Namespace) -> Mapping[str, list[Visitor]]:
    found = {}
    for title in ("Train", "Look inside"):
        visitors = [place.visitor(PAGES[title], assets=True) for _ in range(options.visitors)]
        await _arrive(visitors, options.within)
        await asyncio.sleep(1)
        await place.leave(visitors)
        found[title] = visitors
    return found


async def _start(place: Place, number: int, epochs: int, clicks: dict[str, list[float]]) -> Visitor:
    """Return a visitor who has started a run, which is in its address."""
    seed = random.randrange(10**6) + number
    visitor = place.visitor("train", f"architecture=plain&fast.epochs={epochs}&fast.seed={seed}")
    await _trying(visitor, visitor.arrive())
    if place.store:
        taken = await _trying(visitor, visitor.click("Train"))
        if taken is not None:
            clicks["click on Train"].append(taken)
    return visitor


async def _live(place: Place, visitor: Visitor) -> str:
    """Wait until the visitor's run trains, and return its id."""
    if not place.store:
        return ""
    id = dict(parse_qsl(visitor.query)).get("run", "")
    end = perf_counter() + 60
    while not (id and place.store.steps(id)):
        if perf_counter() > end:
            raise SystemExit(f"The run {id} has not begun; {visitor.errors or 'nothing is said'}.")
        await asyncio.sleep(0.5)
    return id


async def _click(visitor: Visitor, clicks: dict[str, list[float]], end: float) -> None:
    """Press and change things now and then, until it is time."""
    while (pause := random.uniform(0.5, 1.5) * THINKING) < end - perf_counter():
        await asyncio.sleep(pause)
        if any(shown.label == "Next" for shown in visitor.shown.values()):
            what, taken = NEXT, await _trying(visitor, visitor.click("Next"))
        else:
            seed = random.randrange(1000)
            what, taken = WIDGET, await _trying(visitor, visitor.change("Seed", seed))
        if taken is not None:
            clicks[what].append(taken)


async def _many(place: Place, options: argparse.Namespace) -> Row:
    clicks: dict[str, list[float]] = defaultdict(list)
    first = await _start(place, 0, options.epochs, clicks)
    run = await _live(place, first)
    visitors = [place.visitor("train", f"run={run}") for _ in range(options.watching)]
    visitors += [place.visitor("inside") for _ in range(options.looking)]
    random.shuffle(visitors)
    await _arrive(visitors, options.within)
    others = range(1, options.training)
    started = await asyncio.gather(
        *(_start(place, number, options.epochs, clicks) for number in others)
    )
    started.append(first)
    visitors += started
    await asyncio.sleep(SETTLE)
    for visitor in visitors:  # what comes now is not of the rush
        for what in (UPDATE, BETWEEN):
            visitor.seconds[what].clear()
    meter, end = Meter(place.process), perf_counter() + options.seconds
    most = memory(place.process)
    tasks = [asyncio.create_task(_click(visitor, clicks, end)) for visitor in visitors]
    while perf_counter() < end:
        await asyncio.sleep(min(SAMPLE, max(0.0, end - perf_counter())))
        most = max(most, memory(place.process))
    cores = meter.cores()
    await asyncio.gather(*tasks)
    if place.store and not place.store.run(run).status.is_live:
        place.errors["The run that is watched was over too early: more --epochs."] += 1
    await place.leave(visitors)
    await _stop(place, started)
    for what in (FIRST_TEXT, FIRST_RUN, UPDATE, BETWEEN):
        clicks[what] = _all(visitors, what)
    return {"times": clicks, "cores": cores, "memory": most, "visitors": visitors}


# How much a run is slowed.


async def _slowed(place: Place, options: argparse.Namespace) -> Row:
    watching = max(1, options.visitors - options.training)
    first = await _start(place, 0, 10 * options.epochs, defaultdict(list))
    run = await _live(place, first)
    await place.leave([first])
    rows = []
    for watchers in (*ROUNDS * (0, watching), 0):
        visitors = [place.visitor("train", f"run={run}") for _ in range(watchers)]
        if visitors:
            await _arrive(visitors, options.within)
        await asyncio.sleep(SETTLE)
        for visitor in visitors:
            visitor.seconds[UPDATE].clear()
        received, meter = sum(v.received for v in visitors), Meter(place.process)
        steps = await _steps(place, run, options.seconds / ROUNDS)
        updates = len(_all(visitors, UPDATE))
        cores = meter.cores()
        rows.append(
            {
                "steps a second": steps,
                "server's cores": cores[0],
                "children's cores": cores[1],
                "visitors' cores": cores[2],
                "updates": updates,
                "seconds": options.seconds / ROUNDS,
                "bytes": sum(v.received for v in visitors) - received,
            }
        )
        await place.leave(visitors)
        await asyncio.sleep(1)
    await _stop(place, [first])
    return {"watchers": watching, "rows": rows}


async def _stop(place: Place, visitors: Sequence[Visitor]) -> None:
    """Stop the runs of visitors, so that what is measured next has the processor for itself."""
    if not place.store:
        return
    for visitor in visitors:
        closing = place.visitor("train", visitor.query)
        closing.come_as(visitor)  # nobody else may stop it
        await _trying(closing, closing.arrive())
        await _trying(closing, closing.click("Stop"))
        await place.leave([closing])
    await asyncio.sleep(2)


async def _steps(place: Place, run: str, seconds: float) -> float:
    """Return the steps a second that a run makes; 0 where there is none."""

    def last() -> int:
        steps = place.store.steps(run) if place.store else ()
        return steps[-1].step if steps else 0

    before, began = last(), perf_counter()
    await asyncio.sleep(seconds)
    passed = perf_counter() - began
    return (last() - before) / passed


# Coming and going.


async def _churn(place: Place, options: argparse.Namespace) -> list[Row]:
    clicks: dict[str, list[float]] = defaultdict(list)
    first = await _start(place, 0, 10 * options.epochs, clicks)
    run = await _live(place, first)
    began = perf_counter()
    end = began + options.seconds
    kinds = ["train"] * (options.training - 1) + ["watch"] * options.watching
    kinds += ["look"] * options.looking
    visits = 0

    async def seat(kind: str) -> None:
        """Be one visitor after the other."""
        nonlocal visits
        await asyncio.sleep(random.uniform(0, options.within))
        while perf_counter() < end:
            page, query = ("inside", "") if kind == "look" else ("train", f"run={run}")
            visitor = place.visitor(page, "" if kind == "train" else query)
            await _trying(visitor, visitor.arrive())
            stay = min(end, perf_counter() + random.expovariate(1 / STAY))
            await _click(visitor, clicks, stay)
            await asyncio.sleep(max(0.0, stay - perf_counter()))
            await place.leave([visitor])
            visits += 1

    seats = [asyncio.create_task(seat(kind)) for kind in kinds]
    rows: list[Row] = []
    meter = Meter(place.process)
    every = max(SAMPLE, options.seconds / 15)
    while perf_counter() < end:
        await asyncio.sleep(min(every, max(0.0, end - perf_counter())))
        cores = meter.cores()
        rows.append(
            {
                "app": place.name,
                "second": round(perf_counter() - began),
                "visits": visits,
                "memory, MB": memory(place.process),
                "server alone, MB": place.process.memory_full_info().pss / 1e6,
                "threads": place.process.num_threads(),
                "open files": place.process.num_fds(),
                "server's cores": cores[0],
            }
        )
        meter = Meter(place.process)
    await asyncio.gather(*seats)
    await place.leave([first])
    return rows


# Tables.


def _all(visitors: Iterable[Visitor], what: str) -> list[float]:
    return [seconds for visitor in visitors for seconds in visitor.seconds[what]]


def _share(values: Sequence[float], share: float) -> float:
    """Return the value that this share of all does not exceed; not a number if there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _compared(what: str, ours: Sequence[float], theirs: Sequence[float] | None) -> Row:
    row: Row = {"what, seconds": what, "times": len(ours)}
    row |= {"p50": _share(ours, 0.5), "p95": _share(ours, 0.95), "slowest": _share(ours, 1)}
    if theirs is not None:
        row |= {"least p50": _share(theirs, 0.5), "least p95": _share(theirs, 0.95)}
        row["ratio p50"] = row["p50"] / row["least p50"] if theirs else float("nan")
        row["ratio p95"] = row["p95"] / row["least p95"] if theirs else float("nan")
    return row


def _visit_tables(found: Mapping[str, list[Row]]) -> Row:
    return {"What a visit costs, one after the other": [r for rows in found.values() for r in rows]}


def _opening_tables(found: Mapping[str, Mapping[str, list[Visitor]]]) -> Row:
    rows = []
    for title, visitors in found["explorer"].items():
        least = found["least"][title] if "least" in found else None
        for what in (FIRST_TEXT, FIRST_RUN):
            theirs = None if least is None else _all(least, what)
            rows.append(_compared(f"{title}: {what}", _all(visitors, what), theirs))
    return {"All open the link at once, as browsers that were never here": rows}


def _many_tables(found: Mapping[str, Row]) -> Row:
    ours = found["explorer"]["times"]
    theirs = found["least"]["times"] if "least" in found else None
    order = (FIRST_TEXT, FIRST_RUN, "click on Train", WIDGET, NEXT, UPDATE, BETWEEN)
    rows = []
    for what in order:
        other = None if theirs is None else theirs.get(COUNTERPARTS.get(what, what), [])
        rows.append(_compared(what, ours.get(what, []), other))
    uses = []
    for app, each in found.items():
        visitors, cores = each["visitors"], each["cores"]
        down = [visitor.received / 1e6 for visitor in visitors]
        uses.append(
            {
                "app": app,
                "server's cores": cores[0],
                "children's cores": cores[1],
                "visitors' cores": cores[2],
                "memory at most, MB": each["memory"],
                "MB to a session": mean(down),
                "at most": max(down),
                "kB from it": mean(visitor.sent / 1e3 for visitor in visitors),
            }
        )
    return {"Many at once": rows, "What they use": uses}


def _slowed_tables(found: Mapping[str, Row]) -> Row:
    rows = []
    for app, each in found.items():
        alone, watched = each["rows"][::2], each["rows"][1::2]
        slower = [
            100
            * (
                1
                - now["steps a second"] / mean([before["steps a second"], after["steps a second"]])
            )
            for before, now, after in zip(alone, watched, alone[1:], strict=False)
            if before["steps a second"]
        ] or [0.0]
        updates = sum(row["updates"] for row in watched) or float("nan")
        seconds = sum(row["seconds"] for row in watched)
        own = _mean(watched, "server's cores") - _mean(alone, "server's cores")
        rows.append(
            {
                "app": app,
                "watchers": each["watchers"],
                "steps/s alone": _mean(alone, "steps a second"),
                "watched": _mean(watched, "steps a second"),
                "slowed by, %": mean(slower),
                "least": min(slower),
                "most": max(slower),
                "server's cores": _mean(watched, "server's cores"),
                "visitors' cores": _mean(watched, "visitors' cores"),
                "updates a second and watcher": updates / seconds / each["watchers"],
                "CPU of an update, ms": 1000 * own * seconds / updates,
                "kB of an update": sum(row["bytes"] for row in watched) / updates / 1000,
            }
        )
    return {"One run, alone and watched": rows}


def _mean(rows: Sequence[Row], what: str) -> float:
    return float(mean(row[what] for row in rows))


def _churn_tables(found: Mapping[str, list[Row]]) -> Row:
    return {"Visitors come and go": [row for rows in found.values() for row in rows]}


_PARTS: Mapping[str, Callable[[Place, argparse.Namespace], Awaitable[Any]]] = {
    "visit": _visit,
    "opening": _opening,
    "many": _many,
    "slowed": _slowed,
    "churn": _churn,
}
_TABLES: Mapping[str, Callable[[Any], Row]] = {
    "visit": _visit_tables,
    "opening": _opening_tables,
    "many": _many_tables,
    "slowed": _slowed_tables,
    "churn": _churn_tables,
}


if __name__ == "__main__":
    main()
