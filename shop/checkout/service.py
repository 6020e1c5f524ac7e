"""The checkout: from a cart to a paid order. A checkout that is not paid takes no money, and gives its stock back.

Problem: the payments provider cannot take part in our transaction. If the store charges first and crashes, a customer
has paid for nothing. If it commits first and crashes, a customer waits for a parcel that is not paid.
Method: two atomic phases, each of one transaction, with the charge between them. Place: one transaction claims the key,
and writes the order and its payment as pending and the stock as reserved. Charge: no transaction is open. Settle: one
transaction marks the order as paid and the stock as sold, or it cancels the order and releases the stock; it also
stores the response. A cancelled order stays in the database with its events and its payment. If the outcome of the
charge is unknown, the order stays pending.
A repeated request finds a pending order, and charges again under the same charge key: the provider charges once per
key, and returns the same outcome for a repeated charge. So the request need not know whether an earlier one stopped
before or after the charge.
Three keys protect a checkout. The idempotency key of the request stores the response (``lease``). The checkout key of
the order finds the order (:mod:`shop.orders.checkout_keys`). The charge key of the payment makes the charge repeatable
(:mod:`shop.charge_keys`).
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
from shop.checkout.payment_reconciler import GIVE_UP_AFTER, RETRY_AFTER_S, PaymentReconciler
from shop.checkout.phases import (
    EMPTY_CART,
    NO_LEASE,
    ChargeAttempt,
    CheckoutPhases,
    CheckoutRequest,
    PendingCheckout,
    key_owner,
)
from shop.checkout.recovery_points import RecoveryPoint, RecoveryStep, SettleResult, next_step
from shop.database.transactions import Database
from shop.errors import AlreadyPaid, InvalidFields, ProviderUnavailable, ServiceUnavailable, StateConflict
from shop.money import Money
from shop.orders import queries
from shop.orders.checkout_keys import CheckoutKey
from shop.orders.events import CancellationCause
from shop.orders.models import Order
from shop.orders.order_stream import OrderChange
from shop.orders.queries import OrderView
from shop.orders.transitions import OrderStatus
from shop.patterns.idempotency.key_lease import KeyLease
from shop.payments.provider import ChargeRequest
from shop.payments.service import Outcome, PaymentService
from shop.payments.transitions import PaymentStatus

PLACE_ATTEMPTS = 3
"""The second attempt follows an earlier checkout that had to be settled first, or a random order number that was taken.
A third one needs two such events."""
IN_FLIGHT = "This checkout is being worked on; ask again in a moment."
IN_ANOTHER_TAB = "This cart is being paid for in another tab; ask again in a moment."
PAID_AS_GUEST = (
    "This cart was paid for before you signed in. The confirmation went to the email given then,"
    " and nothing was charged now."
)
OUTCOME_UNKNOWN = (
    "The payments provider has not answered yet, so we cannot say whether you were charged."
    " Send the same again: you will not be charged twice."
)
PROVIDER_UNAVAILABLE = (
    "The payments provider is not available. Nothing was charged and nothing was ordered; your cart has not changed."
)


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
    """An earlier checkout of the same cart was paid; the new request ordered nothing."""

    public_id: str


CheckoutResult = PaidOrder | DeclinedCheckout | EarlierCheckoutPaid


@dataclass(frozen=True, slots=True)
class ResponseContext:
    """Input for the stored response.

    Args:
        result: the result of the request.
        order: the order as the open transaction has written it.
    """

    result: PaidOrder | DeclinedCheckout
    order: OrderView


class CheckoutService:
    """The use case.

    Args:
        database: the store's database.
        payments: makes charges and records payments.
        phases: the bodies of the transactions.
        reconciler: settles an earlier checkout of the same cart by the provider's ledger.
        compensate: refunds a cancelled order, by its public id.
        on_recovery_point: called at each recovery point.
    """

    def __init__(
        self,
        database: Database,
        payments: PaymentService,
        phases: CheckoutPhases,
        reconciler: PaymentReconciler,
        compensate: Callable[[str], object],
        on_recovery_point: Callable[[RecoveryPoint], None] = lambda point: None,
    ) -> None:
        self._database = database
        self._payments = payments
        self.phases = phases
        self._compensate = compensate
        self._reconciler = reconciler
        self.on_recovery_point = on_recovery_point

    def submit(
        self,
        owner: CartOwner,
        key: str | None,
        details: CheckoutDetails,
        agreement: PurchaseAgreement = OPEN_AGREEMENT,
        lease: KeyLease = NO_LEASE,
    ) -> CheckoutResult:
        """Buy the lines of a cart.

        Args:
            owner: the owner of the cart.
            key: the ``Idempotency-Key``; the same key never buys twice. Without a key, every request buys (unsafe).
            details: delivery address and payment.
            agreement: the lines or the total that the shopper agreed to.
            lease: claims the request's key with the first phase and stores the response with the last one.

        Raises:
            ReplayedRequest: the request has a stored response.
            InvalidFields: the cart is empty, or the key was used for another request.
            OutOfStock: a product is not available in this quantity.
            CartChanged: the cart differs from the agreement.
            StateConflict: another request with this key is in progress, or the order was cancelled in the meantime.
            ProviderUnavailable: not paid, or not yet known; the client may send the same key again in both cases.
        """
        owner_name = key_owner(owner)
        if owner_name is None:
            raise InvalidFields(EMPTY_CART, errors={"cart": EMPTY_CART})
        checkout_key = CheckoutKey(owner_name, key, details.fingerprint())
        attempt = self._place(checkout_key, CheckoutRequest(owner, details, agreement), lease)
        if not isinstance(attempt, ChargeAttempt):
            return attempt
        outcome = self._payments.charge(
            ChargeRequest(attempt.charge_key, attempt.amount, details.payment.token, {"order": attempt.number})
        )
        self.on_recovery_point(RecoveryPoint.ANSWERED)
        return self._settle(attempt, outcome, lease)

    def _place(self, key: CheckoutKey, request: CheckoutRequest, lease: KeyLease) -> ChargeAttempt | CheckoutResult:
        stock = self.phases.stock
        for _ in range(PLACE_ATTEMPTS):
            placed = self._database.run_in_transaction(
                lambda session: self.phases.place(session, key, request, lease),
                isolation=stock.isolation,
                attempts=stock.attempts,
            )
            if isinstance(placed, ChargeAttempt):
                self.on_recovery_point(RecoveryPoint.PLACED)
                return placed
            if isinstance(placed, Order):
                return self._resume(placed, request.owner)
            if placed is not None and self._settle_earlier(placed) is OrderStatus.PAID:
                return EarlierCheckoutPaid(placed.public_id)
        raise ServiceUnavailable(IN_FLIGHT, retry_after=RETRY_AFTER_S)

    def _settle_earlier(self, earlier: PendingCheckout) -> OrderStatus:
        """Settle an earlier checkout of the same cart by the provider's ledger."""
        is_old = earlier.age > GIVE_UP_AFTER
        try:
            status = self._reconciler.reconcile(earlier.public_id, CancellationCause.SUPERSEDED, give_up=is_old)
        except (StateConflict, ProviderUnavailable) as refusal:
            if earlier.is_own and isinstance(refusal, ProviderUnavailable):
                raise
            raise StateConflict(IN_ANOTHER_TAB, retry_after=RETRY_AFTER_S) from refusal
        if status is OrderStatus.PAID and not earlier.is_own:
            raise AlreadyPaid(PAID_AS_GUEST)
        return status

    def _resume(self, order: Order, owner: CartOwner) -> ChargeAttempt | CheckoutResult:
        """Continue the checkout that an earlier request with the same checkout key has begun."""
        if order.status == OrderStatus.PENDING_PAYMENT:
            with self._database.transaction() as session:
                claimed = self._payments.claim(session, order.id)
                payment = self._payments.for_order(session, order.id)
            if claimed:
                amount = Money(payment.amount, payment.currency)
                return ChargeAttempt(order.public_id, order.number, payment.charge_key, amount, is_first=False)
            if payment.status == PaymentStatus.PENDING:
                raise StateConflict(IN_FLIGHT, retry_after=RETRY_AFTER_S)
        result = self._result_of(order.public_id, order.id, replayed=True)
        if isinstance(result, PaidOrder) and order.user_id != owner.user_id:
            raise AlreadyPaid(PAID_AS_GUEST)
        return result

    def _result_of(self, public_id: str, order_id: int | None = None, *, replayed: bool) -> CheckoutResult:
        with self._database.reading() as session:
            payment = self._payments.for_order(session, order_id or queries.internal_id(session, public_id))
        if payment.status == PaymentStatus.DECLINED:
            return DeclinedCheckout(replayed)
        if payment.status == PaymentStatus.ABANDONED:
            raise StateConflict("This order was cancelled before it was paid; nothing was charged.")
        return PaidOrder(public_id, replayed)

    def _settle(self, attempt: ChargeAttempt, outcome: Outcome, lease: KeyLease) -> CheckoutResult:
        step = next_step(outcome, first_attempt=attempt.is_first)
        result = PaidOrder(attempt.public_id) if step is RecoveryStep.PAY else DeclinedCheckout()

        def settle(session: Session) -> SettleResult:
            def store_response(change: OrderChange) -> None:
                lease.finish(session, ResponseContext(result, queries.view_after_change(change)))

            return self.phases.settle(session, attempt.public_id, step, outcome, store_response)

        settled = self._database.run_in_transaction(settle)
        self.on_recovery_point(RecoveryPoint.SETTLED)
        if settled is SettleResult.ALREADY:  # by a webhook or by another request: that result counts
            return self._result_of(attempt.public_id, replayed=False)
        if settled is SettleResult.TOO_LATE:
            self._compensate(attempt.public_id)
            raise StateConflict("This order was cancelled before it was paid; the charge will be refunded.")
        match step:
            case RecoveryStep.PAY | RecoveryStep.REFUSE:
                return result
            case RecoveryStep.UNDO:
                raise ProviderUnavailable(PROVIDER_UNAVAILABLE, retry_after=RETRY_AFTER_S)
            case RecoveryStep.WAIT:
                raise ProviderUnavailable(OUTCOME_UNKNOWN, retry_after=RETRY_AFTER_S)
