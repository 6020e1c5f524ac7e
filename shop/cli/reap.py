"""``bin/shop reap``: one round of each reaper and of the completer."""

from dataclasses import asdict

import click

from shop.cli.database import store_settings
from shop.cli.output import emit
from shop.wiring import build


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def reap(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Delete expired keys, sessions, tokens and guests' carts; complete open checkouts and refunds.

    Safe to repeat, and to run twice at once: call it from cron, once a minute.
    """
    runtime = build(store_settings(), process="reap")
    try:
        runtime.switch_poller.refresh()
        services = runtime.services()
        keys, checkouts = services.key_reaper.run_once(), services.completer.run_once()
        sessions, carts = services.session_reaper.run_once(), services.cart_reaper.run_once()
    finally:
        runtime.close()
    text = (
        f"Deleted: {keys:,} keys, {sessions:,} sessions and tokens, {carts:,} guests' carts."
        f" Open checkouts: {checkouts.undone:,} cancelled, {checkouts.paid:,} paid after all."
        f" Refunds: {checkouts.refunded:,} made. Left for later: {checkouts.left:,}."
    )
    document = {"keys": keys, "sessions": sessions, "carts": carts, "checkouts": asdict(checkouts)}
    emit(document, text, as_json=as_json)
