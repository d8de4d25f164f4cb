"""The command line speaks the language of the environment, and JSON is the same in all of them.

The catalogue in Chinese has to have the messages.
"""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from explorer.cli import app
from explorer.language import ENGLISH

COMMANDS = [*([each.name] for each in app.registered_commands), ["lessons"], ["lessons", "check"]]
LANGUAGE = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")

# What cannot be read, and what typer says of it.
MISTAKES = [
    (["--debug"], "Missing command"),
    (["trian"], "No such command 'trian'. Did you mean"),
    (["xyz"], "No such command"),
    (["train"], "Missing argument"),
    (["train", "--xyz"], "No such option"),
    (["train", "plain", "--recip", "fast"], "Possible options"),
    (["train", "plain", "--fresh=3"], "does not take a value"),
    (["runs", "1", "2"], "Got unexpected extra argument"),
    (["inspect", "1", "--off"], "requires an argument"),
    (["inspect", "1", "--epoch", "last"], "Input should be a valid integer"),
    (["inspect", "1", "--instead", "nothing"], "is not one of"),
    (["inspect", "1", "--test-images", "-1"], "Input should be greater than"),
]


@pytest.fixture(autouse=True)
def _spoken_before(monkeypatch):
    monkeypatch.setattr("explorer.language.spoken._default", ENGLISH)


def explorer(*arguments, language="en"):
    return CliRunner().invoke(app, [str(each) for each in arguments], env={"LANGUAGE": language})


def started(*arguments, **environment):
    """What a program of its own prints."""
    others = {name: value for name, value in os.environ.items() if name not in LANGUAGE}
    done = subprocess.run(
        [sys.executable, "-m", "explorer", *arguments],
        env={**others, "PYTHONUTF8": "1", **environment},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def shared(one, other):
    """The lines that two texts have in common."""
    return (set(one.splitlines()) & set(other.splitlines())) - {""}


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]], ids=" ".join)
@pytest.mark.parametrize("variable", LANGUAGE)
def test_help_follows_the_environment(arguments, variable):
    english = started(*arguments, LANG="C")
    assert "Show this message and exit." in english
    assert shared(english, started(*arguments, **{variable: "zh_CN.UTF-8"})) == set()


def test_help_is_in_english_where_there_is_no_other():
    assert started("--help", LANG="xx_XX.UTF-8") == started("--help", LANG="C")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_line_of_a_command_s_help_is_left_in_english(arguments):
    english = explorer(*arguments, "--help").stdout
    assert english.startswith(f"Usage: root {' '.join(arguments)} ")
    assert shared(english, explorer(*arguments, "--help", language="zh_CN").stdout) == set()


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_what_is_wrong_with_a_command_is_said_in_the_language_of_the_environment(arguments, words):
    english, chinese = explorer(*arguments), explorer(*arguments, language="zh_CN")
    assert english.exit_code == chinese.exit_code == 2
    assert words in english.stderr
    assert words not in chinese.stderr
    assert shared(english.stderr, chinese.stderr) == set()


def test_without_a_command_the_help_is_all_that_is_said():
    result = explorer()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == explorer("--help").stdout


def test_json_is_in_english_in_all_languages(tmp_path):
    file = tmp_path / "my lesson.yaml"
    file.write_text("page: nowhere\n", encoding="utf-8")
    for arguments in (["settings"], ["lessons", "check", file], ["runs", "--examples"]):
        texts = [explorer(*arguments, language=name).stdout for name in ("en", "zh_CN")]
        assert texts[0] != texts[1]
        json = [explorer(*arguments, "--json", language=name).stdout for name in ("en", "zh_CN")]
        assert json[0] == json[1]
