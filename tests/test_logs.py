import json
import logging
from datetime import UTC, datetime

import pytest

from explorer import language, logs
from explorer.errors import ExplorerError
from explorer.language import say, sentences, speaking
from explorer.settings import SettingsError, read_settings

LOG = logging.getLogger("explorer.somewhere")


@pytest.fixture(autouse=True)
def _stopped():
    yield
    logs.stop()


def test_what_is_serious_enough_is_written_once_with_its_process_and_its_module(capsys):
    logs.start("debug")
    logs.start("info")
    LOG.debug("a detail")
    LOG.info("a fact")
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(" INFO [MainProcess] explorer.somewhere: a fact")


def test_nothing_is_written_once_the_log_is_stopped(capsys):
    logs.start("debug")
    logs.stop()
    LOG.info("a fact")
    assert capsys.readouterr().err == ""


def test_the_level_is_a_setting(monkeypatch):
    assert read_settings().log_level == "info"
    monkeypatch.setenv("EXPLORER_LOG_LEVEL", "debug")
    assert read_settings().log_level == "debug"
    monkeypatch.setenv("EXPLORER_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match=r"EXPLORER_LOG_LEVEL cannot be used: .*'loud'"):
        read_settings()


def as_json(capsys) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_each_message_is_a_json_object_on_a_line_of_its_own(capsys):
    logs.start("info", "json")
    LOG.info("two lines\nand %s", "“more”")
    LOG.warning("a number", extra={"reference": "00c0ffee"})
    first, second = as_json(capsys)
    moment = datetime.fromisoformat(first.pop("time"))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 3600
    assert first == {
        "level": "info",
        "logger": "explorer.somewhere",
        "process": "MainProcess",
        "message": "two lines\nand “more”",
    }
    assert (second["level"], second["reference"]) == ("warning", "00c0ffee")


def test_a_traceback_is_one_text_within_the_object(capsys):
    logs.start("info", "json")
    try:
        raise ValueError("no\nsuch")
    except ValueError:
        LOG.exception("It failed")
    [line] = as_json(capsys)
    assert line["message"] == "It failed"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: no\nsuch")


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_log_is_english_whatever_is_spoken(capsys, monkeypatch, format):
    logs.start("info", format)
    monkeypatch.setattr(sentences, "translated", lambda _, own: f"{language.current()}: {own}")
    with speaking("zh-CN"):
        error = ExplorerError(say("It is {what}.", what="broken"))
        assert str(error) == "zh-CN: It is broken."
        LOG.error("No: %s", error)
        try:
            try:
                raise error
            except ExplorerError as first:
                raise ExplorerError(say("Nor this.")) from first
        except ExplorerError:
            LOG.exception("It failed")
    written = capsys.readouterr().err
    assert "No: en: It is broken." in written
    assert "ExplorerError: en: It is broken." in written
    assert "ExplorerError: en: Nor this." in written
    assert "zh-CN" not in written


def test_the_format_is_a_setting(monkeypatch):
    assert read_settings().log_format == "text"
    monkeypatch.setenv("EXPLORER_LOG_FORMAT", "json")
    assert read_settings().log_format == "json"
