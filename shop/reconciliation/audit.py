"""One audit: read both sides, find the mismatches, and read both sides again to confirm them."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from shop.errors import ConfigurationError
from shop.reconciliation import provider, store
from shop.reconciliation.findings import AuditResult, confirmed_mismatches
from shop.reconciliation.rules import find_mismatches
from shop.settings import Settings

UNDER_WAY_S = 900.0
"""The completer settles an abandoned checkout in less time, also while the provider is slow."""
LOOK_AGAIN_S = 2.0
"""Changes between the reading of the first and the second side have reached both sides by then."""


def audit(
    settings: Settings,
    under_way_s: float = UNDER_WAY_S,
    look_again_s: float = LOOK_AGAIN_S,
    sleep: Callable[[float], None] = time.sleep,
    placed_within_s: float | None = None,
) -> AuditResult:
    """Audit the store.

    Args:
        settings: the URLs of the database and the provider.
        under_way_s: seconds for which an unfinished process is no mismatch.
        look_again_s: seconds until the second audit, if the first one finds mismatches.
        sleep: waits.
        placed_within_s: audit only the orders of the last so many seconds with their charges, and all stock; ``None``:
            all orders and charges.

    Raises:
        ConfigurationError: one of the two sides cannot be read.
    """
    first = _audit_once(settings, under_way_s, placed_within_s)
    if not first.mismatches:
        return first
    sleep(look_again_s)
    second = _audit_once(settings, under_way_s, placed_within_s)
    return replace(second, mismatches=confirmed_mismatches(first.mismatches, second.mismatches))


def _audit_once(settings: Settings, under_way_s: float, placed_within_s: float | None) -> AuditResult:
    if settings.database_url is None or settings.payments_url is None:
        raise ConfigurationError("Both sides are needed: start the stack, or set DATABASE_URL and PAYMENTS_URL.")
    snapshot = store.read_snapshot(settings.database_url, under_way_s, placed_within_s)
    charges = provider.fetch_charges(settings.payments_url, settings.payments_api_key, snapshot.charges_after)
    if snapshot.placed_since is not None:  # an order that is left out may have been charged late
        charges = [charge for charge in charges if charge.created_at >= snapshot.placed_since]
    limit = timedelta(seconds=under_way_s)
    mismatches = tuple(find_mismatches(snapshot, charges, limit))
    under_way = sum(order.status == "pending_payment" and order.age <= limit for order in snapshot.orders)
    return AuditResult(len(snapshot.orders), snapshot.products, len(charges), under_way, mismatches)
