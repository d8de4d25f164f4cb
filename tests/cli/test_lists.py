"""The commands that train a list of runs."""

import json
import sqlite3

import pytest
from typer.testing import CliRunner

from explorer.cli import app
from explorer.engines import perform as performing
from explorer.runs.keeping import pinned
from explorer.runs.lists import read_list
from explorer.runs.recorded import FILE, open_examples
from explorer.runs.run import Status
from explorer.runs.store import RunStore

LIST = """
[[run]]
architecture = "plain"
train_size = 64
epochs = 3
seeds = [0, 1]

[[run]]
architecture = "mlp"
train_size = 64
epochs = 3
weights = "last"

[[run]]
architecture = "mlp"
train_size = 64
epochs = 2
weights = "all"
"""


@pytest.fixture
def listed(tmp_path):
    file = tmp_path / "lists" / "few.toml"
    file.parent.mkdir()
    file.write_text(LIST)
    return file


def read_only(file):
    return RunStore(f"sqlite:///{file.as_uri()}?mode=ro&immutable=1&uri=true")


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_record_is_one_file_with_curves_and_the_weights_that_are_asked_for(listed):
    done = run("record", listed)
    assert done.exit_code == 0, done.output
    assert "4 of 4: " in done.output
    file = listed.with_suffix(".sqlite")
    assert f"{file}: " in done.output
    assert sorted(path.name for path in listed.parent.iterdir()) == ["few.sqlite", "few.toml"]
    store = read_only(file)
    found = {run.id: run for run in store.runs()}
    assert {each.status for each in found.values()} == {Status.FINISHED}
    kept = [
        (each.spec.architecture, each.spec.recipe.epochs, store.kept_epochs(id))
        for id, each in found.items()
    ]
    assert sorted(kept) == [("mlp", 2, [1, 2]), ("mlp", 3, [3]), ("plain", 3, []), ("plain", 3, [])]
    assert all(store.steps(id) for id in found)
    store.close()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT DISTINCT owner FROM runs").fetchall() == [("",)]
    connection.close()


def test_what_a_record_has_is_not_trained_again_and_what_its_list_has_not_is_dropped(
    listed, monkeypatch
):
    assert run("record", listed).exit_code == 0
    trained = []
    original = performing.perform
    monkeypatch.setattr(
        performing, "perform", lambda run, *others: trained.append(run.id) or original(run, *others)
    )
    assert run("record", listed).exit_code == 0
    assert trained == []
    listed.write_text(LIST.replace("seeds = [0, 1]", "seeds = [0, 2]"))
    done = run("record", listed, "--json")
    assert done.exit_code == 0
    assert len(trained) == 1
    ended = [json.loads(line) for line in done.stdout.splitlines() if '"status"' in line]
    assert [each["status"] for each in ended] == ["finished"] * 4
    store = read_only(listed.with_suffix(".sqlite"))
    plain = [run.spec for run in store.runs() if run.spec.architecture == "plain"]
    assert sorted(spec.recipe.seed for spec in plain) == [0, 2]
    store.close()


def test_a_record_that_was_broken_off_keeps_what_is_needed_to_go_on(listed, monkeypatch):
    original = performing.perform

    def broken_off(run, *others):
        for number, event in enumerate(original(run, *others)):
            yield event
            if number == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(performing, "perform", broken_off)
    into = listed.parent / "other.sqlite"
    assert run("record", listed, "--into", into).exit_code == 130
    monkeypatch.setattr(performing, "perform", original)
    assert run("record", listed, "--into", into).exit_code == 0
    store = read_only(into)
    assert {run.status for run in store.runs()} == {Status.FINISHED}
    store.close()


def test_a_run_that_fails_leaves_the_file_as_one_to_go_on_with(listed, monkeypatch):
    original = performing.train

    def train(model, data, recipe, checkpoint, **others):
        yield from original(model, data, recipe, checkpoint, **others)
        if recipe.seed == 1:
            raise ValueError("the loss is too large")

    monkeypatch.setattr(performing, "train", train)
    done = run("record", listed)
    assert done.exit_code == 1
    assert "the loss is too large" in done.output
    store = RunStore(f"sqlite:///{listed.with_suffix('.sqlite')}")
    assert sorted(run.status for run in store.runs()) == ["failed", *["finished"] * 3]
    store.close()
    monkeypatch.setattr(performing, "train", original)
    assert run("record", listed).exit_code == 0


def test_a_list_with_a_mistake_is_refused_with_a_sentence_and_nothing_is_made(listed):
    listed.write_text("[[run]]\narchitecture = 'plian'\n")
    done = run("record", listed)
    assert done.exit_code == 2
    assert "did you mean 'plain'?" in done.output
    assert not listed.with_suffix(".sqlite").exists()


def test_runs_are_trained_beforehand_and_pinned(listed, tmp_path):
    done = run("warm", listed)
    assert done.exit_code == 0, done.output
    store = RunStore(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    assert set(pinned(store)) == {run.id for run in store.runs()}
    assert len(store.runs()) == 4
    store.close()


def test_the_shipped_record_is_that_of_its_list(registry):
    store = open_examples()
    wanted = read_list(FILE.with_suffix(".toml"), registry)
    assert {each.spec.id for each in wanted} == {run.id for run in store.runs()}
    store.close()
