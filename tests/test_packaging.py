"""What an installed explorer says of itself, and what is pinned."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

import explorer
from explorer.cli import app

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = {
    "requirements.txt": [],
    "requirements-dev.txt": PROJECT["optional-dependencies"]["dev"],
}


def test_a_checkout_and_what_is_built_from_it_have_the_same_version():
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "metadata", "version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert built.stdout.strip() == explorer.__version__


def test_the_command_prints_the_version():
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"explorer {explorer.__version__}\n")


@pytest.mark.parametrize("name", ["explorer", "architecture-explorer"])
def test_the_commands_are_the_same_program(name):
    target = PROJECT["scripts"][name]
    assert EntryPoint(name, target, "console_scripts").load() is app


def test_type_checkers_see_the_annotations():
    assert Path(explorer.__file__).with_name("py.typed").read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_every_requirement_is_pinned_and_no_index_is_named(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    pinned = {name.lower() for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    wanted = [*PROJECT["dependencies"], *REQUIREMENTS[file]]
    assert {re.match(r"[\w.-]+", name)[0] for name in wanted} - pinned == set()
    assert re.findall(r"--index-url|--extra-index-url|://", text) == []


def test_the_targets_of_the_makefile_run_what_is_there():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    files = re.findall(r"\$\(PYTHON\) ([\w/]+\.py)", text)
    commands = re.findall(r"\$\(PYTHON\) -m explorer (\w+) (\S+)", text)
    assert files
    assert commands
    for file in files:
        assert '\nif __name__ == "__main__":\n' in (ROOT / file).read_text(encoding="utf-8")
    for command, file in commands:
        assert command in {each.name for each in app.registered_commands}
        assert (ROOT / file).is_file()


def test_the_oldest_python_that_is_supported_is_tested_elsewhere_too():
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    [pythons] = re.findall(r"^ +python: \[(.*)\]$", workflow, re.MULTILINE)
    assert f'"{PROJECT["requires-python"].removeprefix(">=")}"' in pythons.split(", ")
