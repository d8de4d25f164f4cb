"""The command `predict`: what is on a picture, without a browser."""

import json

import numpy as np
import pytest
from digit_pictures import pictures
from PIL import Image
from typer.testing import CliRunner

from explorer.cli import app
from explorer.data.cache import load_arrays
from explorer.data.mnist import MNIST
from explorer.runs.recorded import open_examples


@pytest.fixture(scope="module")
def residual():
    store = open_examples()
    [run] = [run.id for run in store.runs() if run.spec.architecture == "residual"]
    store.close()
    return run


@pytest.fixture
def digits(cache):
    """A 7, a 2 and a 1, `(3, 28, 28)`."""
    return np.asarray(load_arrays(MNIST, cache).test_images[:3, 0])


@pytest.fixture
def files(tmp_path, cache, monkeypatch, digits):
    """Scans of the digits, and a text."""
    monkeypatch.setenv("EXPLORER_CACHE", str(cache))
    made = []
    for number, picture in pictures("clean scan", digits, 0):
        made.append(tmp_path / f"{number}.png")
        picture.save(made[-1])
    made.insert(1, tmp_path / "text.png")
    made[1].write_text("seven")
    return made


def predict(*arguments):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def answers(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_picture_gets_an_object_with_what_is_on_it(residual, files):
    result = predict(residual, files[0], files[2], "--json")
    assert result.exit_code == 0
    found = answers(result)
    assert [answer["file"] for answer in found] == [str(files[0]), str(files[2])]
    assert [answer["predicted"] for answer in found] == ["7", "2"]
    assert [answer["sure"] for answer in found] == [True, True]
    assert all(set(answer) == {"file", "predicted", "probabilities", "sure"} for answer in found)
    probabilities = found[0]["probabilities"]
    assert list(probabilities) == list("0123456789")
    assert sum(probabilities.values()) == pytest.approx(1)
    assert max(probabilities, key=probabilities.get) == "7"


def test_a_file_that_cannot_be_used_gets_a_sentence_and_the_others_an_answer(residual, files):
    missing = files[0].with_name("missing.png")
    result = predict(residual, *files, missing, files[0].parent, "--json")
    assert result.exit_code == 1
    assert result.stderr == ""
    found = answers(result)
    assert [answer.get("predicted") for answer in found] == ["7", None, "2", "1", None, None]
    errors = {answer["file"]: answer["error"] for answer in found if "error" in answer}
    assert set(map(len, found)) == {2, 4}
    assert errors[str(files[1])].startswith("This is not a picture that can be read; choose a PNG")
    assert errors[str(missing)].startswith("This file cannot be read (No such file")
    assert errors[str(files[0].parent)].startswith("This file cannot be read (Is a directory)")


def test_a_doubt_is_said(residual, digits, tmp_path, cache, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(cache))
    two = Image.new("L", (600, 300))
    for number, digit in enumerate(digits[:2]):
        two.paste(Image.fromarray(digit).resize((200, 200)), (40 + 320 * number, 50))
    two.save(tmp_path / "two.png")
    [answer] = answers(predict(residual, tmp_path / "two.png", "--json"))
    assert answer["sure"] is False
    assert answer["doubt"].startswith("There is more in this picture than one digit")
    shown = predict(residual, tmp_path / "two.png")
    assert f"not sure: {answer['doubt']}" in shown.stdout


def test_people_get_a_table(residual, files):
    result = predict(residual, *files)
    assert result.exit_code == 1
    first, second, third = result.stdout.splitlines()
    assert [line.split()[1] for line in (first, second, third)] == ["7", "2", "1"]
    assert first.endswith(" %")
    assert f"{files[1]}  cannot be used: This is not a picture" in result.stderr


def test_a_run_that_is_not_there_is_refused(files):
    result = predict("nosuchrun", files[0])
    assert result.exit_code == 2
    assert result.stderr.startswith("There is no run 'nosuchrun'")


def test_an_epoch_may_be_chosen(residual, files):
    first, last = (
        answers(predict(residual, files[0], "--json", *more))[0]["probabilities"]["7"]
        for more in (["--epoch", 1], [])
    )
    assert first != last
    result = predict(residual, files[0], "--epoch", 99)
    assert result.exit_code == 2
    assert "has no weights of epoch 99" in result.stderr
