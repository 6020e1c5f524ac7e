"""``bin/shop orders``: rebuilds and verifies the projection behind the lists of orders, and shows its backlog."""

import sys
from dataclasses import asdict

import click

from shop.cli import EXIT_FAILED
from shop.cli.database import store_settings
from shop.cli.output import emit, pluralize
from shop.orders.projection import OrderProjector
from shop.orders.projection_rebuild import ProjectionRebuilder
from shop.stack.database_roles import OWNER
from shop.wiring import ProcessRuntime, build

SHOWN = 20
"""The most differences in the text output."""


@click.group()
def orders() -> None:
    """Rebuild and verify the order projection."""


@orders.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def rebuild(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Replay every event into a new read model, and swap it with the live one."""
    runtime = _runtime(OWNER)  # the rebuild creates tables
    try:
        result = ProjectionRebuilder(runtime.database).rebuild()
    finally:
        runtime.close()
    text = f"{result.orders:,} orders replayed, {result.again:,} again; the new rows are live."
    emit(asdict(result), text, as_json=as_json)


@orders.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def verify(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Compare every row with its order's events, and list the differences; exit code 1 if there are any."""
    runtime = _runtime()
    try:
        result = ProjectionRebuilder(runtime.database).verify()
    finally:
        runtime.close()
    lines = [
        f"{one.order} {one.field}: the row says {one.row_says}, its events say {one.events_say}"
        for one in result.differences[:SHOWN]
    ]
    if len(result.differences) > SHOWN:
        lines.append(f"... and {len(result.differences) - SHOWN:,} more")
    lines.append(
        f"{result.orders:,} orders compared, {pluralize(len(result.differences), 'difference')};"
        f" {result.waiting:,} wait for the projector."
    )
    emit(asdict(result), "\n".join(lines), as_json=as_json)
    sys.exit(EXIT_FAILED if result.differences else 0)


@orders.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def status(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Show how far the read model is behind the events."""
    runtime = _runtime()
    try:
        backlog = OrderProjector(runtime.database).backlog()
    finally:
        runtime.close()
    text = f"{backlog.events:,} events wait for the projector, the oldest for {backlog.oldest_s:.1f} s."
    emit(asdict(backlog), text, as_json=as_json)


def _runtime(role: str | None = None) -> ProcessRuntime:
    return build(store_settings(role), process="orders")
