"""From a cart to a paid order, or to nothing at all.

Problem: the card network cannot take part in our transaction. Charge first and crash, and somebody paid for nothing;
commit first and crash, and somebody waits for a parcel nobody charged.
Method: named atomic phases with the charge between them. Place (key claimed; order, payment and reserved stock, all
pending), charge (no transaction open, under the order's own key), settle (all of it paid, or all of it undone, and the
answer kept under the key). After each, what is in the database says how to go on: the same request sent again picks up
where the last one stopped, and ends in exactly one charge.
Switches: ``checkout.idempotency``, ``checkout.transaction``, ``checkout.stock``.
Experiment: ``checkout-partial-write`` and ``checkout-retries``.
Source: Leach, "Implementing Stripe-like Idempotency Keys in Postgres" (2017), atomic phases and recovery points.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from shop.cart.service import CartOwner
from shop.checkout.agreement import OPEN_AGREEMENT, PurchaseAgreement
from shop.checkout.details import CheckoutDetails
from shop.checkout.payment_reconciler import GIVEN_UP_AFTER, PaymentReconciler
from shop.checkout.phases import (
    EMPTY_CART,
    NO_GUARD,
    ChargeAttempt,
    CheckoutPhases,
    CheckoutRequest,
    PendingCheckout,
    owner_name,
)
from shop.checkout.recovery_points import RecoveryPoint, RecoveryStep, SettleResult, decide
from shop.database.transactions import Database
from shop.errors import AlreadyPaid, InvalidFields, ProviderUnavailable, ServiceUnavailable, StateConflict
from shop.money import Money
from shop.orders import queries
from shop.orders.events import CancellationCause
from shop.orders.models import Order
from shop.orders.order_stream import CheckoutKey, OrderChange
from shop.orders.queries import OrderView
from shop.orders.transitions import OrderStatus
from shop.patterns.idempotency.key_lease import KeyLease
from shop.payments.models import Payment
from shop.payments.provider import ChargeRequest
from shop.payments.service import Outcome, PaymentService

PLACE_ATTEMPTS = 3
"""A second round follows an earlier checkout that had to be settled first, or an order number drawn twice; more than
that need two coincidences."""
RETRY_AFTER_S = 2
IN_FLIGHT = "This checkout is being worked on; ask again in a moment."
IN_ANOTHER_TAB = "This cart is being paid for in another tab; ask again in a moment."
PAID_AS_GUEST = (
    "This cart was paid for before you signed in. The confirmation went to the email given then,"
    " and nothing was charged now."
)
UNSURE = (
    "The payments provider has not answered yet, so we cannot say whether you were charged."
    " Send the same again: you will not be charged twice."
)
AWAY = "The payments provider is away. Nothing was charged and nothing was ordered; your cart is as it was."


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """The order is paid."""

    public_id: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class DeclinedCheckout:
    """The card was declined; nothing was ordered."""

    replayed: bool = False


@dataclass(frozen=True, slots=True)
class EarlierCheckoutPaid:
    """An earlier checkout of the same cart turned out to be paid; nothing was ordered now."""

    public_id: str


CheckoutResult = PaidOrder | DeclinedCheckout | EarlierCheckoutPaid


@dataclass(frozen=True, slots=True)
class ResponseContext:
    """What the answer is made of that is kept with the last phase.

    Args:
        result: what the request came to.
        order: the order as the transaction that is about to end leaves it.
    """

    result: PaidOrder | DeclinedCheckout
    order: OrderView


class CheckoutService:
    """The use case.

    Args:
        database: where everything is.
        payments: moves and records money.
        phases: the bodies of the transactions.
        reconciler: settles an earlier checkout of the same cart by the provider's ledger.
        compensate: gives back the money of a cancelled order, by its public id.
        reached: told of each recovery point as it is passed.
    """

    def __init__(
        self,
        database: Database,
        payments: PaymentService,
        phases: CheckoutPhases,
        reconciler: PaymentReconciler,
        compensate: Callable[[str], object],
        reached: Callable[[RecoveryPoint], None] = lambda point: None,
    ) -> None:
        self._database = database
        self._payments = payments
        self._phases = phases
        self._compensate = compensate
        self._reconciler = reconciler
        self._reached = reached

    def submit(
        self,
        owner: CartOwner,
        key: str | None,
        details: CheckoutDetails,
        agreement: PurchaseAgreement = OPEN_AGREEMENT,
        guard: KeyLease = NO_GUARD,
    ) -> CheckoutResult:
        """Buy what is in the cart.

        Args:
            owner: whose cart.
            key: the ``Idempotency-Key``; the same one never buys twice. Without one, every submission buys (unsafe).
            details: where to send it and how it is paid.
            agreement: what the shopper agreed to pay for.
            guard: claims the key with the first phase and keeps the answer with the last.

        Raises:
            ReplayedRequest: the request was answered before; by the guard.
            InvalidFields: the cart is empty, or the key was used for something else.
            OutOfStock: not everything is there.
            CartChanged: the cart is not what was agreed to.
            StateConflict: another request is at work on this key, or the order was cancelled meanwhile.
            ProviderUnavailable: not paid, or not known yet; the same key may be sent again either way.
        """
        name = owner_name(owner)
        if name is None:
            raise InvalidFields(EMPTY_CART, errors={"cart": EMPTY_CART})
        checkout_key = CheckoutKey(name, key, details.fingerprint())
        begun = self._begin(checkout_key, CheckoutRequest(owner, details, agreement), guard)
        if not isinstance(begun, ChargeAttempt):
            return begun
        outcome = self._payments.charge(
            ChargeRequest(begun.charge_key, begun.amount, details.payment.token, {"order": begun.number})
        )
        self._reached(RecoveryPoint.ANSWERED)
        return self._settle(begun, outcome, guard)

    def _begin(self, key: CheckoutKey, wanted: CheckoutRequest, guard: KeyLease) -> ChargeAttempt | CheckoutResult:
        stock = self._phases.stock
        for _ in range(PLACE_ATTEMPTS):
            placed = self._database.run_in_transaction(
                lambda session: self._phases.place(session, key, wanted, guard),
                isolation=stock.isolation,
                attempts=stock.attempts,
            )
            if isinstance(placed, ChargeAttempt):
                self._reached(RecoveryPoint.PLACED)
                return placed
            if isinstance(placed, Order):
                return self._again(placed, wanted.owner)
            if placed is not None and self._finish(placed) is OrderStatus.PAID:
                return EarlierCheckoutPaid(placed.public_id)
        raise ServiceUnavailable(IN_FLIGHT, retry_after=RETRY_AFTER_S)

    def _finish(self, earlier: PendingCheckout) -> OrderStatus:
        is_old = earlier.age > GIVEN_UP_AFTER
        try:
            status = self._reconciler.reconcile(earlier.public_id, CancellationCause.SUPERSEDED, give_up=is_old)
        except (StateConflict, ProviderUnavailable) as refusal:
            if earlier.is_own and isinstance(refusal, ProviderUnavailable):
                raise
            raise StateConflict(IN_ANOTHER_TAB, retry_after=RETRY_AFTER_S) from refusal
        if status is OrderStatus.PAID and not earlier.is_own:
            raise AlreadyPaid(PAID_AS_GUEST)
        return status

    def _again(self, order: Order, owner: CartOwner) -> ChargeAttempt | CheckoutResult:
        if order.status == OrderStatus.PENDING_PAYMENT:
            with self._database.transaction() as session:
                claimed = self._payments.claim(session, order.id)
                payment = self._payments.for_order(session, order.id)
            if claimed:
                return _resumed(order, payment)
            if payment.status == "pending":
                raise StateConflict(IN_FLIGHT, retry_after=RETRY_AFTER_S)
        result = self._result_of(order.public_id, order.id, replayed=True)
        if isinstance(result, PaidOrder) and order.user_id != owner.user_id:
            raise AlreadyPaid(PAID_AS_GUEST)
        return result

    def _result_of(self, public_id: str, order_id: int | None = None, *, replayed: bool) -> CheckoutResult:
        with self._database.reading() as session:
            payment = self._payments.for_order(session, order_id or queries.internal_id(session, public_id))
        if payment.status == "declined":
            return DeclinedCheckout(replayed)
        if payment.status == "abandoned":
            raise StateConflict("This order was cancelled before it was paid; nothing was charged.")
        return PaidOrder(public_id, replayed)

    def _settle(self, attempt: ChargeAttempt, outcome: Outcome, guard: KeyLease) -> CheckoutResult:
        step = decide(outcome, first_attempt=attempt.first)
        result = PaidOrder(attempt.public_id) if step is RecoveryStep.PAY else DeclinedCheckout()

        def work(session: Session) -> SettleResult:
            def answer(changed: OrderChange) -> None:
                guard.finish(session, ResponseContext(result, queries.after(changed)))

            return self._phases.settle(session, attempt.public_id, step, outcome, answer)

        settled = self._database.run_in_transaction(work)
        self._reached(RecoveryPoint.SETTLED)
        if settled is SettleResult.ALREADY:  # by the provider's own message, or by another request: that is what counts
            return self._result_of(attempt.public_id, replayed=False)
        if settled is SettleResult.TOO_LATE:
            self._compensate(attempt.public_id)
            raise StateConflict("This order was cancelled before it was paid; what was charged goes back.")
        match step:
            case RecoveryStep.PAY | RecoveryStep.REFUSE:
                return result
            case RecoveryStep.UNDO:
                raise ProviderUnavailable(AWAY, retry_after=RETRY_AFTER_S)
            case RecoveryStep.WAIT:
                raise ProviderUnavailable(UNSURE, retry_after=RETRY_AFTER_S)


def _resumed(order: Order, payment: Payment) -> ChargeAttempt:
    amount = Money(payment.amount, payment.currency)
    return ChargeAttempt(order.public_id, order.number, payment.charge_key, amount, first=False)
