"""Data subject rights: export and erasure of all data that the store holds about a person.

Problem: a person's data are in many tables. Deleting rows by hand breaks projections and the payment accounts.
Method: each feature exports and erases its own rows (``personal_data`` in its folder). This module calls the features
in one transaction. A row that other rows refer to stays, with its personal values blanked; any other row is deleted.
Events contain no name and no address, so a projection rebuilt from events does not change.
Source: Regulation (EU) 2016/679, articles 15 (access), 17 (erasure), 20 (portability).
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from shop.accounts import personal_data as account_data
from shop.cart import personal_data as cart_data
from shop.cart.service import CartOwner, CartService
from shop.catalog import personal_data as review_data
from shop.clock import Clock
from shop.customers.traces import PersonalTraces
from shop.database.transactions import Database
from shop.email_address import canonical_email
from shop.errors import InvalidFields, NotFound, StateConflict
from shop.mail import personal_data as mail_data
from shop.orders import personal_data as order_data
from shop.orders.personal_data import PersonsOrder
from shop.patterns.idempotency import key_owners
from shop.payments import personal_data as payment_data


@dataclass(frozen=True, slots=True)
class DataSubject:
    """The keys of all data about a person."""

    email: str
    user_id: int | None
    orders: tuple[PersonsOrder, ...]
    others: int
    """Number of other accounts with orders to this person's email; those orders belong to the other accounts."""

    @property
    def order_ids(self) -> list[int]:
        """Return the primary keys of the person's orders."""
        return [order.id for order in self.orders]

    @property
    def guest_ids(self) -> list[uuid.UUID]:
        """Return the guest ids with which the person placed orders."""
        owners = {owner for order in self.orders for owner in order.guest_owners}
        return [uuid.UUID(key_owners.owner_id(owner)) for owner in sorted(owners)]

    @property
    def traces(self) -> PersonalTraces:
        """Return the person's keys in messages and stored responses."""
        owners = {owner for order in self.orders for owner in order.guest_owners}
        if self.user_id is not None:
            owners.add(key_owners.account_owner(self.user_id))
        return PersonalTraces(self.email, [order.public_id for order in self.orders], owners)


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """Numbers of blanked or deleted rows; ``others`` as in :class:`DataSubject`."""

    account: bool
    orders: int
    reviews: int
    carts: int
    mails: int
    messages: int
    answers: int
    others: int

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


class PersonalData:
    """Exports and erases the data of one person.

    Args:
        database: the store's database.
        clock: gives the time of an export.
        carts: reads the person's carts.
        on_reviews_changed: called with the slugs of the products whose pages showed the person's name.
    """

    def __init__(
        self, database: Database, clock: Clock, carts: CartService, on_reviews_changed: Callable[[Iterable[str]], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._carts = carts
        self._on_reviews_changed = on_reviews_changed

    def export(self, email: str) -> dict[str, Any]:
        """Return all data about the person with this email, as one document of plain values.

        Passwords and the tokens of sessions, programs and links are left out: they are hashes, or would give access.

        Raises:
            InvalidFields: the email is not valid.
            NotFound: the store holds no data about the person.
        """
        email = _checked_email(email)
        with self._database.transaction() as session:
            person = _find(session, email)
            account: dict[str, Any] = {name: [] for name in ("sessions", "tokens", "password_resets", "reviews")}
            if person.user_id is not None:
                reviews = review_data.export(session, person.user_id)
                account = {**account_data.export(session, person.user_id), "reviews": reviews}
            payments = payment_data.export(session, person.order_ids)
            orders = zip(person.order_ids, order_data.export(session, person.order_ids), strict=True)
            data = {
                "account": None,
                **account,
                "orders": [order | {"payment": payments.get(order_id)} for order_id, order in orders],
                "mails": mail_data.export(session, email, person.traces.orders),
                **person.traces.export(session),
            }
        if not any(data.values()):
            raise _no_data(email)
        head = {"email": email, "exported_at": self._clock.now()}
        return head | data | {"carts": self._export_carts(person), "accounts_naming_the_address": person.others}

    def erase(self, email: str) -> ErasureResult:
        """Blank or delete all data that names the person with this email.

        Raises:
            InvalidFields: the email is not valid.
            NotFound: the store holds no data about the person.
            StateConflict: orders that are not delivered yet still need their address.
        """
        email = _checked_email(email)
        result, slugs = self._database.run_in_transaction(lambda session: _erase(session, email))
        self._on_reviews_changed(slugs)
        return result

    def _export_carts(self, person: DataSubject) -> list[dict[str, Any]]:
        owners = [CartOwner(guest_cart_id=guest_id) for guest_id in person.guest_ids]
        if person.user_id is not None:
            owners.insert(0, CartOwner(user_id=person.user_id))
        carts = (self._carts.view(owner) for owner in owners)
        return [
            {"items": [{"product": line.slug, "title": line.title, "quantity": line.quantity} for line in cart.lines]}
            for cart in carts
            if cart.lines
        ]


def _checked_email(email: str) -> str:
    if "@" not in email:
        raise InvalidFields(f"{email} is not an email address.")
    return canonical_email(email)


def _find(session: Session, email: str) -> DataSubject:
    user_id = account_data.lock(session, email)
    others = order_data.account_ids_with_email(session, email) - {user_id}
    blanked = account_data.blanked(session, others)
    orders = tuple(order_data.lock_orders_of_person(session, email, user_id, blanked))
    return DataSubject(email, user_id, orders, len(others - blanked))


def _erase(session: Session, email: str) -> tuple[ErasureResult, list[str]]:
    person = _find(session, email)
    still_open = [
        f"{order.number} ({order.status.value})" for order in person.orders if order.status in order_data.OPEN_STATUSES
    ]
    if still_open:
        raise StateConflict(
            f"Nothing was changed: {len(still_open)} of the orders of {email} still need their address:"
            f" {', '.join(still_open)}. Deliver or cancel them, then run this again."
        )
    slugs: list[str] = []
    messages, responses = person.traces.erase(session)
    mails = mail_data.erase(session, email, person.traces.orders)
    carts = cart_data.erase(session, person.user_id, person.guest_ids)
    order_data.anonymise(session, person.order_ids)
    if person.user_id is not None:
        slugs = review_data.anonymise(session, person.user_id)
        account_data.anonymise(session, person.user_id)
    has_account = person.user_id is not None
    if not (has_account or person.orders or mails or messages or responses):
        raise _no_data(email)
    result = ErasureResult(
        has_account, len(person.orders), len(slugs), carts, mails, messages, responses, person.others
    )
    return result, slugs


def _no_data(email: str) -> NotFound:
    return NotFound(f"The store holds no data about {email}.")
