"""``shop logs --request ID``: one request's lines from every process, in time order."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from shop.patterns.observability.json_lines import rotated_path
from shop.patterns.observability.logs import timestamp
from shop.settings import load_settings

SHOWN_FIRST = ("ts", "level", "event", "request_id", "trace_id", "logger", "process")
FAILED = 1


@click.command()
@click.option("--request", "request_id", required=True, help="The id, as X-Request-ID or an error page shows it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def logs(request_id: str, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Show one request's log lines from every process, in time order."""
    directory = load_settings().log_dir
    found = find_request_lines(directory, request_id)
    if as_json:
        click.echo(json.dumps({"request_id": request_id, "lines": found}, indent=2))
    for line in [] if as_json else found:
        click.echo(format_line(line))
    if not found:
        click.echo(f"No line in {directory} belongs to request {request_id}.", err=True)
        raise SystemExit(FAILED)


def find_request_lines(directory: Path, request_id: str) -> list[dict[str, Any]]:
    """Return every line that belongs to a request, oldest first, each with the process it came from."""
    with ExitStack() as stack:
        found = [
            {**line, "process": process}
            for process, file in _open_all(directory, stack)
            for line in _lines(file, request_id)
        ]
    return sorted((_dated(line) for line in found), key=lambda line: str(line.get("ts", "")))


def format_line(line: dict[str, Any]) -> str:
    """Write one line for a person: time, process, level, event, then everything else it says."""
    rest = " ".join(f"{name}={_short(value)}" for name, value in line.items() if name not in SHOWN_FIRST)
    return f"{line.get('ts', '')}  {line['process']:<9} {line.get('level', ''):<8} {line.get('event', '')}  {rest}"


def _open_all(directory: Path, stack: ExitStack) -> list[tuple[str, BinaryIO]]:
    """Open every process's log, and the one it moved aside. One that is moved in between is found once."""
    found: dict[int, tuple[str, BinaryIO]] = {}
    for process in sorted({path.stem.removesuffix(".1") for path in directory.glob("*.jsonl")}):
        current = directory / f"{process}.jsonl"
        for path in (current, rotated_path(current)):  # in this order: what is moved meanwhile is met again, not missed
            with suppress(FileNotFoundError):
                file = stack.enter_context(path.open("rb"))
                found.setdefault(os.fstat(file.fileno()).st_ino, (process, file))
    return list(found.values())


def _lines(lines: BinaryIO, request_id: str) -> Iterator[dict[str, Any]]:
    wanted = request_id.encode()
    for line in lines:
        if wanted not in line:  # most lines are somebody else's: do not parse them
            continue
        try:
            read = json.loads(line)
        except ValueError:
            continue  # a line that is just being written
        if isinstance(read, dict) and read.get("request_id") == request_id:
            yield read


def _dated(line: dict[str, Any]) -> dict[str, Any]:
    """Give the edge's lines, which count seconds since 1970, the time as all others write it."""
    if isinstance(line.get("ts"), (int, float)):
        return {**line, "ts": timestamp(datetime.fromtimestamp(line["ts"], UTC))}
    return line


def _short(value: Any) -> str:
    return value if isinstance(value, str) and " " not in value else json.dumps(value)
