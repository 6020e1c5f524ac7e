"""``shop reap``: one round of each loop that ends what nobody came back for."""

from dataclasses import asdict

import click

from shop.cli.database import settings_of_the_store
from shop.cli.output import emit
from shop.wiring import build


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def reap(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Forget expired keys, sessions, tokens and guests' carts, and settle reservations that were not paid in time.

    Safe to repeat, and to run twice at once: call it from cron, once a minute.
    """
    runtime = build(settings_of_the_store(), process="reap")
    try:
        runtime.board.refresh()
        services = runtime.services()
        keys, reservations = services.key_reaper.run_once(), services.reservation_reaper.run_once()
        sessions, carts = services.session_reaper.run_once(), services.cart_reaper.run_once()
    finally:
        runtime.close()
    told = (
        f"{keys:,} keys forgotten, and {sessions:,} sessions and tokens, and {carts:,} guests' carts."
        f" Reservations over: {reservations.released:,} released,"
        f" {reservations.paid:,} paid after all, {reservations.left:,} left for later."
    )
    document = {"keys": keys, "sessions": sessions, "carts": carts, "reservations": asdict(reservations)}
    emit(document, told, as_json=as_json)
