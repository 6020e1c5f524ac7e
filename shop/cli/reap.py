"""``shop reap``: one round of each loop that ends what nobody came back for."""

from dataclasses import asdict

import click

from shop.cli.database import settings_of_the_store
from shop.cli.output import emit
from shop.wiring import build


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def reap(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Forget expired idempotency keys, sessions and tokens, and settle reservations that nobody paid for in time.

    Safe to repeat, and to run twice at once: call it from cron, once a minute.
    """
    runtime = build(settings_of_the_store(), process="reap")
    try:
        runtime.board.refresh()
        services = runtime.services()
        keys, reservations = services.key_reaper.run_once(), services.reservation_reaper.run_once()
        sessions = services.session_reaper.run_once()
    finally:
        runtime.close()
    told = (
        f"{keys:,} keys forgotten, and {sessions:,} sessions and tokens."
        f" Reservations over: {reservations.released:,} released,"
        f" {reservations.paid:,} paid after all, {reservations.left:,} left for later."
    )
    emit({"keys": keys, "sessions": sessions, "reservations": asdict(reservations)}, told, as_json=as_json)
