"""What the provider tells by itself, written down by the same phases as its answers.

A message and the answer to the call it tells of may come in either order, twice, or never. Both end in
:meth:`~shop.checkout.phases.Phases.settle`, under the order's lock; who comes second finds it done. So a charge whose
answer was lost is settled by its message, and a message that is lost is not missed.
"""

import logging
from collections.abc import Callable

from shop.checkout.phases import Phases
from shop.checkout.steps import Settled, Step
from shop.errors import Conflict, NotFound
from shop.money import Money
from shop.orders import queries
from shop.payments.notices import Happened, Notice
from shop.payments.provider import Charged, Declined
from shop.payments.refunds import OWED
from shop.payments.service import Payments
from shop.unit_of_work import Database

_log = logging.getLogger(__name__)


class Notices:
    """The use case.

    Args:
        database: where everything is.
        payments: our record of payments.
        phases: the bodies of the transactions.
        compensate: gives back the money of a cancelled order, by its public id.
    """

    def __init__(
        self, database: Database, payments: Payments, phases: Phases, compensate: Callable[[str], object]
    ) -> None:
        self._database = database
        self._payments = payments
        self._phases = phases
        self._compensate = compensate

    def receive(self, notice: Notice) -> None:
        """See :class:`shop.payments.notices.Receiver`."""
        with self._database.reading() as session:
            payment = self._payments.under_key(session, notice.charge_key)
            public_id = None if payment is None else queries.public_id(session, payment.order_id)
        if payment is None or public_id is None:
            _log.warning("webhook_of_no_payment", extra={"charge_key": notice.charge_key})
            raise NotFound("There is no payment with this key.")
        if notice.amount != Money(payment.amount, payment.currency):
            _log.error("webhook_of_another_amount", extra={"charge_key": notice.charge_key})
            raise Conflict("The charge is not the one we asked for.")
        match notice.happened:
            case Happened.CHARGED if payment.status in ("pending", "abandoned"):
                self._charged(public_id, notice)
            case Happened.DECLINED if payment.status == "pending":
                declined = Declined("declined")
                self._database.retrying(lambda session: self._phases.settle(session, public_id, Step.REFUSE, declined))
            case Happened.REFUNDED:
                self._refunded(public_id, payment.status, notice)

    def _charged(self, public_id: str, notice: Notice) -> None:
        charged = Charged(notice.provider_id)
        settled = self._database.retrying(lambda session: self._phases.settle(session, public_id, Step.PAY, charged))
        if settled is Settled.TOO_LATE:
            self._compensate(public_id)

    def _refunded(self, public_id: str, status: str, notice: Notice) -> None:
        if status in ("pending", "abandoned"):  # this message has overtaken the one of its charge
            raise Conflict("The charge is not known here yet; send this again.")
        if status in (*OWED, "refund_closed") and notice.refunded == notice.amount:
            self._database.retrying(lambda session: self._phases.refunded(session, public_id))
        elif status == "charged":
            _log.warning("refund_nobody_asked_for", extra={"order": public_id, "refunded": notice.refunded.amount})
