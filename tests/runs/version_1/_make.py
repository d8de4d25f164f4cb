"""Makes `runs.sqlite`, by the code that wrote version 1 of the tables: commit e52586b.

That version has no table of versions, `progress` in place of `training_states`, no tracebacks, and
calls an architecture's options `parameters`. A run is finished, one stopped after its first epoch,
one failed. To make the file again, with that commit checked out in OLD:

    PYTHONPATH=OLD python tests/runs/version_1/_make.py
"""

import contextlib
import sqlite3
import tempfile
from pathlib import Path

from explorer.events import Epoch
from explorer.networks import spec_of
from explorer.recipe import Recipe
from explorer.registry import discover
from explorer.store import RunStore

from explorer.data.mnist import MNIST
from explorer.engines.ownership import new_owner
from explorer.engines.perform import perform
from explorer.settings import Settings

HOME = Path(__file__).parent
RECIPE = Recipe("adamw", batch_size=16, epochs=2, train_size=64, gradients_every=2)


def make(file: Path) -> None:
    """Train the three runs, then put the database into one file."""
    registry, settings, owner = discover([HOME]), Settings(), new_owner()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "runs.sqlite")
        store = RunStore(f"sqlite:///{database}")
        for values, seed in (({}, 0), ({"width": 3}, 1), ({"fails": True}, 2)):
            recipe = RECIPE.changed(seed=seed)
            spec = spec_of(registry["tiny"], values, MNIST, recipe)
            run = store.claim(store.add(spec).id, owner)
            with contextlib.suppress(ValueError):
                for event in perform(run, owner, store, registry, settings):
                    if isinstance(event, Epoch) and seed == 1:
                        store.request_stop(run.id)
        store.close()
        file.unlink(missing_ok=True)
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE runs SET owner = ''")  # the machine's name
            connection.commit()
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM INTO ?", (str(file),))
        connection.close()


if __name__ == "__main__":
    make(HOME / "runs.sqlite")
