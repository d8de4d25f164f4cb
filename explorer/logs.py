"""Writes the explorer's log to standard error.

Each module logs under its own name, `logging.getLogger(__name__)`, and whoever starts a process
decides what is shown: the app by the settings `EXPLORER_LOG_LEVEL` and `EXPLORER_LOG_FORMAT`, the
command line by `--debug`. The log is English, whatever a page speaks.
"""

import json
import logging
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TypeAlias

from explorer.errors import ExplorerError, in_english
from explorer.language import Sentence, english

Format = Literal["text", "json"]

# The process is named after the run that it trains.
_TEXT = "%(asctime)s %(levelname)s [%(processName)s] %(name)s: %(message)s"


_ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


class TextFormatter(logging.Formatter):
    """Writes each message as a line, with the traceback below it where there is one."""

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802
        """Return the traceback."""
        return in_english(super().formatException(ei), ei[1])


class JsonFormatter(TextFormatter):
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
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter(_TEXT))
    handler.addFilter(_say_in_english)
    _logger.addHandler(handler)
    _logger.setLevel(level.upper())


def stop() -> None:
    """Write nothing any more."""
    for handler in _logger.handlers[:]:
        _logger.removeHandler(handler)
    _logger.setLevel(logging.NOTSET)


def _say_in_english(record: logging.LogRecord) -> bool:
    """Have said in English what a record says in the language of its thread."""
    if isinstance(record.args, tuple):
        record.args = tuple(map(_in_english, record.args))
    return True


def _in_english(value: Any) -> Any:
    return english(value) if isinstance(value, Sentence | ExplorerError) else value


_logger = logging.getLogger("explorer")
