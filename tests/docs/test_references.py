"""The reference says what the docstrings say, and the page of errors has every message."""

import importlib.util
import re
from pathlib import Path

import pytest
from docs.messages import explained, found, raised

import explorer
from explorer import hooks, lessons

DOCS = Path(__file__).parents[2] / "docs"
ERRORS = (DOCS / "errors.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\|(.*)\|$", ERRORS, re.MULTILINE)
LISTED = {cell.strip().removeprefix("**error** ") for row in ROWS for cell in row.split("|")}


def maker():
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_docstrings_say():
    """If not, run `python docs/make_reference.py`."""
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == maker().reference()


def test_the_reference_has_every_public_name_and_every_hook():
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    for name in (*explorer.__all__, *hooks.HOOKS, *lessons.__all__, "check_tests"):
        assert f"### `{name}`" in text


@pytest.mark.parametrize("message", sorted({*raised(), *explained(), *found()}))
def test_the_page_of_errors_has_every_message(message):
    assert " ".join(message.split()) in LISTED


def test_the_page_of_errors_has_no_message_that_no_code_gives():
    given = {" ".join(message.split()) for message in (*raised(), *explained(), *found())}
    listed = [
        cell.removeprefix("**error** ").strip() for row in ROWS for cell in row.split(" | ")[-2:-1]
    ]
    listed = [cell for cell in listed if cell not in ("message", "---")]
    assert len(listed) > 80
    assert [cell for cell in listed if cell not in given] == []


def test_messages_are_read_as_they_are_in_the_code():
    assert "… is empty: its first number must be below its second." in set(raised())
    assert "It raised …, line …: …." in set(explained())
    assert "All its pixels are 0 or 1 of 255: multiply" in "".join(found())
