"""``bin/shop logs --request ID``: the log lines of one request from every process, in time order."""

import json
import os
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from shop.cli import EXIT_FAILED
from shop.patterns.observability.json_lines import rotated_path
from shop.patterns.observability.logs import timestamp
from shop.settings import load_settings

SHOWN_FIRST = ("ts", "level", "event", "request_id", "trace_id", "logger", "process")


@click.command()
@click.option("--request", "request_id", required=True, help="The id, as in X-Request-ID or on an error page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def logs(request_id: str, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Show one request's log lines from every process, in time order."""
    directory = load_settings().log_dir
    lines = find_request_lines(directory, request_id)
    if as_json:
        click.echo(json.dumps({"request_id": request_id, "lines": lines}, indent=2))
    for line in [] if as_json else lines:
        click.echo(format_line(line))
    if not lines:
        click.echo(f"No line in {directory} belongs to request {request_id}.", err=True)
        raise SystemExit(EXIT_FAILED)


def find_request_lines(directory: Path, request_id: str) -> list[dict[str, Any]]:
    """Return every log line of a request, oldest first, each with the name of its process.

    Args:
        directory: the folder of the logs.
        request_id: of the request.
    """
    found, searched = [], request_id.encode()
    with ExitStack() as stack:
        for process, file in _open_logs(directory, stack):
            for line in file:
                if searched not in line:  # most lines belong to other requests: do not parse them
                    continue
                try:
                    fields = json.loads(line)
                except ValueError:
                    continue  # a line that is just being written
                if isinstance(fields, dict) and fields.get("request_id") == request_id:
                    if isinstance(fields.get("ts"), (int, float)):  # the edge writes seconds since 1970
                        fields["ts"] = timestamp(datetime.fromtimestamp(fields["ts"], UTC))
                    found.append({**fields, "process": process})
    return sorted(found, key=lambda fields: str(fields.get("ts", "")))


def format_line(line: dict[str, Any]) -> str:
    """Return one line as text: time, process, level, event, then all other fields."""
    others = {name: value for name, value in line.items() if name not in SHOWN_FIRST}
    rest = " ".join(
        f"{name}={value if isinstance(value, str) and ' ' not in value else json.dumps(value)}"
        for name, value in others.items()
    )
    return f"{line.get('ts', '')}  {line['process']:<9} {line.get('level', ''):<8} {line.get('event', '')}  {rest}"


def _open_logs(directory: Path, stack: ExitStack) -> list[tuple[str, BinaryIO]]:
    """Open every process's log and its rotated one. A log that is rotated between the two steps is found once."""
    found: dict[int, tuple[str, BinaryIO]] = {}
    for process in sorted({path.stem.removesuffix(".1") for path in directory.glob("*.jsonl")}):
        current = directory / f"{process}.jsonl"
        for path in (current, rotated_path(current)):  # in this order, a log that is rotated meanwhile is not missed
            with suppress(FileNotFoundError):
                file = stack.enter_context(path.open("rb"))
                found.setdefault(os.fstat(file.fileno()).st_ino, (process, file))
    return list(found.values())
