"""Records the shipped examples: `python -m explorer.engines.recording`. It takes minutes on a CPU.

It is on this floor, not with the recorded file, since it needs an engine to train them.
"""

import shutil
import sqlite3
import tempfile
from pathlib import Path

from explorer.data.mnist import MNIST
from explorer.engines.ownership import new_owner
from explorer.engines.perform import perform
from explorer.plugin.registry import discover
from explorer.runs.recorded import ARCHITECTURES, FILE
from explorer.runs.run import spec_of
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Epoch
from explorer.training.recipe import preset


def record(file: Path = FILE) -> None:
    """Train each example, then put the database into `file`, in one piece."""
    registry, settings, owner = discover(), Settings(), new_owner()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "runs.sqlite")
        store = RunStore(f"sqlite:///{database}")
        for name in ARCHITECTURES:
            spec = spec_of(registry[name], {}, MNIST, preset("tutorial"))
            run = store.claim(store.add(spec).id, owner)
            for event in perform(run, owner, store, registry, settings):
                if isinstance(event, Epoch):
                    print(name, event, flush=True)
        store.close()
        compact = Path(folder, "compact.sqlite")
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE runs SET owner = ''")  # the recording machine's name
            connection.commit()
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM INTO ?", (str(compact),))
        connection.close()
        shutil.move(compact, file)


if __name__ == "__main__":
    record()
