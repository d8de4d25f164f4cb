"""The commands `import-weights` and `export`."""

import base64
import errno
import json
import math
import os
import re
import zlib
from pathlib import Path

import pytest
import torch
from built_ins import REGISTRY
from safetensors.torch import load_file
from typer.testing import CliRunner

from explorer.cli import app
from explorer.plugin import matching
from explorer.runs.restore import load_network
from explorer.runs.run import Status
from explorer.spec import ImageSpec
from explorer.training.events import Moment

GREY = ImageSpec(1, 28, 10)


def explorer(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def assert_refused(result, sentence):
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert sentence in line
    assert line.endswith(".")


def network(name="plain", **options):
    torch.manual_seed(1)
    return REGISTRY[name].build(GREY, options)


@pytest.fixture
def file(tmp_path):
    """The weights of a small network."""
    torch.save(network().state_dict(), tmp_path / "net.pt")
    return tmp_path / "net.pt"


@pytest.fixture(scope="module")
def recorded():
    from explorer.runs.recorded import open_examples

    return {run.spec.architecture: run for run in open_examples().runs()}


def test_import_weights_says_how_good_the_network_is_and_ends_with_the_run_s_id(
    recorded, store, tmp_path
):
    trained = recorded["plain"]
    explorer("export", trained.id, "--weights", tmp_path / "net.safetensors")
    result = explorer("import-weights", "plain", tmp_path / "net.safetensors")
    assert (result.exit_code, result.stderr) == (0, "")
    [run] = store.runs()
    score, last = result.stdout.splitlines()
    accuracy, loss = run.epochs[0].test_accuracy, run.epochs[0].test_loss
    assert score == (
        f"plain · mnist · imported {run.spec.imported[:6]}: {100 * accuracy:.2f} % of 10,000 test "
        f"images classified correctly, loss {loss:.4f}"
    )
    assert last == f"run {run.id}"
    again = explorer("import-weights", "plain", tmp_path / "net.safetensors")
    assert again.stdout.splitlines() == ["These weights were imported before.", score, last]
    assert store.runs() == [run]


def test_import_weights_json_is_one_object(store, tmp_path):
    torch.save(network("residual-bn", width=8, skip=False).half().state_dict(), tmp_path / "net.pt")
    arguments = [tmp_path / "net.pt", "--set", "width=8", "--set", "skip=off", "--json"]
    result = explorer("import-weights", "residual-bn", *arguments)
    found = json.loads(result.stdout)
    [run] = store.runs()
    assert found["run"] == run.id
    assert found["options"] == {"width": 8, "blocks": 3, "skip": False}
    assert (found["imported"], found["was_there"]) == (run.spec.imported, False)
    assert "recipe" not in found
    assert found["test_accuracy"] == run.last_accuracy
    assert found["notes"][0] == "Weights were converted from float16 to float32."
    assert result.stderr.splitlines() == found["notes"]


def test_an_imported_run_is_listed_and_shown_as_such(file):
    run = explorer("import-weights", "plain", file).stdout.splitlines()[-1].removeprefix("run ")
    line = explorer("runs").stdout.strip()
    assert line.startswith(f"{run}  finished  ")
    assert "  imported  " in line
    assert "epoch" not in line
    assert "seed" not in line
    shown = explorer("runs", run)
    assert shown.stdout.strip() == line
    (listed,) = json.loads(explorer("runs", "--json").stdout)
    assert (listed["run"], listed["status"]) == (run, "finished")
    assert len(listed["imported"]) == 12
    assert "recipe" not in listed
    inspected = explorer("inspect", run, "--test-images", 50)
    assert inspected.exit_code == 0
    assert inspected.stdout.splitlines()[0] == f"plain · mnist · imported {listed['imported'][:6]}"


@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_export_writes_the_state_dict_of_an_epoch(recorded, examples, mnist, tmp_path, kind):
    run, file = recorded["residual"], tmp_path / f"net.{kind}"
    result = explorer("export", run.id, "--weights", file, "--epoch", 3)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{file} has the weights of {run.title}, after epoch 3.\n"
    written = load_file(file) if kind == "safetensors" else torch.load(file, weights_only=True)
    model = network("residual")
    model.load_state_dict(written)
    wanted = load_network(run, Moment(3), examples, REGISTRY, torch.device("cpu"))
    images = torch.randn(16, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(model.eval()(images), wanted(images))


def test_export_json_says_what_was_written(recorded, tmp_path):
    run, file = recorded["plain"], tmp_path / "net.safetensors"
    result = explorer("export", run.id, "--weights", file, "--json")
    assert json.loads(result.stdout) == {"run": run.id, "epoch": 10, "weights": str(file)}


def test_the_beginning_of_a_run_s_id_is_enough(recorded, tmp_path):
    run, file = recorded["plain"], tmp_path / "net.pt"
    exported = explorer("export", run.id[:6], "--weights", file, "--json")
    assert json.loads(exported.stdout)["run"] == run.id
    inspected = explorer("inspect", run.id[:6], "--test-images", 10, "--json")
    assert json.loads(inspected.stdout)["run"] == run.id
    (shown,) = explorer("runs", run.id[:6]).stdout.splitlines()[:1]
    assert shown.startswith(run.id)


def test_export_writes_over_a_file_only_if_asked_to(recorded, tmp_path):
    file = tmp_path / "net.pt"
    file.write_bytes(b"mine")
    arguments = ["export", recorded["plain"].id, "--weights", file]
    assert_refused(explorer(*arguments), f"{file} is there already; name another, or give --force")
    assert file.read_bytes() == b"mine"
    assert explorer(*arguments, "--force").exit_code == 0
    assert torch.load(file, weights_only=True)
    assert list(tmp_path.glob("*.pt*")) == [file]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{}"], "Say what to write: --weights FILE.safetensors, --html FILE.html, or both."),
        (["nosuchrun", "--weights", "net.pt"], "There is no run 'nosuchrun'; `explorer runs`"),
        (["{}", "--weights", "net.pt", "--epoch", "11"], "has no weights of epoch 11; kept are [1"),
        (["{}", "--weights", "net.txt"], "its name must end in .safetensors or .pt."),
        (["{}", "--weights", "no/net.pt"], "no/net.pt cannot be written (No such file or"),
    ],
)
def test_export_refuses_with_a_sentence(recorded, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    given = (argument.replace("{}", recorded["plain"].id) for argument in arguments)
    assert_refused(explorer("export", *given), sentence)
    assert list(Path().glob("*net*")) == []


def test_a_run_without_weights_is_not_exported(store, recorded, tmp_path):
    run = store.add(recorded["plain"].spec)
    assert_refused(
        explorer("export", run.id, "--weights", tmp_path / "net.pt"),
        f"Run {run.id} has no weights yet; `explorer train` goes on with it.",
    )


def broken(state):
    state["linear.bias"][0] = math.nan
    return state


@pytest.mark.parametrize(
    ("arguments", "state", "sentence"),
    [
        (["plian", "net.pt"], {}, "There is no architecture 'plian'; did you mean 'plain'?"),
        (["plain", "net.pt", "--dataset", "mnits"], {}, "There is no data set 'mnits'; did you"),
        (["plain", "net.pt", "--set", "width=3"], {}, "There is no option 'width'; there is none."),
        (["residual-bn", "net.pt", "--set", "width"], {}, "Write --set OPTION=VALUE, not 'width'."),
        (
            ["residual-bn", "net.pt", "--set", "width=100"],
            {},
            "width must be a whole number from 8 to 64, not '100'.",
        ),
        (["plain", "nowhere.pt"], {}, "There is no file nowhere.pt."),
        (["plain", "net.pt"], None, "net.pt cannot be read by torch.load: it is damaged or"),
        (["plain", "net.txt"], {}, "its name must end in .safetensors, .pt, .pth, .bin or .ckpt."),
        (
            ["plain", "net.pt"],
            torch.nn.Linear(2, 2),
            "would have to be run as code, and only tensors are read",
        ),
        (["plain", "net.pt"], {}, "net.pt holds nothing where a state dict is expected; save it"),
        (
            ["plain", "net.pt"],
            network("residual-bn", width=8).state_dict(),
            ". It fits residual-bn --set width=8.",
        ),
        (
            ["plain", "net.pt"],
            broken(network().state_dict()),
            "With the weights of net.pt, the loss is nan; import weights with which the network",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_import_weights_refuses_with_a_sentence_and_makes_no_run(
    store, tmp_path, monkeypatch, arguments, state, sentence, options
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(matching, "SECONDS", 120.0)  # however busy the machine is
    torch.save(state, "net.pt")
    if state is None:
        Path("net.pt").write_bytes(b"")
    result = explorer("import-weights", *arguments, *options)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert sentence in result.stderr.splitlines()[-1]
    assert store.runs() == []


@pytest.mark.parametrize("command", ["import-weights", "export"])
def test_each_command_takes_json_and_explains_itself(command):
    result = explorer(command, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout
    assert f" {command} " in explorer("--help").stdout


def test_an_imported_run_is_not_trained_by_the_command_that_its_architecture_has(file, store):
    explorer("import-weights", "plain", file)
    explorer("train", "plain", "--train-size", 64, "--epochs", 1)
    statuses = {bool(run.spec.imported): run.status for run in store.runs()}
    assert statuses == {True: Status.FINISHED, False: Status.FINISHED}


# --- the page


def words(file):
    return file.read_text(encoding="utf-8")


def test_export_html_writes_a_page_of_the_epoch_and_the_images(recorded, tmp_path):
    run, file = recorded["residual"], tmp_path / "net.html"
    arguments = ["--images", "8,15", "--epoch", 3, "--test-images", 100]
    result = explorer("export", run.id[:5], "--html", file, *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(
        rf"{file} has {re.escape(run.title)}, after epoch 3: 0\.\d MB, test images 8, 15\.\n",
        result.stdout,
    )
    assert f"{100 * run.epochs[2].test_accuracy:.2f} %" in words(file)
    assert list(tmp_path.glob("*.part")) == []


def test_export_html_json_says_what_is_in_the_page(recorded, tmp_path):
    run, file = recorded["plain"], tmp_path / "net.html"
    weights = tmp_path / "net.safetensors"
    arguments = ["--weights", weights, "--images", "3", "--test-images", 50, "--json"]
    result = explorer("export", run.id, "--html", file, *arguments)
    found = json.loads(result.stdout)
    assert found["run"] == run.id
    assert found["epoch"] == 10
    assert (found["html"], found["weights"]) == (str(file), str(weights))
    assert found["bytes"] == file.stat().st_size
    assert len(set(found["images"])) == 3
    assert found["left_out"] == []
    assert weights.exists()


def test_export_html_of_imported_weights_has_a_page(file, tmp_path):
    run = explorer("import-weights", "plain", file).stdout.splitlines()[-1].removeprefix("run ")
    page = tmp_path / "net.html"
    result = explorer("export", run, "--html", page, "--images", "1,", "--test-images", 50)
    assert result.exit_code == 0, result.output
    assert "<dt>Weights</dt><dd dir='auto'>imported, " in words(page)


def test_export_html_computes_what_is_off_together(recorded, tmp_path):
    file = tmp_path / "net.html"
    off = ["--off", "block2.skip", "--off", "conv1:3"]
    small = ["--images", "1,", "--test-images", 50]
    result = explorer("export", recorded["residual"].id, "--html", file, *off, *small)
    assert result.exit_code == 0, result.output
    [common] = re.findall(r'octet-stream">([^<]+)<', words(file))[:1]
    given = zlib.decompress(base64.b64decode(common), wbits=-15)
    assert b'"off":["block2.skip","conv1:3"]' in given
    assert b'"states":[[],["block2.skip","conv1:3"],["block1.skip"]' in given


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Say what to write: --weights FILE.safetensors, --html FILE.html, or both."),
        (["--html", "."], "is a folder"),
        (["--html", "mine.html"], "is there already; name another, or give --force"),
        (["--html", "no/where.html"], "There is no folder no"),
        (["--html", "a.html", "--images", "8;15"], "--images takes test images"),
        (["--html", "a.html", "--images", ""], "--images takes test images"),
        (["--html", "a.html", "--images", "0"], "From 1 to 100 images"),
        (["--html", "a.html", "--images", "10000,"], "There is no test image 10000"),
        (["--html", "a.html", "--url", "javascript:alert(1)"], "--url takes an address"),
        (["--html", "a.html", "--url", "https://a b"], "--url takes an address"),
        (["--html", "a.html", "--epoch", "99"], "99"),
    ],
)
def test_export_html_refuses_what_cannot_be_written(
    recorded, tmp_path, monkeypatch, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    Path("mine.html").write_text("mine")
    result = explorer("export", recorded["residual"].id, *arguments)
    assert_refused(result, sentence)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".html"] == ["mine.html"]
    assert Path("mine.html").read_text() == "mine"


def test_export_html_suggests_the_branch_that_was_meant(recorded, tmp_path):
    arguments = ["--html", tmp_path / "net.html", "--off", "block2.skp"]
    result = explorer("export", recorded["residual"].id, *arguments)
    assert result.exit_code == 2
    assert result.stderr == "There is no branch 'block2.skp'; did you mean 'block2.skip'?\n"
    assert list(tmp_path.glob("*.html")) == []


def test_export_html_says_when_the_disk_is_full(recorded, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("explorer.cli.pages.write_whole", full)
    arguments = ["--images", "1,", "--test-images", 50]
    result = explorer("export", recorded["plain"].id, "--html", tmp_path / "net.html", *arguments)
    assert_refused(result, "(No space left on device); free some space")
