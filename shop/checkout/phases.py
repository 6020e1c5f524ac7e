"""The two atomic phases of a checkout, :meth:`CheckoutPhases.place` and :meth:`CheckoutPhases.settle`.

Each phase is the body of one transaction; the charge happens between them. The other methods are the transactions that
cancel an order and record its refund. Order, payment, cart and stock change together or not at all.
All of them lock existing rows in one order: order, payment, cart, stock by product id. ``place`` locks only the cart
and then the stock: its order and its payment are new rows, which no other transaction can lock. Other shoppers wait for
the rows of the stock, so they are locked last. A phase makes no call to another server, and does not commit.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from shop.cart.cart_lines import LockedLine
from shop.cart.service import CartOwner, CartService
from shop.catalog import availability, offers
from shop.catalog.stock import StockStrategy
from shop.charge_keys import order_charge_key
from shop.checkout.agreement import OPEN_AGREEMENT, PurchaseAgreement
from shop.checkout.confirmation import OrderConfirmation
from shop.checkout.details import CheckoutDetails
from shop.checkout.recovery_points import RecoveryStep, SettleResult
from shop.database.transactions import Database
from shop.errors import InvalidFields, OutOfStock
from shop.money import Money
from shop.orders import checkout_keys, order_stream, queries
from shop.orders.checkout_keys import CheckoutKey
from shop.orders.events import CancellationCause, OrderedLine
from shop.orders.models import Order
from shop.orders.order_state import CancelOrder, CloseRefund, Command, RecordCharge, RecordDecline, RecordRefund
from shop.orders.order_stream import LockedOrder, NewOrder, OrderChange, OrderStreams
from shop.orders.transitions import OrderStatus
from shop.patterns.idempotency import key_owners
from shop.patterns.idempotency.key_lease import KeyLease, NoLease
from shop.payments.provider import ChargeDeclined, ChargeSucceeded
from shop.payments.service import Outcome, PaymentService
from shop.payments.transitions import PaymentStatus

EMPTY_CART = "Your cart is empty."
NO_LEASE = NoLease()


@dataclass(frozen=True, slots=True)
class ChargeAttempt:
    """A charge to make for an order; ``is_first`` tells whether no earlier request can have made it."""

    public_id: str
    number: str
    charge_key: str
    amount: Money
    is_first: bool


@dataclass(frozen=True, slots=True)
class PendingCheckout:
    """An earlier checkout of the same cart whose payment is open. The new checkout must settle it first.

    Args:
        public_id: its order.
        age: the time since the order was placed.
        is_own: whether the order belongs to the same shopper; false if it came with the cart of a guest who signed in.
    """

    public_id: str
    age: timedelta
    is_own: bool


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """A checkout as it was requested: the owner of the cart, the form's fields, and the agreed lines or total."""

    owner: CartOwner
    details: CheckoutDetails
    agreement: PurchaseAgreement = OPEN_AGREEMENT


class CheckoutPhases:
    """The bodies of the transactions.

    Args:
        orders: places and changes orders.
        payments: the store's record of payments.
        stock: the strategy that reserves stock.
        invalidate: called after the commit with the cache tags that depend on a product's availability, if a product
            has sold out or is available again.
        confirmation: sends the confirmation mail.
    """

    def __init__(
        self,
        orders: OrderStreams,
        payments: PaymentService,
        stock: StockStrategy,
        invalidate: Callable[[Sequence[str]], None],
        confirmation: OrderConfirmation,
    ) -> None:
        self._orders = orders
        self._payments = payments
        self.stock = stock
        self._invalidate = invalidate
        self._confirmation = confirmation

    def place(
        self, session: Session, key: CheckoutKey, request: CheckoutRequest, lease: KeyLease = NO_LEASE
    ) -> ChargeAttempt | Order | PendingCheckout | None:
        """Do the first phase: claim the key, price the cart, place the order, open its payment, reserve its stock.

        One cart has one checkout at a time. A second browser tab, or a new form after a lost response, sends another
        key for the same cart. Without the check for a conflicting checkout, it would buy the cart again. Only a
        checkout without a key skips this check.

        Returns:
            The charge to make; the order that was placed under the same key; an earlier checkout that must be settled
            first; or ``None`` if the random order number is taken or the key has an order by now: the caller tries
            again.

        Raises:
            ReplayedRequest: the request has a stored response.
            InvalidFields: the cart is empty, or the key was used for another request.
            CartChanged: the cart differs from the agreement.
            StateConflict: another request with this key is in progress.
            OutOfStock: a product is not available in this quantity; nothing was changed.
        """
        lease.claim(session)
        owner, details = request.owner, request.details
        if key.key is not None:
            checkout_keys.lock_owner(session, key.owner)
            earlier = checkout_keys.find_conflicting_checkout(session, key.owner, key.key)
            if earlier is not None:
                is_own = earlier.user_id == owner.user_id
                if key.identifies(earlier) and (is_own or earlier.status != OrderStatus.PENDING_PAYMENT):
                    return earlier
                age = queries.order_ages(session, [earlier.id])[earlier.public_id]
                return PendingCheckout(earlier.public_id, age, is_own)
        locked_lines = CartService.locked_lines(session, owner)
        lines = _price_lines(session, locked_lines)
        address = details.address.model_dump()
        guest_id = owner.guest_id or owner.guest_cart_id
        cart_lines = {product_id: line.line_id for product_id, line in locked_lines.items()}
        new = NewOrder(owner.user_id, guest_id, details.recipient, address, lines, key, cart_lines)
        request.agreement.check(new.total, lines)
        order = self._orders.place(session, new)
        if order is None:
            return None
        charge_key = order_charge_key(order.public_id)
        self._payments.open(session, order.id, new.total, charge_key)
        self._invalidate_availability(
            session, self.stock.reserve(session, {line.product_id: line.quantity for line in lines})
        )
        return ChargeAttempt(order.public_id, order.number, charge_key, new.total, is_first=True)

    def settle(
        self,
        session: Session,
        public_id: str,
        step: RecoveryStep,
        outcome: Outcome | None,
        store_response: Callable[[OrderChange], None] = lambda change: None,
    ) -> SettleResult:
        """Do the second phase, after the charge: write everything that follows from its outcome.

        Args:
            session: the caller's transaction.
            public_id: the order.
            step: the step that follows from the outcome.
            outcome: the outcome of the charge; ``None`` if the provider has no charge.
            store_response: stores the idempotent response. It is called after the order is marked as paid or declined,
                and before the stock is changed. So the rows of the stock are locked for a shorter time.
        """
        order = order_stream.lock(session, public_id)
        if order.status != OrderStatus.PENDING_PAYMENT:
            return self._settle_late(session, order, outcome)
        match step, outcome:
            case RecoveryStep.PAY, ChargeSucceeded(provider_id=provider_id):
                self._pay(session, order, provider_id, store_response)
            case RecoveryStep.REFUSE, ChargeDeclined(reason=reason):
                self._cancel(session, order, PaymentStatus.DECLINED, RecordDecline(reason), store_response)
            case RecoveryStep.UNDO, _:
                self._cancel(session, order, PaymentStatus.ABANDONED, CancelOrder(CancellationCause.NOT_POSSIBLE))
                checkout_keys.free_key(session, order.id)
            case _:
                self._payments.release(session, order.id)
        return SettleResult.DONE

    def cancel_unpaid(self, session: Session, public_id: str, cause: CancellationCause) -> None:
        """Cancel an unpaid order. Call it only if the provider has no charge for the order."""
        order = order_stream.lock(session, public_id)
        if order.status == OrderStatus.PENDING_PAYMENT:
            self._cancel(session, order, PaymentStatus.ABANDONED, CancelOrder(cause))

    def cancel_paid(self, session: Session, order: LockedOrder, cause: CancellationCause) -> None:
        """Cancel a locked, paid order: restock its pieces, and mark its refund as pending.

        Raises:
            IllegalTransition: the order is shipped, or cancelled already.
        """
        quantities = self._orders.change(session, order, CancelOrder(cause)).state.quantities
        self._payments.transition(session, order.id, PaymentStatus.REFUND_PENDING)
        self._invalidate_availability(session, self.stock.restock(session, quantities))

    def close_refund(self, session: Session, public_id: str, command: CloseRefund) -> None:
        """Close the refund of a cancelled order, because staff has settled it in another way.

        Raises:
            StateConflict: no refund is due.
        """
        order = order_stream.lock(session, public_id)
        self._payments.transition(session, order.id, PaymentStatus.REFUND_CLOSED)
        self._orders.change(session, order, command)

    def record_refund(self, session: Session, public_id: str) -> None:
        """Record that the provider has refunded a cancelled order. Do nothing if that is recorded already."""
        order = order_stream.lock(session, public_id)
        if order.status == OrderStatus.CANCELLED:
            self._payments.transition(session, order.id, PaymentStatus.REFUNDED)
            self._orders.change(session, order, RecordRefund())

    def _pay(
        self, session: Session, order: LockedOrder, provider_id: str, store_response: Callable[[OrderChange], None]
    ) -> None:
        change = self._orders.change(session, order, RecordCharge(provider_id))
        quantities = change.state.quantities
        self._payments.transition(session, order.id, PaymentStatus.CHARGED, provider_id)
        CartService.remove_bought(session, cart_owner(order.checkout_owner), quantities)
        self._confirmation.order_paid(session, order)
        store_response(change)
        self.stock.sell_reserved(session, quantities)

    def _cancel(
        self,
        session: Session,
        order: LockedOrder,
        payment_status: PaymentStatus,
        command: Command,
        store_response: Callable[[OrderChange], None] = lambda change: None,
    ) -> None:
        change = self._orders.change(session, order, command)
        self._payments.transition(session, order.id, payment_status)
        store_response(change)
        self._invalidate_availability(session, self.stock.release(session, change.state.quantities))

    def _settle_late(self, session: Session, order: LockedOrder, outcome: Outcome | None) -> SettleResult:
        payment = self._payments.for_order(session, order.id)
        if isinstance(outcome, ChargeSucceeded) and payment.status == PaymentStatus.ABANDONED:
            self._payments.transition(session, order.id, PaymentStatus.REFUND_PENDING, outcome.provider_id)
            self._orders.change(session, order, RecordCharge(outcome.provider_id))
            return SettleResult.TOO_LATE
        return SettleResult.ALREADY

    def _invalidate_availability(self, session: Session, product_ids: frozenset[int]) -> None:
        if product_ids:
            tags = availability.tags_of_availability(session, product_ids)
            Database.after_commit(session, lambda: self._invalidate(tags))


def _price_lines(session: Session, locked_lines: Mapping[int, LockedLine]) -> list[OrderedLine]:
    """Return a cart's lines at today's prices, without products that are no longer offered.

    Raises:
        InvalidFields: no line is left.
        OutOfStock: a product is no longer sold. The cart's page says which; the shopper removes it there.
    """
    by_id = offers.by_ids(session, list(locked_lines))
    if withdrawn := {offer.slug: "no longer sold" for offer in by_id.values() if offer.withdrawn}:
        raise OutOfStock("Something in your cart is no longer sold. Remove it to check out.", errors=withdrawn)
    lines = [
        OrderedLine(product_id, by_id[product_id].title, line.quantity, by_id[product_id].unit_price)
        for product_id, line in locked_lines.items()
        if product_id in by_id
    ]
    if not lines:
        raise InvalidFields(EMPTY_CART, errors={"cart": EMPTY_CART})
    return lines


def key_owner(owner: CartOwner) -> str | None:
    """Return the name under which a cart's owner owns checkout keys; ``None`` for a visitor without a cart."""
    if owner.user_id is not None:
        return key_owners.account_owner(owner.user_id)
    return key_owners.guest_owner(owner.guest_cart_id) if owner.guest_cart_id else None


def cart_owner(name: str | None) -> CartOwner:
    """Return the cart's owner for a name from :func:`key_owner`, so an order leads back to its cart."""
    if name is not None and key_owners.is_account(name):
        return CartOwner(user_id=int(key_owners.owner_id(name)))
    if name is not None and key_owners.is_guest(name):
        return CartOwner(guest_cart_id=uuid.UUID(key_owners.owner_id(name)))
    return CartOwner()
