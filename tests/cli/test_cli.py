import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from typer.testing import CliRunner

from explorer.cli import app
from explorer.errors import ExplorerError
from explorer.plugin.registry import discover
from explorer.runs.recorded import open_examples
from explorer.runs.run import RunSpec, Status
from explorer.runs.store import LEASE_SECONDS, RunStore
from explorer.training.events import Epoch, Moment, Started
from explorer.training.recipe import preset

BUILT_IN = Path(__file__).parents[2] / "plugins"

PLUGIN = """
import sys
import time

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Own)


class Own(nn.Module):
    '''Mine.'''

    def __init__(self, images):
        super().__init__()
        self.linear = nn.Linear(images.channels * images.size**2, images.num_classes)

    def forward(self, x):
        if self.training and len(x) > 2:  # a plugin is tried on two images when it is loaded
            {deed}
        return self.linear(x.flatten(1))
"""

# Few images, so that a run takes a second.
SMALL = ["--train-size", "200", "--epochs", "2"]


def explorer(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def strictly(line):
    """Read JSON as every reader can, which excludes Python's NaN and Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(line, parse_constant=refuse)


def lines(result):
    return [strictly(line) for line in result.stdout.splitlines()]


def kinds(told):
    """What happened, with several steps as one: where steps are slow, more of them are told."""
    return [kind for kind, _ in groupby(line["event"] for line in told)]


def assert_refused(result, sentence=None):
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    if sentence is not None:
        assert line.startswith(sentence)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Put a plugin whose training forward does `deed` where the explorer looks for more."""

    def plugin(deed="pass"):
        folder = tmp_path / "plugins"
        folder.mkdir(exist_ok=True)
        (folder / "own.py").write_text(PLUGIN.format(deed=deed), encoding="utf-8")
        monkeypatch.setenv("EXPLORER_PLUGINS", str(folder))
        return folder / "own.py"

    return plugin


# explorer list


def test_list_names_every_architecture_with_its_parameters_and_options():
    result = explorer("list")
    assert result.exit_code == 0
    assert result.stderr == ""
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line[0] != " "}
    assert list(rows) == list(discover().architectures)
    assert "8,490 parameters" in rows["plain"]
    assert "97,298 parameters" in rows["inception"]
    assert "41,514 parameters" in rows["residual"]
    assert "--set width=16" in result.stdout
    assert "a whole number from 8 to 64" in result.stdout


def test_list_json_is_one_array_of_all_that_loaded():
    result = explorer("list", "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    listed = {architecture["name"]: architecture for architecture in strictly(result.stdout)}
    parameters = {"plain": 8_490, "residual": 41_514, "residual-as-printed": 41_514}
    parameters |= {"inception": 97_298}
    assert {name: listed[name]["parameters"] for name in parameters} == parameters
    for architecture in listed.values():
        assert {"name", "summary", "options", "parameters"} <= set(architecture)
        assert architecture["summary"]
        assert "\n" not in architecture["summary"]
    assert listed["plain"]["options"] == []
    width, blocks, skip = listed["residual-bn"]["options"]
    assert (width["name"], width["type"], width["default"]) == ("width", "int", 16)
    assert (width["low"], width["high"]) == (8, 64)
    assert (blocks["name"], blocks["type"]) == ("blocks", "int")
    assert (skip["name"], skip["type"], skip["default"]) == ("skip", "bool", True)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_list_keeps_broken_plugins_apart(plugin, options):
    path = plugin()
    path.with_name("bad.py").write_text("import nowhere_to_be_found\n")
    result = explorer("list", *options)
    assert result.exit_code == 0
    assert "own" in result.stdout
    assert "bad" not in result.stdout
    if options:
        assert "own" in [architecture["name"] for architecture in strictly(result.stdout)]
    assert str(path.with_name("bad.py")) in result.stderr
    assert "It imports 'nowhere_to_be_found', which is not installed" in result.stderr


# explorer train


def test_train_json_prints_each_event_on_a_line_and_ends_with_the_run_s_id(store):
    result = explorer("train", "plain", *SMALL, "--seed", "3", "--json")
    assert result.exit_code == 0
    told = lines(result)
    assert kinds(told) == ["started", "gradients", "step", "epoch", "step", "epoch", "finished"]
    assert told[0]["train_size"] == 200
    epochs = [line for line in told if line["event"] == "epoch"]
    assert [line["epoch"] for line in epochs] == [1, 2]
    for line in epochs:
        assert {
            "train_loss",
            "train_accuracy",
            "test_loss",
            "test_accuracy",
            "seconds",
        } <= set(line)
        assert 0 < line["train_accuracy"] <= 1
        assert 0 < line["test_accuracy"] <= 1
        assert line["train_loss"] > 0
        assert line["test_loss"] > 0
        assert line["seconds"] > 0
    run = store.run(told[-1]["run"])
    assert run.status is Status.FINISHED
    assert run.spec.recipe == preset("fast").changed(epochs=2, seed=3, train_size=200)
    assert run.epochs[-1].test_accuracy == epochs[-1]["test_accuracy"]


def test_train_shows_people_what_is_trained_each_epoch_and_the_run_s_id(store):
    result = explorer("train", "plain", *SMALL)
    assert result.exit_code == 0
    [run] = store.runs()
    text = result.stdout
    assert "8,490 parameters, 200 images, on " in text
    for epoch in run.epochs:
        assert f"epoch {epoch.epoch:>3}" in text
        assert f"test {100 * epoch.test_accuracy:.2f} %" in text
    assert text.splitlines()[-1] == f"run {run.id}"


def test_train_takes_recipe_and_options_as_they_are_given(store):
    result = explorer(
        *("train", "residual-bn", "--recipe", "tutorial", "--epochs", 1, "--train-size", 16),
        *("--set", "width=8", "--set", "skip=off", "--set", "blocks=1"),
        *("--learning-rate", 0.02, "--batch-size", 8, "--json"),
    )
    assert result.exit_code == 0
    run = store.run(lines(result)[-1]["run"])
    assert run.spec.options == {"width": 8, "blocks": 1, "skip": False}
    assert run.spec.dataset == "mnist"
    assert run.spec.recipe == preset("tutorial").changed(
        epochs=1, train_size=16, learning_rate=0.02, batch_size=8
    )


def test_a_finished_run_is_answered_from_the_record(monkeypatch):
    first = lines(explorer("train", "plain", *SMALL, "--json"))

    def refuse(*_):
        raise AssertionError("it was trained again")

    monkeypatch.setattr("explorer.engines.perform.train", refuse)
    result = explorer("train", "plain", *SMALL, "--json")
    assert result.exit_code == 0
    assert lines(result) == [line for line in first if line["event"] not in ("step", "gradients")]


def test_a_fresh_run_is_trained_again(store):
    first = lines(explorer("train", "plain", *SMALL, "--json"))
    created = store.runs()[0].created
    second = lines(explorer("train", "plain", *SMALL, "--json", "--fresh"))
    assert kinds(second) == kinds(first)
    [run] = store.runs()
    assert run.created > created


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["residul"], "There is no architecture 'residul'; did you mean 'residual'?"),
        (
            ["xyz"],
            f"There is no architecture 'xyz'; there are {', '.join(discover().architectures)}.",
        ),
        (["plain", "--dataset", "mnits"], "There is no data set 'mnits'; did you mean 'mnist'?"),
        (["plain", "--recipe", "slow"], "There is no recipe 'slow'; choose tutorial or fast."),
        (
            ["residual-bn", "--set", "widht=16"],
            "There is no option 'widht'; did you mean 'width'?",
        ),
        (["plain", "--set", "width=16"], "There is no option 'width'; there is none."),
        (
            ["residual-bn", "--set", "width=100"],
            "width must be a whole number from 8 to 64, not '100'.",
        ),
        (
            ["residual-bn", "--set", "width=wide"],
            "width must be a whole number from 8 to 64, not 'wide'.",
        ),
        (
            ["residual-bn", "--set", "width=16.5"],
            "width must be a whole number from 8 to 64, not '16.5'.",
        ),
        (
            ["residual-bn", "--set", "skip=maybe"],
            "skip must be true or false, not 'maybe'.",
        ),
        (["residual-bn", "--set", "width"], "Write --set OPTION=VALUE, not 'width'."),
        (["residual-bn", "--set", ""], "Write --set OPTION=VALUE, not ''."),
        (["plain", "--epochs", "0"], "epochs must be a whole number from 1 to 1,000, not '0'."),
        (
            ["plain", "--seed", "-1"],
            "seed must be a whole number from 0 to 2,147,483,647, not '-1'.",
        ),
        (
            ["plain", "--learning-rate", "0"],
            "learning_rate must be a number from 1e-09 to 10, not '0'.",
        ),
        (
            ["plain", "--batch-size", "0"],
            "batch_size must be a whole number from 1 to 10,000, not '0'.",
        ),
        (
            ["plain", "--train-size", "0"],
            "train_size must be a whole number from 1 to 10,000,000, or none, not '0'.",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_what_cannot_be_trained_is_refused_with_one_sentence(arguments, sentence, options, store):
    assert_refused(explorer("train", *arguments, *options), sentence)
    assert store.runs() == []


def test_a_run_that_another_process_trains_is_refused(store):
    run_id = lines(explorer("train", "plain", *SMALL, "--json"))[-1]["run"]
    spec = store.run(run_id).spec
    store.delete(run_id)
    store.claim(store.add(spec).id, "another")
    for options in ([], ["--fresh"]):
        result = explorer("train", "plain", *SMALL, *options)
        assert_refused(result)
        assert result.stderr.startswith(f"Run {run_id} is being trained")


def test_a_run_that_fails_exits_1_and_says_why_in_json(plugin, store):
    plugin("raise LookupError('nothing here')")
    result = explorer("train", "own", *SMALL, "--json")
    assert result.exit_code == 1
    *_, last = lines(result)
    assert last["event"] == "failed"
    assert last["reason"].startswith("It raised LookupError, line ")
    assert last["reason"].endswith(": nothing here.")
    assert store.run(last["run"]).status is Status.FAILED
    assert "Traceback" not in result.stderr


def test_a_run_that_fails_exits_1_and_says_why_to_people(plugin):
    plugin("raise LookupError('[red]nothing[/red] here')")
    result = explorer("train", "own", *SMALL)
    assert result.exit_code == 1
    assert "Failed: It raised LookupError, line " in result.stdout
    assert "[red]nothing[/red] here" in result.stdout.replace("\n", " ")


def test_a_network_that_ends_the_program_fails_its_run_and_does_not_pass_for_a_success(
    plugin, store
):
    plugin("sys.exit(0)")
    result = explorer("train", "own", *SMALL, "--json")
    assert [run.status for run in store.runs()] == [Status.FAILED]
    assert result.exit_code == 1
    last = lines(result)[-1]
    assert (last["event"], last["run"]) == ("failed", store.runs()[0].id)


def test_a_loss_that_is_no_number_fails_the_run(plugin):
    plugin("x = x * float('inf')")
    result = explorer("train", "own", *SMALL, "--json")
    assert result.exit_code == 1
    assert lines(result)[-1]["event"] == "failed"
    assert lines(result)[-1]["reason"].startswith("The loss is nan at the first step")


def test_a_data_set_that_cannot_be_had_fails_the_run_with_its_sentence(
    monkeypatch, tmp_path, store
):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torchvision.datasets.KMNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    result = explorer("train", "plain", "--dataset", "kmnist", "--json")
    assert result.exit_code == 1
    *_, last = lines(result)
    assert last["event"] == "failed"
    assert last["reason"].startswith("KMNIST could not be downloaded from http://codh.rois.ac.jp/")
    assert store.run(last["run"]).reason == last["reason"]


def test_a_stop_that_is_asked_for_elsewhere_pauses_the_run(monkeypatch, store):
    append = RunStore.append

    def append_and_stop(self, id, owner, event):
        if isinstance(event, Epoch):
            self.request_stop(id)
        return append(self, id, owner, event)

    monkeypatch.setattr(RunStore, "append", append_and_stop)
    last = lines(explorer("train", "plain", *SMALL, "--json"))[-1]
    assert last["event"] == "paused"
    assert store.run(last["run"]).status is Status.PAUSED


def test_a_run_lost_to_another_process_is_not_said_to_be_finished(monkeypatch):
    def lose(run, owner, store, *_):
        store.begin(run.id, owner)
        yield Started("cpu", 1, 1, 1, 1, 1)
        late = time.time() + 2 * LEASE_SECONDS
        with monkeypatch.context() as later:
            later.setattr("explorer.runs.store.time.time", lambda: late)
            store.claim(run.id, "another")

    monkeypatch.setattr("explorer.engines.perform.perform", lose)
    result = explorer("train", "plain", *SMALL, "--json")
    assert "finished" not in [line["event"] for line in lines(result)]
    assert result.exit_code != 0


def read_until(process, condition):
    """Read JSON lines until one meets the condition; return all that were read."""
    read = []
    for line in process.stdout:
        read.append(strictly(line))
        if condition(read[-1]):
            return read
    raise AssertionError(f"it ended with {read}: {process.stderr.read()}")


# A process that was started in the background may have been told to ignore Ctrl-C.
MAIN = """
import signal
import sys

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "explorer"
from explorer.cli import app

app()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_pauses_the_run_and_the_same_command_goes_on_from_that_step(plugin, store):
    plugin("time.sleep(0.01)")
    arguments = ["train", "own", "--train-size", "6400", "--epochs", "2", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    read = read_until(process, lambda line: line["event"] == "step" and line["epoch"] == 2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    [run] = store.runs()
    assert said.splitlines() == [f"Paused; the same command continues it. Run {run.id}."]
    assert run.status is Status.PAUSED
    assert len(run.epochs) == 1
    assert run.kept == Moment(2, store.steps(run.id)[-1].step)

    resumed = lines(explorer(*arguments))
    assert resumed[0]["event"] == "started"
    assert resumed[0]["finished_epochs"] == 1
    assert [line["epoch"] for line in resumed if line["event"] == "epoch"] == [2]
    assert resumed[-1] == {"event": "finished", "run": run.id}
    assert [epoch.epoch for epoch in store.run(run.id).epochs] == [1, 2]
    assert [line["epoch"] for line in read if line["event"] == "epoch"] == [1]


# explorer datasets


def test_datasets_lists_all_and_says_which_are_here(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    result = explorer("datasets")
    assert result.exit_code == 0
    lines_of = result.stdout.splitlines()
    assert lines_of[0] == "mnist          1×28×28, 10 classes"
    assert lines_of[-1].startswith("cifar-10       3×32×32, 10 classes  downloaded at first use, f")
    found = strictly(explorer("datasets", "--json").stdout)
    assert [(each["name"], each["here"]) for each in found][:3] == [
        ("mnist", True),
        ("mnist-scales", True),
        ("fashion-mnist", False),
    ]
    assert found[0]["classes"] == list("0123456789")


# explorer check


@pytest.mark.parametrize("kind", ["file", "package", "folder", "module"])
def test_check_examines_a_plugin_however_it_is_named(plugin, kind, tmp_path, monkeypatch):
    path = plugin()
    target = {
        "file": path,
        "package": tmp_path / "own_package",
        "folder": path.parent,
        "module": "own_module_to_check",
    }[kind]
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text(path.read_text())
    (tmp_path / "own_module_to_check.py").write_text(path.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    result = explorer("check", target, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    told = strictly(result.stdout)
    assert (told["ok"], told["broken"]) == (True, [])
    (report,) = told["reports"]
    assert (report["name"], report["parameters"]) == ("own", 7850)
    assert {finding["verdict"] for finding in report["findings"]} == {"ok", "note"}


def test_check_prints_layers_and_findings_with_their_lines(plugin, monkeypatch):
    path = plugin()
    monkeypatch.chdir(path.parent)
    result = explorer("check", path.name)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"own  {path.name}"
    assert re.search(r"^linear +linear +10 +7,850 +7,840$", result.stdout, re.MULTILINE)
    where = next(i for i, line in enumerate(lines) if line.startswith("note   branches"))
    assert re.fullmatch(rf" +{path.name}:\d+", lines[where + 1])
    assert "ok     learns      The loss falls from" in result.stdout


def test_check_leaves_a_built_in_s_name_to_the_built_in_itself():
    result = explorer("check", BUILT_IN / "plain.py")
    assert result.exit_code == 0
    assert "8,490 parameters" in result.stdout


def test_check_refuses_a_name_that_a_built_in_has(tmp_path):
    (tmp_path / "mine.py").write_text((BUILT_IN / "plain.py").read_text())
    result = explorer("check", tmp_path / "mine.py")
    assert result.exit_code == 1
    assert "The name 'plain' is taken by" in result.stderr


def test_check_exits_1_where_a_finding_is_an_error(plugin):
    result = explorer(
        "check", plugin("sys.calls = getattr(sys, 'calls', 0) + 1; x = x * sys.calls")
    )
    assert result.exit_code == 1
    assert "error  repeats     Equal seeds give different networks or steps" in result.stdout


def test_check_says_what_is_wrong_with_a_plugin_and_where(tmp_path):
    (tmp_path / "bad.py").write_text("def fail():\n    1 / 0\n\n\nfail()\n")
    result = explorer("check", tmp_path / "bad.py")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "It raised ZeroDivisionError, line 2: division by zero." in result.stderr
    assert "in fail" in result.stderr
    assert "registry.py" not in result.stderr
    result = explorer("check", tmp_path / "bad.py", "--json")
    assert result.exit_code == 1
    told = strictly(result.stdout)
    assert (told["ok"], told["reports"]) == (False, [])
    (broken,) = told["broken"]
    assert broken["reason"] == "It raised ZeroDivisionError, line 2: division by zero."
    assert "in fail" in broken["trace"]


def test_check_refuses_a_folder_without_a_plugin(tmp_path):
    assert_refused(explorer("check", tmp_path), f"There is no plugin in the folder {tmp_path}")


# explorer new-plugin


@pytest.mark.parametrize("kind", ["plain", "residual", "inception"])
def test_a_new_plugin_holds_from_the_start(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = explorer("new-plugin", "WideNet2", "--kind", kind)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "explorer check wide_net2.py" in result.stdout
    told = strictly(explorer("check", "wide_net2.py", "--json").stdout)
    assert told["ok"]
    (report,) = told["reports"]
    assert report["name"] == "wide-net2"
    notes = {f["check"] for f in report["findings"] if f["verdict"] != "ok"}
    assert notes == ({"branches"} if kind == "plain" else set())


def test_a_new_plugin_never_replaces_anything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wide_net.py").write_text("precious")
    result = explorer("new-plugin", "wide-net")
    assert_refused(result, "wide_net.py is there already; nothing was written over it.")
    assert (tmp_path / "wide_net.py").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir() if path.suffix] == ["wide_net.py"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["../wide"], "'../wide' cannot be a plugin's name; use letters, digits and hyphens"),
        (["3net"], "'3net' cannot be a plugin's name"),
        (["class"], "'class' cannot be a plugin's name"),
        (["residual-bn"], "There is an architecture 'residual-bn' already; choose another name."),
        (["json", "--kind", "package"], "There is a module 'json' already; choose another name."),
        (["wide", "--kind", "resnet"], "There is no kind 'resnet'; "),
    ],
)
def test_a_new_plugin_that_cannot_be_is_refused(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_refused(explorer("new-plugin", *arguments), sentence)


def test_a_new_package_s_own_test_passes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = strictly(explorer("new-plugin", "wide-net", "--kind", "package", "--json").stdout)
    home = tmp_path / told["path"]
    assert sorted(str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()) == [
        "pyproject.toml",
        "tests/test_wide_net.py",
        "wide_net/__init__.py",
    ]
    declared = tomllib.loads((home / "pyproject.toml").read_text())
    assert declared["project"]["entry-points"]["explorer"] == {"wide-net": "wide_net"}
    assert len((home / "tests" / "test_wide_net.py").read_text().splitlines()) == 3
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "14 passed" in done.stdout


@pytest.mark.parametrize("target", ["nowhere.py", "no_such_module", "no.such.module", "no/where"])
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_check_refuses_a_target_that_is_not_there(target, options):
    assert_refused(
        explorer("check", target, *options),
        f"There is no file and no importable module {target!r}.",
    )


# explorer runs


def test_runs_says_what_to_do_where_there_are_none():
    result = explorer("runs")
    assert result.exit_code == 0
    assert result.stdout == "No runs yet; `explorer train residual` makes one.\n"
    assert strictly(explorer("runs", "--json").stdout) == []


def test_runs_lists_all_the_newest_first(store, clock_of_store):
    specs = [
        RunSpec("plain", {}, "mnist", preset("tutorial").changed(seed=seed), "0") for seed in (0, 1)
    ]
    for spec in specs:
        store.claim(store.add(spec).id, "me")
        clock_of_store.now += 1
    store.begin(specs[0].id, "me")
    store.append(specs[0].id, "me", Epoch(1, 0.5, 0.8, 0.4, 0.9123, 61.5, 1000.0))
    store.append(specs[0].id, "me", Epoch(2, 0.4, 0.9, 0.3, 0.9012, 60.0, 1000.0))
    store.end(specs[0].id, "me", Status.FAILED, "It was too much.")
    result = explorer("runs")
    assert result.exit_code == 0
    newer, older = result.stdout.splitlines()
    assert newer.split()[:2] == [specs[1].id, "queued"]
    assert older.split()[:2] == [specs[0].id, "failed"]
    for part in (
        "91.23 %",
        "2/10 epochs",
        "121.5 s",
        "plain · mnist · tutorial, 10 epochs · seed 0",
    ):
        assert part in older

    newer, older = strictly(explorer("runs", "--json").stdout)
    assert (newer["run"], newer["status"], newer["epochs"]) == (specs[1].id, "queued", [])
    assert newer["best_accuracy"] is None
    assert older["run"] == specs[0].id
    assert older["status"] == "failed"
    assert older["reason"] == "It was too much."
    assert older["architecture"] == "plain"
    assert older["dataset"] == "mnist"
    assert older["recipe"] == specs[0].recipe.to_json()
    assert older["best_accuracy"] == 0.9123
    assert older["last_accuracy"] == 0.9012
    assert older["seconds"] == 121.5
    assert [epoch["test_accuracy"] for epoch in older["epochs"]] == [0.9123, 0.9012]


def test_runs_shows_one_run_with_its_reason_and_traceback(plugin, store):
    plugin("raise LookupError('nothing here')")
    id = lines(explorer("train", "own", *SMALL, "--json"))[-1]["run"]
    result = explorer("runs", id)
    assert (result.exit_code, result.stderr) == (0, "")
    first, reason, trace, *_, last = result.stdout.splitlines()
    assert first.split()[:2] == [id, "failed"]
    assert reason.startswith("    It raised LookupError, line ")
    assert trace == "    Traceback (most recent call last):"
    assert last == "    LookupError: nothing here"
    found = strictly(explorer("runs", id, "--json").stdout)
    assert (found["run"], found["reason"], found["epochs"]) == (id, reason.strip(), [])
    assert found["traceback"] == store.run(id).traceback


def test_runs_shows_the_epochs_of_one_run_an_example_too(examples):
    result = explorer("runs", examples["plain"])
    first, *epochs = result.stdout.splitlines()
    assert first.split()[:2] == [examples["plain"], "finished"]
    assert len(epochs) == 10
    assert all(line.startswith("    epoch ") for line in epochs)


def test_runs_refuses_a_run_that_is_not_there():
    assert_refused(explorer("runs", "0123456789ab"), "There is no run '0123456789ab'; ")


@pytest.fixture
def unreadable(store, tmp_path):
    """A run of a later version beside one that can be read; its id."""
    specs = [
        RunSpec("plain", {}, "mnist", preset("tutorial").changed(seed=seed), "0") for seed in (0, 1)
    ]
    for spec in specs:
        store.add(spec)
    with sqlite3.connect(tmp_path / "runs.sqlite") as connection:
        connection.execute(
            "UPDATE runs SET spec = json_set(spec, '$.recipe.warmup', 3) WHERE id = ?",
            (specs[0].id,),
        )
    connection.close()
    return specs[0].id


def test_runs_lists_those_that_cannot_be_read_with_the_reason(unreadable):
    result = explorer("runs")
    assert result.exit_code == 0
    readable, line = result.stdout.splitlines()
    assert "plain · mnist" in readable
    assert line.split()[:2] == [unreadable, "unreadable"]
    assert "A recipe has no warmup" in line
    _, found = strictly(explorer("runs", "--json").stdout)
    assert (found["run"], found["status"]) == (unreadable, "unreadable")
    assert "A recipe has no warmup" in found["reason"]


@pytest.mark.parametrize("command", [["runs"], ["inspect"]], ids=" ".join)
def test_a_run_that_cannot_be_read_is_refused_with_one_sentence(unreadable, command):
    assert_refused(explorer(*command, unreadable), f"Run {unreadable} cannot be read: ")


@pytest.fixture
def clock_of_store(monkeypatch):
    class Clock:
        now = time.time()

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr("explorer.runs.store.time", clock)
    return clock


# Settings


@pytest.mark.parametrize("command", [["list"], ["runs"], ["train", "plain"]], ids=" ".join)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXPLORER_TIME_LIMIT", "soon"),
        ("EXPLORER_TIME_LIMIT", "0"),
        ("EXPLORER_STOP_GRACE", "-1"),
        ("EXPLORER_WORKERS", "0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_its_name(monkeypatch, command, name, value):
    monkeypatch.setenv(name, value)
    result = explorer(*command)
    assert_refused(result)
    assert name in result.stderr
    assert result.stderr.endswith(f", not {value!r}.\n")


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "nosuchdatabase://somewhere/runs",
        "mysql+pymysql://somewhere/runs",  # a driver that is not installed
        "sqlite:////dev/null/runs.sqlite",
        "sqlite:///{folder}",
        "sqlite:///{folder}/text.sqlite",
    ],
)
@pytest.mark.parametrize("command", [["runs"], ["train", "plain", *SMALL]], ids=["runs", "train"])
def test_a_store_that_cannot_be_opened_is_refused_with_one_sentence(
    monkeypatch, tmp_path, url, command
):
    (tmp_path / "text.sqlite").write_text("This is not a database, but it is long enough." * 20)
    url = url.format(folder=tmp_path)
    monkeypatch.setenv("EXPLORER_DATABASE_URL", url)
    result = explorer(*command)
    assert_refused(result)
    assert url in result.stderr


# Errors


def test_debug_prints_the_traceback_of_what_is_refused():
    result = explorer("--debug", "runs", "0123456789ab")
    assert result.exit_code == 2
    assert "UnknownRunError: There is no run '0123456789ab'" in result.stderr
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("There is no run '0123456789ab'; ")


def test_debug_prints_the_log_and_the_traceback_of_a_failed_run(plugin):
    plugin("raise LookupError('nothing here')")
    result = explorer("--debug", "train", "own", *SMALL, "--json")
    assert result.exit_code == 1
    assert lines(result)[-1]["event"] == "failed"
    assert "explorer.engines.perform: Run " in result.stderr
    assert "in forward" in result.stderr
    assert "LookupError: nothing here" in result.stderr


class ForgottenError(ExplorerError):
    """An error that no list of errors has."""


def test_an_error_of_any_class_of_ours_is_its_sentence(monkeypatch):
    def fail():
        raise ForgottenError("It is too late.")

    monkeypatch.setattr("explorer.cli.listing.plugins_elsewhere", fail)
    assert_refused(explorer("list"), "It is too late.")
    assert "in fail" in explorer("--debug", "list").stderr


def test_a_fault_of_ours_says_so_and_how_to_see_the_traceback(monkeypatch):
    monkeypatch.setattr("explorer.cli.listing.plugins_elsewhere", nullcontext)
    result = explorer("list")
    assert (result.exit_code, result.stdout) == (1, "")
    sentence, hint = result.stderr.splitlines()
    assert sentence.startswith(
        "The explorer itself failed, not a plugin: AttributeError in cli/listing.py, line "
    )
    assert hint == "`explorer --debug …` prints the traceback."
    debugged = explorer("--debug", "list")
    assert debugged.exit_code == 1
    assert "Traceback (most recent call last)" in debugged.stderr
    assert "in list_architectures" in debugged.stderr


def test_the_log_is_silent_again_after_a_command():
    explorer("--debug", "list")
    assert logging.getLogger("explorer").handlers == []


# The program itself


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_package_runs_as_a_program():
    result = python("-m", "explorer", "--help")
    assert result.returncode == 0
    for command in ("list", "train", "check", "runs"):
        assert f" {command} " in result.stdout
    result = python("-m", "explorer", "runs", "--json")
    assert (result.returncode, result.stdout, result.stderr) == (0, "[]\n", "")
    assert python("-m", "explorer", "train", "nothing").returncode == 2


def test_help_needs_none_of_the_heavy_libraries():
    code = """
import sys

from explorer.cli import app

try:
    app(["--help"])
finally:
    heavy = {"torch", "torchvision", "numpy", "streamlit", "plotly", "sqlalchemy", "pandas"}
    print("loaded:", sorted(heavy & set(sys.modules)))
"""
    result = python("-c", code)
    assert result.returncode == 0
    assert "Usage" in result.stdout
    assert result.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize("command", ["list", "train", "check", "runs"])
def test_every_command_takes_json_and_explains_itself(command):
    result = explorer(command, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout


def test_no_command_at_all_shows_the_help():
    assert "Usage" in explorer().output


def test_a_plugins_folder_may_be_one_of_several(plugin, tmp_path, monkeypatch):
    path = plugin()
    monkeypatch.setenv("EXPLORER_PLUGINS", os.pathsep.join([str(tmp_path), str(path.parent)]))
    assert "own" in [line.split()[0] for line in explorer("list").stdout.splitlines()]


@pytest.fixture(scope="module")
def examples():
    return {run.spec.architecture: run.id for run in open_examples().runs()}


def test_inspect_json_has_every_number_of_the_page(examples):
    result = explorer(
        *("inspect", examples["inception"], "--image", 8, "--test-images", 300, "--json")
    )
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["run"], found["epoch"], found["off"]) == (examples["inception"], 10, [])
    assert found["image"] == {"number": 8, "label": 5}
    assert found["prediction"]["class"] == 5
    assert sum(found["prediction"]["probabilities"]) == pytest.approx(1)
    parts = {part["name"]: part for part in found["parts"]}
    assert parts["incep1"]["shape"] == [88, 12, 12]
    rows = parts["incep1.branch5x5"]["receptive_field"]["rows"]
    assert rows == {"size": 14, "stride": 2, "offset": -4}
    assert parts["incep1.avg_pool2d()"]["shape"] == [10, 12, 12]
    assert set(parts["incep1.branch_pool"]["statistics"]) >= {"mean", "std", "zeros", "dead"}
    assert [row["branch"] for row in found["ablation"]] == [
        f"incep{block}.branch{branch}"
        for block in (1, 2)
        for branch in ("1x1", "5x5", "3x3", "_pool")
    ]
    for row in found["ablation"]:
        difference = row["accuracy"] - found["score"]["accuracy"]
        assert row["accuracy_difference"] == pytest.approx(difference)
    attributed = {found["block"]: found for found in found["logit_attribution"]}
    assert (attributed["incep1"]["exact"], attributed["incep2"]["exact"]) == (False, True)
    total = [sum(column) for column in zip(*attributed["incep2"]["branches"].values(), strict=True)]
    logits = [a + b for a, b in zip(total, attributed["incep2"]["bias"], strict=True)]
    assert logits == pytest.approx(found["prediction"]["logits"], abs=1e-4)
    cost = {row["name"]: row for row in found["cost"]}
    assert (cost["conv2"]["macs"], cost["conv2"]["parameters"]) == (2_816_000, 44_020)
    assert cost["incep2"]["milliseconds"] > 0
    last = found["linearity"][-1]
    assert last["tail_replacement"] == {
        "text": "Linear(320, 10)",
        "parameters": 3210,
        "exact": True,
    }
    assert sum(map(sum, found["score"]["confusion"])) == found["score"]["images"] == 300
    assert set(found["gradients"]["branches"]) == {row["branch"] for row in found["ablation"]}


def test_inspect_shows_people_tables(examples):
    result = explorer("inspect", examples["residual"], "--epoch", 1, "--test-images", 100)
    assert result.exit_code == 0
    assert "after epoch 1" in result.stdout
    assert "image 0: predicted 7 (" in result.stdout
    assert "block2.skip" in result.stdout
    assert "block1 is not affine" in result.stdout


def test_inspect_switches_off_what_it_is_asked_to(examples):
    run = examples["residual"]
    arguments = ["inspect", run, "--test-images", 100, "--json"]
    intact = json.loads(explorer(*arguments).stdout)
    without = json.loads(explorer(*arguments, "--off", "block2.skip", "--off", "conv1:0").stdout)
    assert without["off"] == ["block2.skip", "conv1:0"]
    assert without["score"]["accuracy"] < intact["score"]["accuracy"]
    assert without["ablation"] == intact["ablation"], "each is against the intact network"
    silent = next(part for part in without["parts"] if part["name"] == "conv1")
    assert silent["statistics"]["dead"] == 1


def test_inspect_gives_a_part_what_it_gives_for_another_image(examples):
    run = examples["residual"]
    arguments = ["inspect", run, "--test-images", 100, "--image", 0]
    plain = strictly(explorer(*arguments, "--json").stdout)
    assert plain["patching"] is None
    other = strictly(explorer("inspect", run, "--test-images", 100, "--image", 2, "--json").stdout)
    patched = explorer(*arguments, "--patch", "block2.relu()#2=2", "--json")
    found = strictly(patched.stdout)["patching"]
    assert (found["part"], found["image"]) == ("block2.relu()#2", 2)
    assert found["logits"] == pytest.approx(other["prediction"]["logits"], rel=1e-4, abs=1e-4)
    shown = explorer(*arguments, "--patch", "block2.skip=2").stdout
    assert "with block2.skip as for image 2 (patching): predicted" in shown


def test_inspect_finds_what_excites_a_channel(examples):
    arguments = ["inspect", examples["plain"], "--test-images", 300]
    assert strictly(explorer(*arguments, "--json").stdout)["excites"] is None
    found = strictly(explorer(*arguments, "--excites", "conv1:3", "--json").stdout)["excites"]
    assert (found["part"], found["channel"], found["images"]) == ("conv1", 3, 300)
    values = [each["value"] for each in found["most"]]
    assert len(values) == 9
    assert values == sorted(values, reverse=True)
    assert values[0] > found["mean"] > found["least"][0]["value"]
    first, last = found["most"][0]["rows"]
    assert last - first == 4  # of a 5×5 convolution
    assert first == found["most"][0]["unit"][0]
    shown = explorer(*arguments, "--excites", "conv1:3").stdout
    assert "what excites conv1:3 in 300 test images" in shown
    assert f"image {found['least'][8]['image']}" in shown


@pytest.mark.parametrize(
    ("channel", "sentence"),
    [
        ("conv3:0", "There is no channel 'conv3:0'; did you mean 'conv2:0'?"),
        ("conv1", "There is no channel 'conv1'; did you mean 'conv1:0'?"),
        ("conv1:99", "conv1 has 10 channels, 0 to 9, so there is no channel '99'."),
        ("conv1:x", "conv1 has 10 channels, 0 to 9, so there is no channel 'x'."),
        ("", "There is no channel ''; "),
    ],
)
def test_a_channel_that_is_not_there_excites_nothing(examples, channel, sentence):
    arguments = ["inspect", examples["plain"], "--test-images", 10]
    assert_refused(explorer(*arguments, "--excites", channel), sentence)


def test_inspect_takes_the_mean_in_place_of_zeros(examples):
    arguments = ["inspect", examples["residual"], "--test-images", 200]
    lost = {}
    for instead in ("zero", "mean"):
        found = strictly(explorer(*arguments, "--instead", instead, "--json").stdout)["ablation"]
        assert {row["instead"] for row in found} == {instead}
        lost[instead] = {row["branch"]: row["accuracy_difference"] for row in found}
    assert lost["zero"].keys() == lost["mean"].keys()
    assert lost["zero"]["block2.skip"] != lost["mean"]["block2.skip"]
    assert "gives its mean" in explorer(*arguments, "--instead", "mean").stdout


@pytest.mark.parametrize("patch", ["block2.skip", "=3", "block2.skip=x", "block2.skip=10000"])
def test_a_patch_that_cannot_be_read_is_refused(examples, patch):
    sentence = "--patch takes a part and a test image from 0 to 9,999, such as block2.skip=17"
    assert_refused(explorer("inspect", examples["residual"], "--patch", patch), sentence)


def test_a_patch_of_a_part_that_is_not_there_is_refused(examples):
    result = explorer("inspect", examples["residual"], "--patch", "block3.skip=1")
    assert_refused(result, "There is no part 'block3.skip'; did you mean 'block2.skip'?")


def test_inspect_writes_all_maps(examples, tmp_path):
    file = tmp_path / "maps.npz"
    result = explorer("inspect", examples["plain"], "--maps", file, "--test-images", 10)
    assert result.exit_code == 0
    maps = np.load(file)
    assert maps["image"].shape == (1, 28, 28)
    assert maps["relu()#2"].shape == (20, 4, 4)


def test_inspect_json_is_json_also_where_a_class_has_no_image(examples):
    result = explorer("inspect", examples["plain"], "--test-images", 1, "--json")
    found = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(name))
    assert found["score"]["accuracy_by_class"].count(None) == 9


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nosuchrun"], "There is no run 'nosuchrun'"),
        (["{}", "--image", "10000"], "There is no test image 10000; they go from 0 to 9,999."),
        (["{}", "--epoch", "11"], "has no weights of epoch 11; kept are [1, 2"),
        (
            ["{}", "--off", "incep1.branch5x5"],
            "There is no branch 'incep1.branch5x5'; there are block1.skip",
        ),
        (
            ["{}", "--test-images", "5", "--maps", "/no/where.npz"],
            "/no/where.npz cannot be written",
        ),
    ],
)
def test_inspect_refuses_with_a_sentence(examples, arguments, sentence):
    result = explorer("inspect", *(a.replace("{}", examples["residual"]) for a in arguments))
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_runs_lists_the_examples_when_asked(examples):
    listed = json.loads(explorer("runs", "--examples", "--json").stdout)
    assert {run["run"] for run in listed} == set(examples.values())
    assert json.loads(explorer("runs", "--json").stdout) == []


def test_train_records_gradients_unless_asked_not_to(store):
    told = lines(explorer("train", "plain", *SMALL, "--json"))
    assert [line["step"] for line in told if line["event"] == "gradients"] == [1]
    [recorded] = store.gradients(told[-1]["run"])
    assert set(recorded.norms) == {"conv1", "conv2", "linear"}
    quiet = lines(explorer("train", "plain", *SMALL, "--gradients-every", "none", "--json"))
    assert "gradients" not in kinds(quiet)
    accuracy = [line["test_accuracy"] for line in told if line["event"] == "epoch"]
    assert accuracy == [line["test_accuracy"] for line in quiet if line["event"] == "epoch"]
