import sqlite3
import subprocess
import sys

from explorer.engines import recording
from explorer.runs.recorded import ARCHITECTURES
from explorer.runs.run import Status
from explorer.runs.store import RunStore
from explorer.training.recipe import Recipe


def test_the_examples_are_recorded_into_one_file_that_can_be_read(tmp_path, monkeypatch):
    recipe = Recipe(epochs=1, train_size=64)
    monkeypatch.setattr(recording, "preset", lambda _: recipe)
    file = tmp_path / "examples" / "tutorial.sqlite"
    file.parent.mkdir()
    recording.record(file)
    assert [path.name for path in file.parent.iterdir()] == ["tutorial.sqlite"]
    store = RunStore(f"sqlite:///{file.as_uri()}?mode=ro&immutable=1&uri=true")
    runs = store.runs()
    assert sorted(run.spec.architecture for run in runs) == sorted(ARCHITECTURES)
    assert {run.status for run in runs} == {Status.FINISHED}
    assert [store.kept_epochs(run.id) for run in runs] == [[1]] * 3
    store.close()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT DISTINCT owner FROM runs").fetchall() == [("",)]
    connection.close()


def test_the_recording_runs_as_a_program():
    script = (
        "import runpy, explorer.engines.perform\n"
        "explorer.engines.perform.perform = lambda run, *_: exit(print(run.spec.architecture))\n"
        "runpy.run_module('explorer.engines.recording', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"{ARCHITECTURES[0]}\n"), done.stderr
