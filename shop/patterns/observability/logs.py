"""Structured logs: one JSON object a line, in ``var/log/<process>.jsonl``.

Problem: text lines from several processes cannot be searched or joined; and what is logged in a hurry leaks.
Method: every line carries time, level, event and the correlation ids of the request it belongs to, and passes through
redaction. The lines of one request, from all processes, are then found by one id: ``shop logs --request ID``.
Switch: ``observability.logs`` (the line a request). Measured: in ``warm_screen.py``, which pays for it.
Source: The Twelve-Factor App, XI (logs as event streams); structlog's documentation.
"""

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from shop.patterns.observability import correlation
from shop.patterns.observability.lines import LineFile
from shop.patterns.observability.redaction import redact
from shop.settings import Settings

CHATTY = ("httpx", "httpcore", "alembic", "werkzeug")
"""Libraries that speak of every call at level info."""


def configure_logging(settings: Settings, process: str) -> None:
    """Send every log line of this process to its file, and warnings to stderr as readable text too.

    Call it once, at the start of a process; a second call replaces what the first set up.

    Args:
        settings: where logs are kept and from which level on.
        process: the file's name, such as ``web``.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, (_ToFile, _ToPeople)):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(settings.log_level.upper())
    root.addHandler(_ToFile(LineFile(log_path(settings, process))))
    root.addHandler(_ToPeople())
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def log_path(settings: Settings, process: str) -> Path:
    """Return where a process keeps its lines."""
    return settings.log_dir / f"{process}.jsonl"


def timestamp(at: datetime) -> str:
    """Write a time as every log line does: UTC, to the millisecond, sortable as text."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ids() -> dict[str, str]:
    """Return the correlation ids of what is being done, where it belongs to a request."""
    request_id = correlation.request_id.get()
    return {"request_id": request_id, "trace_id": correlation.trace_id()} if request_id else {}


class _ToFile(logging.Handler):
    """Writes each record as one JSON line."""

    def __init__(self, lines: LineFile) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(_formatter(structlog.processors.JSONRenderer()))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.write_text(self.format(record))
        except Exception:  # noqa: BLE001 - the contract of a handler: a fault in logging never reaches its caller
            self.handleError(record)

    def close(self) -> None:
        self._lines.close()
        super().close()


class _ToPeople(logging.StreamHandler[Any]):
    """Writes warnings and worse to stderr, readable."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setLevel(logging.WARNING)
        self.setFormatter(_formatter(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())))


def _formatter(*rendering: Processor) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _stamp,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # As text, before redaction: structlog's own traceback renderers would show local variables, passwords too.
            structlog.processors.format_exc_info,
            _redacted,
            *rendering,
        ],
    )


def _stamp(logger: Any, method: str, event: EventDict) -> EventDict:
    created = event["_record"].created
    return {"ts": timestamp(datetime.fromtimestamp(created, UTC)), **event, **ids()}


def _redacted(logger: Any, method: str, event: EventDict) -> EventDict:
    return redact(event)
