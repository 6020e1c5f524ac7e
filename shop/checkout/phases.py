"""The atomic phases of a checkout. Each is the body of one transaction; the charge happens between them.

Order, payment record, cart and stock move together or not at all, in this order of locks everywhere: order, payment,
cart, stock by product id. Stock comes last, because its rows are the ones strangers wait for. Nothing here calls out,
and nothing here commits.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from shop.cart.cart_lines import HeldLine
from shop.cart.service import CartOwner, CartService
from shop.catalog import availability, offers
from shop.catalog.stock import StockStrategy
from shop.checkout.agreement import OPEN_AGREEMENT, PurchaseAgreement
from shop.checkout.confirmation import OrderConfirmation
from shop.checkout.details import CheckoutDetails
from shop.checkout.recovery_points import RecoveryStep, SettleResult
from shop.database.transactions import Database
from shop.errors import InvalidFields, OutOfStock
from shop.money import Money
from shop.orders import order_stream, queries
from shop.orders.events import CancellationCause, OrderedLine
from shop.orders.models import Order
from shop.orders.order_state import CancelOrder, CloseRefund, Command, RecordCharge, RecordDecline, RecordRefund
from shop.orders.order_stream import CheckoutKey, LockedOrder, NewOrder, OrderChange, OrderStreams
from shop.orders.transitions import OrderStatus
from shop.patterns.idempotency.key_lease import KeyLease, NoLease
from shop.payments.provider import ChargeDeclined, ChargeSucceeded
from shop.payments.service import Outcome, PaymentService

EMPTY_CART = "Your cart is empty."
REUSED = "This key was used for another checkout; take a new one."
NO_GUARD = NoLease()


@dataclass(frozen=True, slots=True)
class ChargeAttempt:
    """A charge to be made for an order."""

    public_id: str
    number: str
    charge_key: str
    amount: Money
    first: bool


@dataclass(frozen=True, slots=True)
class PendingCheckout:
    """An earlier checkout of the same cart whose payment is still open, and that the new one cannot go on with.

    Args:
        public_id: its order.
        age: how long ago it was placed.
        is_own: whether the order is the same shopper's; not so if it came with the cart of a guest who signed in.
    """

    public_id: str
    age: timedelta
    is_own: bool


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """What is to be bought: whose cart, the answers to the form, and what was agreed to pay for."""

    owner: CartOwner
    details: CheckoutDetails
    agreement: PurchaseAgreement = OPEN_AGREEMENT


class CheckoutPhases:
    """The bodies of the transactions.

    Args:
        orders: places and changes orders.
        payments: our record of payments.
        stock: the way stock is taken.
        invalidate: told, after the commit, the tags of all that says whether a product can be had, when one has sold
            out or can be had again.
        confirmation: sees to the mail.
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
        self, session: Session, key: CheckoutKey, wanted: CheckoutRequest, guard: KeyLease = NO_GUARD
    ) -> ChargeAttempt | Order | PendingCheckout | None:
        """Phase one: claim the key, price the cart now, place the order, open its payment, reserve its stock.

        One cart is checked out once at a time. A second tab, or a new form after an answer that got lost, has a key of
        its own, and would otherwise order and charge what the first one is about to. Only a checkout without any key
        looks at nothing that was before it.

        Returns:
            The charge to make; the order that the key has already; an earlier checkout that must be settled first; or
            ``None`` when its number happened to be taken: then the caller tries again.

        Raises:
            ReplayedRequest: the request was answered before.
            InvalidFields: the cart is empty, or the key was used for another request.
            CartChanged: it no longer is what was agreed to.
            StateConflict: a request under the key is under way.
            OutOfStock: not everything is there; nothing was done.
        """
        guard.claim(session)
        if key.key is not None:
            order_stream.lock_owner(session, key.owner)
            earlier = queries.conflicting_checkout(session, key.owner, key.key)
            if earlier is not None:
                return _met(session, earlier, key, wanted.owner)
        details = wanted.details
        held = CartService.held_lines(session, wanted.owner)
        lines = _priced(session, held)
        address = details.address.model_dump()
        owner = wanted.owner
        guest_id = owner.guest_id or owner.guest_cart_id
        cart_lines = {product_id: line.line_id for product_id, line in held.items()}
        new = NewOrder(owner.user_id, guest_id, details.recipient, address, lines, key, cart_lines)
        wanted.agreement.check(new.total, lines)
        order = self._orders.place(session, new)
        if order is None:
            return None
        charge_key = f"order-{order.public_id}"
        self._payments.open(session, order.id, new.total, charge_key)
        self._changed(session, self.stock.reserve(session, {line.product_id: line.quantity for line in lines}))
        return ChargeAttempt(order.public_id, order.number, charge_key, new.total, first=True)

    def settle(
        self,
        session: Session,
        public_id: str,
        step: RecoveryStep,
        outcome: Outcome | None,
        answer: Callable[[OrderChange], None] = lambda changed: None,
    ) -> SettleResult:
        """Phase three: write down what the provider's answer means, all of it.

        Args:
            session: the caller's transaction.
            public_id: the order.
            step: what was decided.
            outcome: the provider's answer; ``None`` where its books hold no charge.
            answer: told what became of the order when all is written down that an answer to the shopper may tell of,
                if there is a final one; stock is not among it, and its rows are not yet locked.
        """
        order = order_stream.lock(session, public_id)
        if order.status != OrderStatus.PENDING_PAYMENT:
            return self._settle_late(session, order, outcome)
        match step, outcome:
            case RecoveryStep.PAY, ChargeSucceeded(provider_id=provider_id):
                self._pay(session, order, provider_id, answer)
            case RecoveryStep.REFUSE, ChargeDeclined(reason=reason):
                self._give_up(session, order, "declined", RecordDecline(reason), answer)
            case RecoveryStep.UNDO, _:
                self._give_up(session, order, "abandoned", CancelOrder(CancellationCause.NOT_POSSIBLE))
                order_stream.free_key(session, order.id)
            case _:
                self._payments.release(session, order.id)
        return SettleResult.DONE

    def cancel_unpaid(self, session: Session, public_id: str, cause: CancellationCause) -> None:
        """Cancel an order that is not paid, the provider's books holding no charge for it."""
        order = order_stream.lock(session, public_id)
        if order.status == OrderStatus.PENDING_PAYMENT:
            self._give_up(session, order, "abandoned", CancelOrder(cause))

    def cancel_paid(self, session: Session, order: LockedOrder, cause: CancellationCause) -> None:
        """Cancel a locked, paid order: its pieces return to the shelf, its money is owed.

        Raises:
            IllegalTransition: it has left, or is cancelled already.
        """
        pieces = self._orders.change(session, order, CancelOrder(cause)).state.quantities
        self._payments.transition(session, order.id, "refund_pending")
        self._changed(session, self.stock.restock(session, pieces))

    def close_refund(self, session: Session, public_id: str, command: CloseRefund) -> None:
        """Stop owing the money of a cancelled order: staff has settled it in another way.

        Raises:
            StateConflict: nothing is owed.
        """
        order = order_stream.lock(session, public_id)
        self._payments.transition(session, order.id, "refund_closed")
        self._orders.change(session, order, command)

    def record_refund(self, session: Session, public_id: str) -> None:
        """Write down that the money of a cancelled order is back; well too if somebody already did."""
        order = order_stream.lock(session, public_id)
        if order.status == OrderStatus.CANCELLED:
            self._payments.transition(session, order.id, "refunded")
            self._orders.change(session, order, RecordRefund())

    def _pay(
        self, session: Session, order: LockedOrder, provider_id: str, answer: Callable[[OrderChange], None]
    ) -> None:
        changed = self._orders.change(session, order, RecordCharge(provider_id))
        bought = changed.state.quantities
        self._payments.transition(session, order.id, "charged", provider_id)
        CartService.remove_bought(session, cart_owner(order.checkout_owner), bought)
        self._confirmation.paid(session, order)
        answer(changed)
        self.stock.commit_reserved(session, bought)

    def _give_up(
        self,
        session: Session,
        order: LockedOrder,
        payment_status: str,
        command: Command,
        answer: Callable[[OrderChange], None] = lambda changed: None,
    ) -> None:
        changed = self._orders.change(session, order, command)
        self._payments.transition(session, order.id, payment_status)
        answer(changed)
        self._changed(session, self.stock.release(session, changed.state.quantities))

    def _settle_late(self, session: Session, order: LockedOrder, outcome: Outcome | None) -> SettleResult:
        payment = self._payments.for_order(session, order.id)
        if isinstance(outcome, ChargeSucceeded) and payment.status == "abandoned":
            self._payments.transition(session, order.id, "refund_pending", outcome.provider_id)
            self._orders.change(session, order, RecordCharge(outcome.provider_id))
            return SettleResult.TOO_LATE
        return SettleResult.ALREADY

    def _changed(self, session: Session, product_ids: frozenset[int]) -> None:
        if product_ids:
            ended = availability.tags_of_availability(session, product_ids)
            Database.after_commit(session, lambda: self._invalidate(ended))


def _met(session: Session, earlier: Order, key: CheckoutKey, owner: CartOwner) -> Order | PendingCheckout:
    """Decide how a checkout meets an earlier one of its cart. Only a shopper's own order goes on under its key.

    Raises:
        InvalidFields: the key was used for another request.
    """
    is_own = earlier.user_id == owner.user_id
    if earlier.checkout_key == key.key and earlier.checkout_fingerprint != key.fingerprint:
        raise InvalidFields(REUSED, errors={"Idempotency-Key": REUSED})
    if earlier.checkout_key == key.key and (is_own or earlier.status != OrderStatus.PENDING_PAYMENT):
        return earlier
    return PendingCheckout(earlier.public_id, queries.ages(session, [earlier.id])[earlier.public_id], is_own)


def _priced(session: Session, held: Mapping[int, HeldLine]) -> list[OrderedLine]:
    """Return what a cart holds, at today's prices; products no longer offered are left out.

    Raises:
        InvalidFields: nothing is left.
        OutOfStock: something is no longer sold; she takes it out of her cart, where it says so, and nobody else does.
    """
    found = offers.by_ids(session, list(held))
    if gone := {offer.slug: "no longer sold" for offer in found.values() if offer.withdrawn}:
        raise OutOfStock("Something in your cart is no longer sold. Remove it to check out.", errors=gone)
    lines = [
        OrderedLine(product_id, found[product_id].title, line.quantity, found[product_id].unit_price)
        for product_id, line in held.items()
        if product_id in found
    ]
    if not lines:
        raise InvalidFields(EMPTY_CART, errors={"cart": EMPTY_CART})
    return lines


def owner_name(owner: CartOwner) -> str | None:
    """Return whose checkout keys an owner's are; ``None`` for a passer-by, who has no cart to check out."""
    if owner.user_id is not None:
        return f"user:{owner.user_id}"
    return f"guest:{owner.guest_cart_id}" if owner.guest_cart_id else None


def cart_owner(name: str | None) -> CartOwner:
    """Return the owner of a name made by :func:`owner_name`, so that an order leads back to its cart."""
    kind, _, value = (name or "").partition(":")
    if kind == "user":
        return CartOwner(user_id=int(value))
    return CartOwner(guest_cart_id=uuid.UUID(value)) if kind == "guest" else CartOwner()
