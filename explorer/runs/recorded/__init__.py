"""Runs that ship with the explorer, so that there is something to see before the first training.

The tutorial's three nets, ten epochs each by its recipe with seed 0, with the weights of every
epoch. `python -m explorer.runs.recorded` records them anew.
"""

from pathlib import Path

from explorer.runs.store import RunStore

FILE = Path(__file__).parent / "tutorial.sqlite"
ARCHITECTURES = ("plain", "inception", "residual")
FIRST_TO_TRAIN = "residual"  # what the page Train offers before anything was chosen
FIRST_TO_SHOW = "inception"  # what Look inside opens with: it has the most branches to show


def open_examples() -> RunStore:
    """The store of the shipped runs; it can only be read."""
    return RunStore(f"sqlite:///{FILE.as_uri()}?mode=ro&immutable=1&uri=true")
