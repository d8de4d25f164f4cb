"""Share between benchmarks: options, processes side by side, facts of the machine, tables."""

import argparse
import contextlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from explorer.engines.machine import prepare, processor

NETS = ("plain", "residual", "inception")  # the tutorial's

Row = dict[str, Any]


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return the options that every benchmark has, described by the first line of its docstring."""
    options = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    options.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return options


@contextlib.contextmanager
def aside(
    make: Callable[..., Mapping[str, Callable[..., Any]]], *given: Any, prepared: bool
) -> Iterator[Callable[..., Any]]:
    """Start a process beside this one that works when it is asked to and waits in between.

    Args:
        make: Called there once with `given`; the functions that can be asked for, by name.
        given: Arguments of `make`; they are pickled.
        prepared: Whether to set the process up as the explorer's worker is.

    Yields:
        A function that takes a name and arguments, and returns what that function returned.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    before = dict(os.environ)
    if prepared:
        prepare()  # what must be set before torch is loaded, the process inherits
    process = spawn.Process(target=_serve, args=(there, make, given, prepared), daemon=True)
    process.start()
    there.close()  # so that the end of the process ends a `recv` here
    os.environ.clear()
    os.environ.update(before)

    def ask(name: str, *arguments: Any) -> Any:
        here.send((name, arguments))
        return here.recv()

    try:
        yield ask
    finally:
        here.close()
        process.join()


def in_turn(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return what each way measured, round by round, without the first round, which warms up."""
    measured: dict[str, list[float]] = {way: [] for way in ways}
    for round in range(rounds + 1):
        for way, take in ways.items():
            taken = take()
            if round:
                measured[way].append(taken)
    return measured


def _serve(pipe: Any, make: Callable[..., Any], given: tuple[Any, ...], prepared: bool) -> None:
    if prepared:
        prepare()
    functions = make(*given)
    with contextlib.suppress(EOFError):
        while True:
            name, arguments = pipe.recv()
            pipe.send(functions[name](*arguments))


def machine() -> Row:
    """Return where and when this runs."""
    import torch

    device = torch.accelerator.current_accelerator(check_available=True)
    name = torch.cuda.get_device_name() if device and device.type == "cuda" else processor()
    return {
        "date": date.today().isoformat(),
        "machine": f"{name}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        "device": str(device or "cpu"),
        "threads": torch.get_num_threads(),
    }


def show(results: Row, as_json: bool) -> None:
    """Print results: lists of rows as tables, everything else in one line."""
    if as_json:
        print(json.dumps(results, indent=2))
        return
    print(" · ".join(f"{key} {value}" for key, value in results.items() if _is_fact(value)))
    for title, rows in results.items():
        if not _is_fact(rows):
            print(f"\n{title}\n")
            table(rows)


def table(rows: list[Row]) -> None:
    """Print rows of the same keys as a table, numbers to four digits."""
    columns = list(rows[0])
    texts = [[_text(row[column]) for column in columns] for row in rows]
    widths = [max(map(len, own)) for own in zip(columns, *texts, strict=True)]
    for line in [columns, *texts]:
        print("  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip())


def _is_fact(value: Any) -> bool:
    return not isinstance(value, list)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
