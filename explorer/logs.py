"""Writes the explorer's log to standard error.

Each module logs under its own name, `logging.getLogger(__name__)`, and whoever starts a process
decides what is shown: the app by the setting `EXPLORER_LOG_LEVEL`, the command line by `--debug`.
"""

import logging

# The process is named after the run that it trains.
_FORMAT = "%(asctime)s %(levelname)s [%(processName)s] %(name)s: %(message)s"


def start(level: str) -> None:
    """Write what is at least as serious as `level`, such as `info`, to standard error."""
    stop()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    _logger.addHandler(handler)
    _logger.setLevel(level.upper())


def stop() -> None:
    """Write nothing any more."""
    for handler in _logger.handlers[:]:
        _logger.removeHandler(handler)
    _logger.setLevel(logging.NOTSET)


_logger = logging.getLogger("explorer")
