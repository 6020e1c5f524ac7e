"""Structured logs: one JSON object on each line, in ``var/log/<process>.jsonl``.

Problem: text lines of several processes cannot be searched or joined, and a careless log line may contain a secret.
Method: every line has the time, the level, the event and the correlation ids of its request, and passes through
redaction. One id finds the lines of one request in all processes: ``bin/shop logs --request ID``.
Switch: ``observability.logs`` (the access log). Measured: in ``warm_screen.py``, whose requests write it.
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
"""Libraries that log every call at level info."""
DUPLICATE_LOGGERS = ("pika",)
"""Libraries that log each exception they raise, at level error and with its traceback."""
_STANDARD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""The attributes of every record; the others come from ``extra``."""


def configure_logging(settings: Settings, process: str) -> None:
    """Write every log line of this process to its file, and warnings to stderr as readable text as well.

    Call it once, at the start of a process; a second call replaces the handlers of the first.

    Args:
        settings: has the directory and the lowest level.
        process: the name of the file, such as ``web``.
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
    """Return the log file of a process."""
    return settings.log_dir / f"{process}.jsonl"


def timestamp(at: datetime) -> str:
    """Return a time as text: UTC, in milliseconds, sortable. Every log line uses it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def correlation_fields() -> dict[str, str]:
    """Return the correlation ids of the current request; an empty mapping outside a request."""
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
        except Exception:  # noqa: BLE001 - the contract of a handler: a logging error never reaches the caller
            self.handleError(record)

    def close(self) -> None:
        self._lines.close()
        super().close()


class _ConsoleHandler(logging.StreamHandler[Any]):
    """Writes warnings and errors to stderr as readable text."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setLevel(logging.WARNING)
        self.setFormatter(_ConsoleFormatter())


class _ConsoleFormatter(logging.Formatter):
    """Formats time, level and event, then the other fields; a traceback is below."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _log_fields(record)
        first = f"{fields.pop('ts')} {fields.pop('level'):<8} {fields.pop('event')}"
        exception = fields.pop("exception", None)
        line = " ".join([first, *(f"{name}={value!r}" for name, value in fields.items())])
        return f"{line}\n{exception}" if exception else line


def _log_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a record, redacted."""
    formatter = logging.Formatter()  # its tracebacks have no local variables, which may be passwords
    fields = {
        "ts": timestamp(datetime.fromtimestamp(record.created, UTC)),
        "event": record.getMessage(),
        **correlation_fields(),
        "level": record.levelname.lower(),
        "logger": record.name,
        **{name: value for name, value in record.__dict__.items() if name not in _STANDARD_ATTRIBUTES},
    }
    if record.exc_info:
        fields["exception"] = formatter.formatException(record.exc_info)
    if record.stack_info:
        fields["stack"] = formatter.formatStack(record.stack_info)
    return redact(fields)
