import logging

import pytest

from explorer import logs
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
