"""``bin/shop logs --request ID``: the log lines of one request from every process, in time order."""

import json
from typing import Any

import click

from shop.cli import EXIT_FAILED
from shop.patterns.observability.request_lines import find_request_lines
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


def format_line(line: dict[str, Any]) -> str:
    """Return one line as text: time, process, level, event, then all other fields."""
    others = {name: value for name, value in line.items() if name not in SHOWN_FIRST}
    rest = " ".join(
        f"{name}={value if isinstance(value, str) and ' ' not in value else json.dumps(value)}"
        for name, value in others.items()
    )
    return f"{line.get('ts', '')}  {line['process']:<9} {line.get('level', ''):<8} {line.get('event', '')}  {rest}"
