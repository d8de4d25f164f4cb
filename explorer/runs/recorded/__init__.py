"""Runs that ship with the explorer, so that there is something to see before the first training.

The tutorial's three networks, trained for ten epochs each by its recipe with seed 0, with the
weights after each epoch. `explorer record explorer/runs/recorded/tutorial.toml` records them.
"""

from pathlib import Path

from explorer.runs.record_files import Records
from explorer.runs.store import RunStore

FILE = Path(__file__).parent / "tutorial.sqlite"
ARCHITECTURES = ("plain", "inception", "residual")
FIRST_TO_TRAIN = "residual"  # what the page Train offers before anything is chosen


def open_records() -> Records:
    """Open the shipped runs with what was measured of them."""
    return Records(FILE)


def open_examples() -> RunStore:
    """Open the store of the shipped runs, which is read-only."""
    return open_records().store
