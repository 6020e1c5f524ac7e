"""What the provider tells by itself, written down by the same phases as its answers.

A message and the answer to the call it tells of may come in either order, twice, or never. Both end in
:meth:`~shop.checkout.phases.Phases.settle`, under the order's lock; who comes second finds it done. So a charge whose
answer was lost is settled by its message, and a message that is lost is not missed.
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
from shop.payments.refunds import OWED
from shop.payments.service import PaymentService
from shop.payments.webhooks import WebhookEvent, WebhookEventType

_log = logging.getLogger(__name__)


class PaymentWebhooks:
    """The use case.

    Args:
        database: where everything is.
        payments: our record of payments.
        phases: the bodies of the transactions.
        compensate: gives back the money of a cancelled order, by its public id.
        observe: told what became of each message: ``taken``, ``early``, ``unknown_charge`` or ``conflict``.
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

    def receive(self, notice: WebhookEvent) -> None:
        """See :class:`shop.payments.webhooks.Receiver`."""
        with self._database.reading() as session:
            payment = self._payments.by_charge_key(session, notice.charge_key)
            public_id = None if payment is None else queries.public_id(session, payment.order_id)
        if payment is None or public_id is None:
            # taken all the same: sent again, it is as unknown; the auditor finds the charge in the provider's list
            _log.warning("webhook_of_no_payment", extra={"charge_key": notice.charge_key})
            self._observe("unknown_charge")
            return
        says = contradiction(notice, payment)
        if says:
            _log.error("webhook_conflict", extra={"order": public_id, "charge": notice.provider_id, "reason": says})
            self._database.run_in_transaction(lambda session: self._payments.note_conflict(session, notice, says))
            self._observe("conflict")
            return
        try:
            self._take(public_id, payment, notice)
        except StateConflict:
            self._observe("early")
            raise
        self._observe("taken")

    def _take(self, public_id: str, payment: Payment, notice: WebhookEvent) -> None:
        match notice.happened:
            case WebhookEventType.CHARGED if payment.status in ("pending", "abandoned"):
                self._charged(public_id, notice)
            case WebhookEventType.DECLINED if payment.status == "pending":
                declined = ChargeDeclined("declined")
                self._database.run_in_transaction(
                    lambda session: self._phases.settle(session, public_id, RecoveryStep.REFUSE, declined)
                )
            case WebhookEventType.REFUNDED:
                self._refunded(public_id, payment.status, notice)

    def _charged(self, public_id: str, notice: WebhookEvent) -> None:
        charged = ChargeSucceeded(notice.provider_id)
        settled = self._database.run_in_transaction(
            lambda session: self._phases.settle(session, public_id, RecoveryStep.PAY, charged)
        )
        if settled is SettleResult.TOO_LATE:
            self._compensate(public_id)

    def _refunded(self, public_id: str, status: str, notice: WebhookEvent) -> None:
        if status in ("pending", "abandoned"):  # this message has overtaken the one of its charge
            raise StateConflict("The charge is not known here yet; send this again.")
        if status in (*OWED, "refund_closed") and notice.refunded == notice.amount:
            self._database.run_in_transaction(lambda session: self._phases.record_refund(session, public_id))
        elif status == "charged":
            _log.warning("refund_nobody_asked_for", extra={"order": public_id, "refunded": notice.refunded.amount})


def contradiction(notice: WebhookEvent, payment: Payment) -> str:
    """Return what a message says against our record; empty where it fits, or may come to fit. Pure.

    Args:
        notice: the message.
        payment: our record, under the message's key.
    """
    ours, theirs = Money(payment.amount, payment.currency), notice.amount
    if theirs != ours:
        return f"{notice.happened} over {theirs}; the payment is over {ours}"
    if payment.status == "declined" and notice.happened is not WebhookEventType.DECLINED:
        return f"{notice.happened} of a payment that was declined"
    if payment.provider_id is not None and notice.happened is WebhookEventType.DECLINED:
        return f"{notice.happened} of a payment that was charged"
    if payment.provider_id not in (None, notice.provider_id):
        return f"{notice.happened} of another charge than {payment.provider_id}, which is ours"
    return ""
