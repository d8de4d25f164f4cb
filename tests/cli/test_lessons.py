"""The command `lessons check`."""

import json

from typer.testing import CliRunner

from explorer.cli import app


def explorer(*arguments: object):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_lesson_that_is_right_is_said_with_its_address(tmp_path):
    (tmp_path / "mine.yaml").write_text("title: t\n")
    (tmp_path / "curves.yaml").write_text("title: t\npage: train\n")
    done = explorer("lessons", "check", tmp_path / "mine.yaml", tmp_path / "curves.yaml")
    assert done.exit_code == 0
    first, second = done.stdout.splitlines()
    assert first.endswith("mine.yaml is right; its address ends in /inside?lesson=mine")
    assert second.endswith("curves.yaml is right; its address ends in /train?lesson=curves")


def test_mistakes_are_sentences_and_the_status_is_1(tmp_path):
    (tmp_path / "bad.yaml").write_text("titel: t\n")
    (tmp_path / "no name.yaml").write_text("title: t\n")
    files = [tmp_path / "bad.yaml", tmp_path / "no name.yaml", tmp_path / "gone.yaml"]
    done = explorer("lessons", "check", *files)
    assert done.exit_code == 1
    assert "bad.yaml: there is no key 'titel' here; did you mean 'title'?" in done.stdout
    assert "no name.yaml should have a name of letters" in done.stdout
    assert "gone.yaml cannot be read" in done.stdout
    found = json.loads(explorer("lessons", "check", "--json", *files).stdout)
    assert [len(found[str(file)]) for file in files] == [2, 1, 1]
