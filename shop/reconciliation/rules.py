"""The rules of reconciliation. Pure: the data of both sides in, mismatches out."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from shop.charge_keys import DATASET_PREFIX
from shop.reconciliation.findings import BookMismatch
from shop.reconciliation.provider import ProviderCharge
from shop.reconciliation.store import AuditedOrder, StoreSnapshot

TRANSITIONS = {
    ("", "OrderPlaced"): "pending_payment",
    ("pending_payment", "PaymentCharged"): "paid",
    ("pending_payment", "PaymentDeclined"): "declined",
    ("pending_payment", "OrderCancelled"): "cancelled",
    ("declined", "OrderCancelled"): "cancelled",
    ("paid", "OrderShipped"): "shipped",
    ("paid", "OrderCancelled"): "owed",
    ("shipped", "OrderDelivered"): "delivered",
    ("cancelled", "PaymentCharged"): "owed",
    ("owed", "PaymentRefunded"): "refunded",
    ("owed", "RefundClosed"): "settled",
    ("settled", "PaymentRefunded"): "refunded",
}
"""The auditor's own states of an order: state and event to the next state. ``owed``: cancelled, and not refunded yet.
``settled``: cancelled, and staff returned the money in another way."""
STORED_STATUS = {"declined": "pending_payment", "owed": "cancelled", "settled": "cancelled"}
"""State to the status in the order's row, where the row is less exact."""
PAYMENT_STATUSES = {
    "pending_payment": {"pending"},
    "paid": {"charged"},
    "shipped": {"charged"},
    "delivered": {"charged"},
    "cancelled": {"declined", "abandoned"},
    "owed": {"refund_pending", "refund_failed"},
    "settled": {"refund_closed"},
    "refunded": {"refunded"},
}


@lru_cache(maxsize=1_000)
def derive_status(event_types: str) -> str | None:
    """Return the state after a sequence of events, or ``None`` if the sequence is not possible.

    Args:
        event_types: types of events, oldest first, separated by blanks.
    """
    state: str | None = ""
    for event_type in event_types.split():
        if event_type != "OrderAdopted" or state == "":
            state = TRANSITIONS.get((state, event_type)) if state is not None else None
    return state or None


def find_mismatches(
    store: StoreSnapshot, charges: Sequence[ProviderCharge], under_way: timedelta
) -> Iterator[BookMismatch]:
    """Find all mismatches.

    Args:
        store: the store's side.
        charges: the provider's side, read after the store's.
        under_way: how long an unfinished process is no mismatch.
    """
    for order in store.orders:
        yield from _order_mismatches(order)
        if order.status == "pending_payment" and order.age > under_way:
            yield BookMismatch("order_left_open", order.public_id, f"waiting for its payment since {order.created_at}")
        yield from _refund_mismatches(order, store.read_at, under_way)
    for public_id, lines_total, total, has_same_lines in store.lines:
        if lines_total != total:
            yield BookMismatch("order_total", public_id, f"its lines come to {lines_total}, its row says {total}")
        if not has_same_lines:
            yield BookMismatch("order_lines", public_id, "its lines are not those it was placed with")
    for public_id, has_summary, has_order in store.summaries:
        fault = "is of no order" if not has_order else "differs from the order" if has_summary else "is missing"
        yield BookMismatch("read_model", public_id, f"its row in the read model {fault}")
    for slug, on_hand, reserved, received, sold, open_pieces in store.stock:
        if on_hand != received - sold:
            says = f"{on_hand} on hand; {received} were received and {sold} sold, which leaves {received - sold}"
            yield BookMismatch("stock_on_hand", slug, says)
        if reserved != open_pieces:
            yield BookMismatch("stock_reserved", slug, f"{reserved} reserved; open orders hold {open_pieces}")
    for provider_id, public_id, says in store.webhook_conflicts:
        if provider_id not in store.settled_charges:
            yield BookMismatch("webhook_conflict", provider_id, f"a webhook of the provider for {public_id}: {says}")
    for (public_ids,) in store.duplicate_orders:
        yield BookMismatch("order_twice", public_ids, "the same buyer, the same request, no key, paid more than once")
    for (public_ids,) in store.carts_paid_twice:
        yield BookMismatch("cart_paid_twice", public_ids, "the same lines of one cart, paid in more than one order")
    for kind, message_id, says in store.messages:
        yield BookMismatch(kind, message_id, says)
    yield from _charge_mismatches(store, charges, under_way)


def _order_mismatches(order: AuditedOrder) -> Iterator[BookMismatch]:
    """Compare an order's row and payment with its events."""
    if not order.event_count == order.last_version >= order.version:
        says = f"{order.event_count} events up to version {order.last_version}, its row follows version {order.version}"
        yield BookMismatch("events_missing", order.public_id, says)
    state = derive_status(order.event_types)
    if state is None:
        yield BookMismatch("events_impossible", order.public_id, order.event_types or "no events")
        return
    if (order.status, order.version) != (STORED_STATUS.get(state, state), order.last_version):
        row = f"its row says {order.status} at version {order.version}"
        yield BookMismatch("order_status", order.public_id, f"{row}; its events say {state} at {order.last_version}")
    if order.placed_total != order.total:
        says = f"placed for {order.placed_total}, its row says {order.total}"
        yield BookMismatch("order_total", order.public_id, says)
    if order.payment is None:
        yield BookMismatch("payment_missing", order.public_id, "an order without a payment")
        return
    if order.payment not in PAYMENT_STATUSES.get(state, set()):
        yield BookMismatch("payment_status", order.public_id, f"its payment is {order.payment}, its events say {state}")
    if order.amount != order.total:
        says = f"its payment is over {order.amount}, the order over {order.total}"
        yield BookMismatch("payment_amount", order.public_id, says)


def _refund_mismatches(order: AuditedOrder, now: datetime, under_way: timedelta) -> Iterator[BookMismatch]:
    changed_at = order.payment_changed_at
    attempts = f", tried {order.attempts} times; the last time: {order.last_error}" if order.attempts else ""
    if order.payment == "refund_failed":
        says = f"its money is owed{attempts}; try it again or close it at /admin/orders"
        yield BookMismatch("refund_failed", order.public_id, says)
    if order.payment == "refund_pending" and changed_at is not None and now - changed_at > under_way:
        yield BookMismatch("refund_owed", order.public_id, f"its money is owed since {changed_at}{attempts}")


def _charge_mismatches(
    store: StoreSnapshot, charges: Sequence[ProviderCharge], under_way: timedelta
) -> Iterator[BookMismatch]:
    """Compare the store's payments with the provider's charges, in both directions."""
    orders = {order.charge_key: order for order in store.orders if order.charge_key is not None}
    charges_by_key = {charge.key: charge for charge in charges}
    for key, order in orders.items():
        yield from _payment_mismatches(order, charges_by_key.get(key), is_dataset=key.startswith(DATASET_PREFIX))
    charge_ids = defaultdict(list)
    for charge in charges:
        if charge.id in store.settled_charges or not charge.net_amount:
            continue
        if charge.order:
            charge_ids[charge.order].append(charge.id)
        charged_order = orders.get(charge.key)
        # A charge from before the last restore of a backup: its order is lost and cannot appear any more.
        is_lost = charged_order is None and store.restored_at is not None and charge.created_at <= store.restored_at
        if not is_lost and store.read_at - charge.created_at <= under_way:
            continue
        if charged_order is None:
            says = f"{charge.net_amount} charged with key {charge.key}, unknown here: `bin/shop books settle --help`"
            yield BookMismatch("charge_unknown", charge.id, says)
        elif charged_order.payment in ("pending", "declined", "abandoned"):
            says = f"{charge.net_amount} charged by {charge.id}; here the payment is {charged_order.payment}"
            yield BookMismatch("charge_kept", charged_order.public_id, says)
    for number, ids in charge_ids.items():
        if len(ids) > 1:
            yield BookMismatch("charged_twice", " ".join(ids), f"order {number} was charged {len(ids)} times")


def _payment_mismatches(
    order: AuditedOrder, charge: ProviderCharge | None, *, is_dataset: bool
) -> Iterator[BookMismatch]:
    """Compare the store's copy of a payment with the provider's charge."""
    if order.payment not in ("charged", "refund_pending", "refund_failed", "refunded") or not order.amount:
        return
    if charge is None or not charge.succeeded:
        if not (is_dataset and order.payment == "refunded"):
            says = f"its payment is {order.payment}; the provider has no such charge"
            yield BookMismatch("charge_missing", order.public_id, says)
        return
    if charge.amount != order.amount:
        yield BookMismatch("charge_amount", order.public_id, f"{order.amount} here, {charge.amount} at the provider")
    if charge.id != order.provider_id:
        yield BookMismatch("charge_id", order.public_id, f"{order.provider_id} here, {charge.id} at the provider")
    if order.payment == "refunded" and charge.net_amount:
        says = f"refunded here; the provider still holds {charge.net_amount} of {charge.id}"
        yield BookMismatch("refund_missing", order.public_id, says)
    if order.payment == "charged" and charge.refunded:
        says = f"the provider refunded {charge.refunded} of {charge.id}; the store has not recorded it"
        yield BookMismatch("refund_unknown", order.public_id, says)
