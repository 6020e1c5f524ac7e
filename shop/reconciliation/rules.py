"""What must be so. Pure: two sides in, mismatches out."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import lru_cache

from shop.charge_keys import DATASET_PREFIX
from shop.reconciliation.findings import BookMismatch
from shop.reconciliation.provider import ProviderCharge
from shop.reconciliation.store import AuditedOrder, StoreSnapshot

NEXT = {
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
"""The auditor's own idea of an order's life; ``owed`` is cancelled with the money still here, ``settled`` the same with
the money given back by staff in another way."""
ROW = {"declined": "pending_payment", "owed": "cancelled", "settled": "cancelled"}
"""What the row says where it is less exact."""
PAYMENTS = {
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
def derive_status(story: str) -> str | None:
    """Return where a story leads; ``None`` where it is an impossible one.

    Args:
        story: types of events, oldest first, with blanks between.
    """
    at: str | None = ""
    for event in story.split():
        if event != "OrderAdopted" or at == "":
            at = NEXT.get((at, event)) if at is not None else None
    return at or None


def find_mismatches(
    store: StoreSnapshot, charges: Sequence[ProviderCharge], under_way: timedelta
) -> Iterator[BookMismatch]:
    """Name everything that is not as it must be.

    Args:
        store: the store's side.
        charges: the provider's side, read after it.
        under_way: how long what is unfinished is nobody's fault.
    """
    for order in store.orders:
        yield from _story(order)
        yield from _unfinished(order, store, under_way)
    for public_id, comes_to, total, same in store.lines:
        if comes_to != total:
            yield BookMismatch("order_total", public_id, f"its lines come to {comes_to}, its row says {total}")
        if not same:
            yield BookMismatch("order_lines", public_id, "its lines are not those it was placed with")
    for public_id, shown, exists in store.summaries:
        said = "differs from the order" if shown and exists else "is missing" if exists else "is of no order"
        yield BookMismatch("read_model", public_id, f"its row in the read model {said}")
    for slug, on_hand, reserved, received, sold, promised in store.stock:
        if on_hand != received - sold:
            says = f"{on_hand} on hand; {received} came in and {sold} were sold, which leaves {received - sold}"
            yield BookMismatch("stock_on_hand", slug, says)
        if reserved != promised:
            yield BookMismatch("stock_reserved", slug, f"{reserved} reserved; open orders hold {promised}")
    for provider_id, public_id, says in store.conflicts:
        if provider_id not in store.settled:
            yield BookMismatch("webhook_conflict", provider_id, f"the provider told of order {public_id}: {says}")
    for (public_ids,) in store.doubles:
        yield BookMismatch("order_twice", public_ids, "the same buyer, the same request, no key, paid more than once")
    for (public_ids,) in store.cart_lines:
        yield BookMismatch("cart_paid_twice", public_ids, "the same lines of one cart, paid in more than one order")
    for kind, message_id, says in store.messages:
        yield BookMismatch(kind, message_id, says)
    yield from _money(store, charges, under_way)


def _story(order: AuditedOrder) -> Iterator[BookMismatch]:
    if not order.versions == order.last_version >= order.version:
        says = f"{order.versions} events up to version {order.last_version}, its row follows version {order.version}"
        yield BookMismatch("events_missing", order.public_id, says)
    state = derive_status(order.story)
    if state is None:
        yield BookMismatch("events_impossible", order.public_id, order.story or "no events")
        return
    if (order.status, order.version) != (ROW.get(state, state), order.last_version):
        row = f"its row says {order.status} at version {order.version}"
        yield BookMismatch("order_status", order.public_id, f"{row}; its events say {state} at {order.last_version}")
    if order.told_total != order.total:
        yield BookMismatch("order_total", order.public_id, f"placed for {order.told_total}, its row says {order.total}")
    if order.payment is None:
        yield BookMismatch("payment_missing", order.public_id, "an order without a payment")
        return
    if order.payment not in PAYMENTS.get(state, set()):
        yield BookMismatch("payment_status", order.public_id, f"its payment is {order.payment}, its events say {state}")
    if order.amount != order.total:
        says = f"its payment is over {order.amount}, the order over {order.total}"
        yield BookMismatch("payment_amount", order.public_id, says)


def _unfinished(order: AuditedOrder, store: StoreSnapshot, under_way: timedelta) -> Iterator[BookMismatch]:
    if order.status == "pending_payment" and order.age > under_way:
        yield BookMismatch("order_left_open", order.public_id, f"waiting for its payment since {order.created_at}")
    changed_at = order.payment_changed_at
    tried = f", tried {order.attempts} times; the last time: {order.last_error}" if order.attempts else ""
    if order.payment == "refund_failed":
        says = f"its money is owed{tried}; try it again or close it at /admin/orders"
        yield BookMismatch("refund_failed", order.public_id, says)
    if order.payment == "refund_pending" and changed_at is not None and store.at - changed_at > under_way:
        yield BookMismatch("refund_owed", order.public_id, f"its money is owed since {changed_at}{tried}")


def _money(store: StoreSnapshot, charges: Sequence[ProviderCharge], under_way: timedelta) -> Iterator[BookMismatch]:
    ours = {order.charge_key: order for order in store.orders if order.charge_key is not None}
    theirs = {charge.key: charge for charge in charges}
    for key, order in ours.items():
        yield from _owed_by_us(order, theirs.get(key), is_before=key.startswith(DATASET_PREFIX))
    kept = defaultdict(list)
    for charge in charges:
        if charge.id in store.settled:
            continue
        is_young = store.at - charge.created_at <= under_way
        if charge.order and charge.kept:
            kept[charge.order].append(charge.id)
        bought = ours.get(charge.key)
        # a charge from before a backup was put back does not wait for an order that could still come
        is_lost = bought is None and store.restored_at is not None and charge.created_at <= store.restored_at
        yield from _kept_by_them(charge, bought, is_young=is_young and not is_lost)
    for number, ids in kept.items():
        if len(ids) > 1:
            yield BookMismatch("charged_twice", " ".join(ids), f"order {number} was charged {len(ids)} times")


def _owed_by_us(order: AuditedOrder, charge: ProviderCharge | None, *, is_before: bool) -> Iterator[BookMismatch]:
    """Compare what our copy of a payment claims with the provider's books."""
    if order.payment not in ("charged", "refund_pending", "refund_failed", "refunded") or not order.amount:
        return
    if charge is None or not charge.succeeded:
        if not (is_before and order.payment == "refunded"):
            says = f"its payment is {order.payment}; the provider has no such charge"
            yield BookMismatch("charge_missing", order.public_id, says)
        return
    if charge.amount != order.amount:
        yield BookMismatch("charge_amount", order.public_id, f"{order.amount} here, {charge.amount} at the provider")
    if charge.id != order.provider_id:
        yield BookMismatch("charge_id", order.public_id, f"{order.provider_id} here, {charge.id} at the provider")
    if order.payment == "refunded" and charge.kept:
        says = f"given back here; the provider keeps {charge.kept} of {charge.id}"
        yield BookMismatch("refund_missing", order.public_id, says)
    if order.payment == "charged" and charge.refunded:
        says = f"the provider gave {charge.refunded} of {charge.id} back; nobody here knows"
        yield BookMismatch("refund_unknown", order.public_id, says)


def _kept_by_them(charge: ProviderCharge, order: AuditedOrder | None, *, is_young: bool) -> Iterator[BookMismatch]:
    """Find money that was taken for nothing."""
    if not charge.kept or is_young:
        return
    if order is None:
        says = f"{charge.kept} taken under {charge.key}, which nobody here knows; see `shop books settle --help`"
        yield BookMismatch("charge_unknown", charge.id, says)
    elif order.payment in ("pending", "declined", "abandoned"):
        yield BookMismatch(
            "charge_kept", order.public_id, f"{charge.kept} taken by {charge.id}; here it is {order.payment}"
        )
