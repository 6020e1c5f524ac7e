"""``shop orders``: the rows behind lists of orders, made anew, checked, and how far they are behind."""

import sys
from dataclasses import asdict

import click

from shop.cli.database import store_settings
from shop.cli.output import emit, pluralize
from shop.orders.projection import OrderProjector
from shop.orders.projection_rebuild import ProjectionDifference, ProjectionRebuilder
from shop.stack.database_roles import OWNER
from shop.wiring import ProcessRuntime, build

FAILED = 1
SHOWN = 20


@click.group()
def orders() -> None:
    """Rebuild and check what follows from the events of orders."""


@orders.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def rebuild(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Replay every event into a read model beside the live one, and swap the two."""
    runtime = _runtime(OWNER)  # it makes tables
    try:
        done = ProjectionRebuilder(runtime.database).rebuild()
    finally:
        runtime.close()
    emit(
        asdict(done), f"{done.orders:,} orders replayed, {done.again:,} again; the new rows are live.", as_json=as_json
    )


@orders.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def verify(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Fold every event and name each row that says something else; exit code 1 if there is one."""
    runtime = _runtime()
    try:
        found = ProjectionRebuilder(runtime.database).verify()
    finally:
        runtime.close()
    lines = [_told(difference) for difference in found.differences[:SHOWN]]
    if len(found.differences) > SHOWN:
        lines.append(f"... and {len(found.differences) - SHOWN:,} more")
    lines.append(
        f"{found.orders:,} orders compared, {pluralize(len(found.differences), 'difference')};"
        f" {found.waiting:,} wait for the projector."
    )
    emit(asdict(found), "\n".join(lines), as_json=as_json)
    sys.exit(FAILED if found.differences else 0)


@orders.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def status(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Say how far the read model is behind the events."""
    runtime = _runtime()
    try:
        behind = OrderProjector(runtime.database).backlog()
    finally:
        runtime.close()
    told = f"{behind.events:,} events wait for the projector, the oldest for {behind.oldest_s:.1f} s."
    emit(asdict(behind), told, as_json=as_json)


def _runtime(role: str | None = None) -> ProcessRuntime:
    return build(store_settings(role), process="orders")


def _told(difference: ProjectionDifference) -> str:
    said = f"the row says {difference.row_says}, its events say {difference.events_say}"
    return f"{difference.order} {difference.field}: {said}"
