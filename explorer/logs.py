"""Writes the explorer's log to standard error.

Each module logs under its own name, `logging.getLogger(__name__)`, and whoever starts a process
decides what is shown: the app by the settings `EXPLORER_LOG_LEVEL` and `EXPLORER_LOG_FORMAT`, the
command line by `--debug`.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

Format = Literal["text", "json"]

# The process is named after the run that it trains.
_TEXT = "%(asctime)s %(levelname)s [%(processName)s] %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """Writes each message as one JSON object on a line of its own.

    It has `time` (UTC), `level`, `logger`, `process`, `message`; where there is one, `exception`
    has the traceback, and `reference` the number that a visitor was shown.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.processName,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if reference := getattr(record, "reference", None):
            fields["reference"] = reference
        return json.dumps(fields, ensure_ascii=False, default=str)


def start(level: str, format: Format = "text") -> None:
    """Write what is at least as serious as `level`, such as `info`, to standard error."""
    stop()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if format == "json" else logging.Formatter(_TEXT))
    _logger.addHandler(handler)
    _logger.setLevel(level.upper())


def stop() -> None:
    """Write nothing any more."""
    for handler in _logger.handlers[:]:
        _logger.removeHandler(handler)
    _logger.setLevel(logging.NOTSET)


_logger = logging.getLogger("explorer")
