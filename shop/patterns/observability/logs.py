"""Structured logs: one JSON object a line, in ``var/log/<process>.jsonl``.

Problem: text lines from several processes cannot be searched or joined; and what is logged in a hurry leaks.
Method: every line carries time, level, event and the correlation ids of the request it belongs to, and passes through
redaction. The lines of one request, from all processes, are then found by one id: ``shop logs --request ID``.
Switch: ``observability.logs`` (the line a request). Measured: in ``warm_screen.py``, which pays for it.
Source: The Twelve-Factor App, XI (logs as event streams); the cookbook of Python's logging, "Implementing structured
logging".
"""

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shop.patterns.observability import correlation
from shop.patterns.observability.json_lines import JsonLinesFile
from shop.patterns.observability.redaction import redact
from shop.settings import Settings

NOISY_LOGGERS = ("httpx", "httpcore", "alembic", "werkzeug")
"""Libraries that speak of every call at level info."""
DUPLICATE_LOGGERS = ("pika",)
"""Libraries that log, at level error and with tracebacks, what they also raise."""
_STANDARD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What a record has without anybody's ``extra``."""


def configure_logging(settings: Settings, process: str) -> None:
    """Send every log line of this process to its file, and warnings to stderr as readable text too.

    Call it once, at the start of a process; a second call replaces what the first set up.

    Args:
        settings: where logs are kept and from which level on.
        process: the file's name, such as ``web``.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, (_JsonFileHandler, _ConsoleHandler)):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(settings.log_level.upper())
    root.addHandler(_JsonFileHandler(JsonLinesFile(log_path(settings, process))))
    root.addHandler(_ConsoleHandler())
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in DUPLICATE_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def log_path(settings: Settings, process: str) -> Path:
    """Return where a process keeps its lines."""
    return settings.log_dir / f"{process}.jsonl"


def timestamp(at: datetime) -> str:
    """Write a time as every log line does: UTC, to the millisecond, sortable as text."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def correlation_fields() -> dict[str, str]:
    """Return the correlation ids of what is being done, where it belongs to a request."""
    request_id = correlation.request_id.get()
    return {"request_id": request_id, "trace_id": correlation.trace_id()} if request_id else {}


class _JsonFileHandler(logging.Handler):
    """Writes each record as one JSON line."""

    def __init__(self, lines: JsonLinesFile) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.write(_log_fields(record))
        except Exception:  # noqa: BLE001 - the contract of a handler: a fault in logging never reaches its caller
            self.handleError(record)

    def close(self) -> None:
        self._lines.close()
        super().close()


class _ConsoleHandler(logging.StreamHandler[Any]):
    """Writes warnings and worse to stderr, readable."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setLevel(logging.WARNING)
        self.setFormatter(_ConsoleFormatter())


class _ConsoleFormatter(logging.Formatter):
    """Time, level and event, then everything else that was said; a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        said = _log_fields(record)
        first = f"{said.pop('ts')} {said.pop('level'):<8} {said.pop('event')}"
        exception = said.pop("exception", None)
        line = " ".join([first, *(f"{name}={value!r}" for name, value in said.items())])
        return f"{line}\n{exception}" if exception else line


def _log_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record says, redacted."""
    text = logging.Formatter()  # shows no local variables in a traceback: passwords are among them
    said = {
        "ts": timestamp(datetime.fromtimestamp(record.created, UTC)),
        "event": record.getMessage(),
        **correlation_fields(),
        "level": record.levelname.lower(),
        "logger": record.name,
        **{name: value for name, value in record.__dict__.items() if name not in _STANDARD_ATTRIBUTES},
    }
    if record.exc_info:
        said["exception"] = text.formatException(record.exc_info)
    if record.stack_info:
        said["stack"] = text.formatStack(record.stack_info)
    return redact(said)
