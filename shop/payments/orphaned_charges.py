"""Charges that the provider has and the store cannot use: each is given back, or kept with a reason.

They come from a backup that was put back, whose orders of the last hours are gone, and from messages of the provider
that contradict our record. No order can be made of one: the provider knows an amount and a number, and neither what
was bought nor where it should go.
"""

from collections.abc import Iterator

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.errors import NotFound, StateConflict
from shop.money import Money
from shop.payments.models import SettledCharge
from shop.payments.provider import ListedCharge, PaymentProvider
from shop.payments.service import PaymentService

SOLD = frozenset({"charged", "refund_pending", "refund_failed", "refund_closed", "refunded"})
"""Statuses of a payment whose charge is its order's business."""


class OrphanedCharges:
    """The use cases.

    Args:
        database: where the store's payments are, and what was decided.
        payments: knows which charges are an order's.
        provider: lists charges and gives money back.
    """

    def __init__(self, database: Database, payments: PaymentService, provider: PaymentProvider) -> None:
        self._database = database
        self._payments = payments
        self._provider = provider

    def refund(self, charge_id: str, settled_by: str, reason: str) -> Money:
        """Give all that is left of a charge back; return how much that was. Safe to repeat.

        Args:
            charge_id: the provider's id.
            settled_by: who decided it.
            reason: why, for whoever asks later.

        Raises:
            NotFound: the provider has no such charge.
            StateConflict: it is an order's.
            ProviderUnavailable: not known to be done; call again.
        """
        charge = self._orphan(charge_id)
        rest = charge.amount.amount - charge.refunded.amount if charge.succeeded else 0
        if rest:
            key = f"settle-{charge.id}-after-{charge.refunded.amount}"
            self._provider.refund(key, charge.id, Money(rest, charge.amount.currency))
        self._note(charge, "refunded", settled_by, reason)
        return Money(rest, charge.amount.currency)

    def keep(self, charge_id: str, settled_by: str, reason: str) -> Money:
        """Note that a charge stays with the shop, and why; return what is kept. Arguments and errors as above."""
        charge = self._orphan(charge_id)
        self._note(charge, "kept", settled_by, reason)
        return Money(charge.amount.amount - charge.refunded.amount, charge.amount.currency)

    def _orphan(self, charge_id: str) -> ListedCharge:
        charge = next((one for one in listed(self._provider) if one.id == charge_id), None)
        if charge is None:
            raise NotFound(f"The provider has no charge {charge_id}; `shop books` names those that must be settled.")
        with self._database.reading() as session:
            payment = self._payments.by_charge_key(session, charge.key)
        if payment is not None and payment.status in SOLD and payment.provider_id == charge.id:
            raise StateConflict(
                f"The charge {charge_id} is of an order of the store: cancel the order to give it back."
            )
        if payment is not None and payment.status == "pending":
            raise StateConflict(
                f"The order of the charge {charge_id} is still being settled by the worker: wait for it."
            )
        return charge

    def _note(self, charge: ListedCharge, decision: str, settled_by: str, reason: str) -> None:
        row = {"provider_id": charge.id, "decision": decision, "settled_by": settled_by, "reason": reason}

        def write_down(session: Session) -> None:
            statement = insert(SettledCharge).values(**row)
            session.execute(statement.on_conflict_do_update(index_elements=["provider_id"], set_=row))

        self._database.run_in_transaction(write_down)


def listed(provider: PaymentProvider) -> Iterator[ListedCharge]:
    """Return every charge in the provider's books, oldest first, page by page."""
    after = ""
    while page := provider.list_charges(after):
        yield from page
        after = page[-1].id
