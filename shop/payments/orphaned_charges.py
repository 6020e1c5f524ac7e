"""Orphaned charges: charges at the provider without an order here. Staff refunds each, or keeps it with a reason.

They follow from a restored backup, which lacks the orders of the last hours, and from webhooks that contradict the
store's record. The store cannot make an order from such a charge: the provider knows the amount and a number, but
neither the products nor the address.
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
from shop.payments.transitions import PaymentStatus

SOLD_STATUSES = frozenset(PaymentStatus) - {PaymentStatus.PENDING, PaymentStatus.ABANDONED, PaymentStatus.DECLINED}
"""Statuses of a payment whose charge belongs to its order."""


class OrphanedCharges:
    """The use cases.

    Args:
        database: has the payments and the decisions.
        payments: finds the payment of a charge.
        provider: lists charges and makes refunds.
    """

    def __init__(self, database: Database, payments: PaymentService, provider: PaymentProvider) -> None:
        self._database = database
        self._payments = payments
        self._provider = provider

    def refund(self, charge_id: str, settled_by: str, reason: str) -> Money:
        """Refund the remainder of a charge; return its amount. Safe to repeat.

        Args:
            charge_id: the provider's id.
            settled_by: the account that decided it.
            reason: why, for a later reader.

        Raises:
            NotFound: the provider has no such charge.
            StateConflict: the charge belongs to an order.
            ProviderUnavailable: the outcome is unknown; call again.
        """
        charge = self._orphan(charge_id)
        remainder = charge.amount.amount - charge.refunded.amount if charge.succeeded else 0
        if remainder:
            key = f"settle-{charge.id}-after-{charge.refunded.amount}"
            self._provider.refund(key, charge.id, Money(remainder, charge.amount.currency))
        self._record(charge, "refunded", settled_by, reason)
        return Money(remainder, charge.amount.currency)

    def keep(self, charge_id: str, settled_by: str, reason: str) -> Money:
        """Record that the shop keeps a charge, and why; return the amount kept. Arguments and errors as above."""
        charge = self._orphan(charge_id)
        self._record(charge, "kept", settled_by, reason)
        return Money(charge.amount.amount - charge.refunded.amount, charge.amount.currency)

    def _orphan(self, charge_id: str) -> ListedCharge:
        charge = next((charge for charge in iter_charges(self._provider) if charge.id == charge_id), None)
        if charge is None:
            raise NotFound(f"The provider has no charge {charge_id}; `bin/shop books` lists those to settle.")
        with self._database.reading() as session:
            payment = self._payments.by_charge_key(session, charge.key)
        if payment is not None and payment.status in SOLD_STATUSES and payment.provider_id == charge.id:
            raise StateConflict(f"The charge {charge_id} is of an order of the store: cancel the order to refund it.")
        if payment is not None and payment.status == PaymentStatus.PENDING:
            raise StateConflict(
                f"The order of the charge {charge_id} is still being settled by the worker: wait for it."
            )
        return charge

    def _record(self, charge: ListedCharge, decision: str, settled_by: str, reason: str) -> None:
        row = {"provider_id": charge.id, "decision": decision, "settled_by": settled_by, "reason": reason}

        def record(session: Session) -> None:
            statement = insert(SettledCharge).values(**row)
            session.execute(statement.on_conflict_do_update(index_elements=["provider_id"], set_=row))

        self._database.run_in_transaction(record)


def iter_charges(provider: PaymentProvider) -> Iterator[ListedCharge]:
    """Return every charge in the provider's ledger, oldest first, page by page."""
    after = ""
    while page := provider.list_charges(after):
        yield from page
        after = page[-1].id
