"""The commands `settings` and `hash-password`."""

import json
import os
import pty
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from explorer.cli import app
from explorer.passwords import matches


def explorer(*arguments: str, input: str | None = None):
    return CliRunner().invoke(app, list(arguments), input=input)


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for name in list(os.environ):
        if name.startswith("EXPLORER_"):
            monkeypatch.delenv(name)


def test_settings_are_printed_with_value_and_origin(monkeypatch):
    monkeypatch.setenv("EXPLORER_HOSTED", "1")
    monkeypatch.setenv("EXPLORER_MAX_EPOCHS", "4")
    done = explorer("settings")
    assert done.exit_code == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["EXPLORER_HOSTED", "on", "environment"] in lines
    assert ["EXPLORER_MAX_EPOCHS", "4", "environment"] in lines
    assert ["EXPLORER_TIME_LIMIT", "900", "seconds", "hosted", "default"] in lines
    assert ["EXPLORER_WORKERS", "1", "default"] in lines


def test_settings_are_printed_for_programs_without_secrets(monkeypatch):
    monkeypatch.setenv("EXPLORER_DATABASE_URL", "postgresql://me:hunter2@db/runs")
    monkeypatch.setenv("EXPLORER_SECRET_KEY", "k" * 40)
    done = explorer("settings", "--json")
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert found["EXPLORER_DATABASE_URL"]["value"] == "postgresql://me:***@db/runs"
    assert found["EXPLORER_MAX_EPOCHS"] == {
        "name": "EXPLORER_MAX_EPOCHS",
        "value": None,
        "origin": "default",
    }
    assert "hunter2" not in done.output
    assert "k" * 40 not in done.output


def test_a_variable_that_is_no_setting_is_named_beside_the_table(monkeypatch):
    monkeypatch.setenv("EXPLORER_MAX_EPOCH", "4")
    done = explorer("settings", "--json")
    assert json.loads(done.stdout)
    assert "EXPLORER_MAX_EPOCH is no setting; did you mean 'EXPLORER_MAX_EPOCHS'?" in done.stderr


def test_a_bad_setting_ends_with_its_sentence(monkeypatch):
    monkeypatch.setenv("EXPLORER_MAX_EPOCHS", "0")
    done = explorer("settings")
    assert done.exit_code == 2
    assert done.stderr.startswith("The setting EXPLORER_MAX_EPOCHS cannot be used: ")


def test_a_password_is_read_from_a_pipe_and_not_repeated():
    done = explorer("hash-password", input="correct horse battery\n")
    name, _, hashed = done.stdout.strip().partition("=")
    assert name == "EXPLORER_OPERATOR_PASSWORD_HASH"
    assert matches("correct horse battery", hashed)
    assert "horse" not in done.output


def test_a_short_password_is_refused_with_a_sentence():
    done = explorer("hash-password", input="short\n")
    assert done.exit_code == 2
    assert "take at least 12" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("second", ["correct horse battery", "correct horse buttery"])
def test_a_password_is_asked_for_twice_at_a_terminal_and_not_shown(second):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "explorer", "hash-password"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        text=True,
    ) as process:
        os.close(theirs)
        # `getpass` throws away what was typed before it asked.
        seen = b""
        for words, answer in ((b"operator: ", "correct horse battery"), (b"more: ", second)):
            while words not in seen:
                seen += os.read(ours, 1000)
            os.write(ours, f"{answer}\n".encode())
        printed, _ = process.communicate(timeout=60)
    os.close(ours)
    assert b"horse" not in seen
    if second.endswith("buttery"):
        assert process.returncode == 2
        assert printed == ""
    else:
        assert matches(second, printed.strip().partition("=")[2])
