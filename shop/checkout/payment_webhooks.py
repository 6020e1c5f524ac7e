"""Handles the provider's webhooks: the checkout's phases record an event as they record the outcome of a call.

A webhook and the response to its call arrive in any order; a webhook may arrive twice, or never. Both end in
:meth:`~shop.checkout.phases.CheckoutPhases.settle`, under the order's lock, and the second one changes nothing. So a
charge whose response was lost is settled by its webhook, and a lost webhook does no harm.
"""

import logging
from collections.abc import Callable

from shop.checkout.phases import CheckoutPhases
from shop.checkout.recovery_points import RecoveryStep, SettleResult
from shop.database.transactions import Database
from shop.errors import StateConflict
from shop.money import Money
from shop.orders import queries
from shop.payments.models import Payment
from shop.payments.provider import ChargeDeclined, ChargeSucceeded
from shop.payments.service import PaymentService
from shop.payments.transitions import OWED_STATUSES, PaymentStatus
from shop.payments.webhooks import WebhookEvent, WebhookEventType

_log = logging.getLogger(__name__)


class PaymentWebhooks:
    """The use case.

    Args:
        database: the store's database.
        payments: the store's record of payments.
        phases: the bodies of the transactions.
        compensate: refunds a cancelled order, by its public id.
        observe: called with the outcome of each event: ``taken``, ``early``, ``unknown_charge`` or ``conflict``.
    """

    def __init__(
        self,
        database: Database,
        payments: PaymentService,
        phases: CheckoutPhases,
        compensate: Callable[[str], object],
        observe: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        self._database = database
        self._payments = payments
        self._phases = phases
        self._compensate = compensate
        self._observe = observe

    def handle(self, event: WebhookEvent) -> None:
        """See :class:`shop.payments.webhooks.WebhookHandler`."""
        with self._database.reading() as session:
            payment = self._payments.by_charge_key(session, event.charge_key)
            public_id = None if payment is None else queries.public_id(session, payment.order_id)
        if payment is None or public_id is None:
            # acknowledged: a repeated delivery would not help; the auditor finds the charge in the provider's list
            _log.warning("webhook_unknown_charge", extra={"charge_key": event.charge_key})
            self._observe("unknown_charge")
            return
        contradiction = find_contradiction(event, payment)
        if contradiction:
            _log.error(
                "webhook_conflict", extra={"order": public_id, "charge": event.provider_id, "reason": contradiction}
            )
            self._database.run_in_transaction(
                lambda session: self._payments.record_conflict(session, event, contradiction)
            )
            self._observe("conflict")
            return
        try:
            self._apply(public_id, payment, event)
        except StateConflict:
            self._observe("early")
            raise
        self._observe("taken")

    def _apply(self, public_id: str, payment: Payment, event: WebhookEvent) -> None:
        is_open = payment.status in (PaymentStatus.PENDING, PaymentStatus.ABANDONED)
        match event.type:
            case WebhookEventType.CHARGED if is_open:
                charged = ChargeSucceeded(event.provider_id)
                settled = self._database.run_in_transaction(
                    lambda session: self._phases.settle(session, public_id, RecoveryStep.PAY, charged)
                )
                if settled is SettleResult.TOO_LATE:
                    self._compensate(public_id)
            case WebhookEventType.DECLINED if payment.status == PaymentStatus.PENDING:
                declined = ChargeDeclined("declined")
                self._database.run_in_transaction(
                    lambda session: self._phases.settle(session, public_id, RecoveryStep.REFUSE, declined)
                )
            case WebhookEventType.REFUNDED if is_open:  # this event has overtaken the event of its charge
                raise StateConflict("The charge is not known here yet; send this again.")
            case WebhookEventType.REFUNDED if payment.status in (*OWED_STATUSES, PaymentStatus.REFUND_CLOSED):
                if event.refunded == event.amount:
                    self._database.run_in_transaction(lambda session: self._phases.record_refund(session, public_id))
            case WebhookEventType.REFUNDED if payment.status == PaymentStatus.CHARGED:
                _log.warning("unrequested_refund", extra={"order": public_id, "refunded": event.refunded.amount})


def find_contradiction(event: WebhookEvent, payment: Payment) -> str:
    """Return how an event contradicts the store's record; empty if it fits, or may fit later. Pure.

    Args:
        event: the provider's event.
        payment: the store's record under the event's charge key.
    """
    expected = Money(payment.amount, payment.currency)
    if event.amount != expected:
        return f"{event.type} over {event.amount}; the payment is over {expected}"
    if payment.status == PaymentStatus.DECLINED and event.type is not WebhookEventType.DECLINED:
        return f"{event.type} of a payment that was declined"
    if payment.provider_id is not None and event.type is WebhookEventType.DECLINED:
        return f"{event.type} of a payment that was charged"
    if payment.provider_id not in (None, event.provider_id):
        return f"{event.type} of another charge than {payment.provider_id}, which is ours"
    return ""
