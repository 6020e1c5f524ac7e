"""``shop reap``: one round of each reaper, and one of the completer."""

from dataclasses import asdict

import click

from shop.cli.database import store_settings
from shop.cli.output import emit
from shop.wiring import build


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def reap(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Forget expired keys, sessions, tokens and guests' carts, and settle open checkouts and owed refunds.

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
        f"{keys:,} keys forgotten, and {sessions:,} sessions and tokens, and {carts:,} guests' carts."
        f" Open checkouts: {checkouts.undone:,} cancelled, {checkouts.paid:,} paid after all."
        f" Refunds: {checkouts.refunded:,} made. Left for later: {checkouts.left:,}."
    )
    document = {"keys": keys, "sessions": sessions, "carts": carts, "checkouts": asdict(checkouts)}
    emit(document, text, as_json=as_json)
