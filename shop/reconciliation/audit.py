"""One audit: both sides read, judged, and read again where something seemed wrong."""

import time
from collections.abc import Callable
from datetime import timedelta

from shop.errors import ConfigurationError
from shop.reconciliation import provider, store
from shop.reconciliation.findings import AuditResult, BookMismatch, confirmed
from shop.reconciliation.rules import find_mismatches
from shop.settings import Settings

UNDER_WAY_S = 900.0
"""Longer than the completer needs to settle a checkout whose process died, also while the provider is slow."""
LOOK_AGAIN_S = 2.0
"""What happened between the reading of one side and of the other is over by then."""


def audit(
    settings: Settings,
    under_way_s: float = UNDER_WAY_S,
    look_again_s: float = LOOK_AGAIN_S,
    pause: Callable[[float], None] = time.sleep,
) -> AuditResult:
    """Look through the books.

    Args:
        settings: where the database and the provider are.
        under_way_s: seconds for which what is unfinished is no mismatch.
        look_again_s: seconds until a mismatch is looked for a second time.
        pause: waits.

    Raises:
        ConfigurationError: one of the two sides cannot be read.
    """
    first = _look(settings, under_way_s)
    if not first.mismatches:
        return first
    pause(look_again_s)
    second = _look(settings, under_way_s)
    found = confirmed(first.mismatches, second.mismatches)
    return AuditResult(second.orders, second.products, second.charges, second.under_way, found)


def _look(settings: Settings, under_way_s: float) -> AuditResult:
    if settings.database_url is None or settings.payments_url is None:
        raise ConfigurationError("Both sides are needed: start the stack, or set DATABASE_URL and PAYMENTS_URL.")
    ours = store.snapshot(settings.database_url, under_way_s)
    theirs = provider.charges(settings.payments_url, settings.payments_api_key)
    limit = timedelta(seconds=under_way_s)
    found: tuple[BookMismatch, ...] = tuple(find_mismatches(ours, theirs, limit))
    young = sum(order.status == "pending_payment" and order.age <= limit for order in ours.orders)
    return AuditResult(len(ours.orders), ours.products, len(theirs), young, found)
