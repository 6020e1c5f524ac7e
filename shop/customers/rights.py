"""A person's rights to what the store holds about her: to be told all of it, and to have it forgotten.

Problem: a person is spread over every table, and what is deleted by hand breaks what is rebuilt from events and what
the books are balanced by.
Method: each feature tells and blanks its own rows (``personal_data`` in its folder); here they are called one after the
other in one transaction. Rows that others refer to stay and lose what names her; what stands for itself is deleted.
Events hold no name and no address, so nothing that is rebuilt from them changes.
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
from shop.payments import personal_data as payment_data


@dataclass(frozen=True, slots=True)
class DataSubject:
    """What leads to all that is held about a person."""

    email: str
    user_id: int | None
    orders: tuple[PersonsOrder, ...]
    others: int
    """How many accounts of other people have orders that name her address; those orders are theirs."""

    @property
    def order_ids(self) -> list[int]:
        """Return the keys of her orders."""
        return [order.id for order in self.orders]

    @property
    def guests(self) -> list[uuid.UUID]:
        """Return the ids under which she shopped as a guest."""
        names = {name for order in self.orders for name in order.guests}
        return [uuid.UUID(name.removeprefix("guest:")) for name in sorted(names)]

    @property
    def traces(self) -> PersonalTraces:
        """Return how she is found in messages and kept answers."""
        owners = {name for order in self.orders for name in order.guests}
        if self.user_id is not None:
            owners.add(f"user:{self.user_id}")
        return PersonalTraces(self.email, [order.public_id for order in self.orders], owners)


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """How much was blanked or deleted; ``others`` as in :class:`DataSubject`."""

    account: bool
    orders: int
    reviews: int
    carts: int
    mails: int
    messages: int
    answers: int
    others: int

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return asdict(self)


class PersonalData:
    """The two use cases.

    Args:
        database: where everything is.
        clock: says when a person was told.
        carts: show what lies in them.
        changed: told the slugs of products whose pages showed her name.
    """

    def __init__(
        self, database: Database, clock: Clock, carts: CartService, changed: Callable[[Iterable[str]], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._carts = carts
        self._changed = changed

    def export(self, email: str) -> dict[str, Any]:
        """Return all that is held about the person of an address, as one document of plain values.

        Passwords, and the tokens of sessions, programs and links, are left out: they are kept as hashes, or open doors.

        Raises:
            InvalidFields: this is no email address.
            NotFound: nothing is held under it.
        """
        email = _normalised(email)
        with self._database.transaction() as session:
            person = _find(session, email)
            orders, payments = person.order_ids, payment_data.export(session, person.order_ids)
            told = order_data.export(session, orders)
            held = {
                **_account(session, person),
                "orders": [order | {"payment": payments.get(key)} for key, order in zip(orders, told, strict=True)],
                "mails": mail_data.export(session, email, person.traces.orders),
                **person.traces.export(session),
            }
        if not any(held.values()):
            raise _nothing(email)
        told_at = {"email": email, "exported_at": self._clock.now()}
        return told_at | held | {"carts": self._carts_of(person), "accounts_naming_the_address": person.others}

    def erase(self, email: str) -> ErasureResult:
        """Blank or delete all that names the person of an address.

        Raises:
            InvalidFields: this is no email address.
            NotFound: nothing is held under it.
            StateConflict: orders are not delivered yet, and need their address.
        """
        normalised = _normalised(email)
        forgotten, slugs = self._database.run_in_transaction(lambda session: _forget(session, normalised))
        self._changed(slugs)
        return forgotten

    def _carts_of(self, person: DataSubject) -> list[dict[str, Any]]:
        owners = [CartOwner(guest_cart_id=guest) for guest in person.guests]
        if person.user_id is not None:
            owners.insert(0, CartOwner(user_id=person.user_id))
        found = (self._carts.view(owner) for owner in owners)
        return [
            {"items": [{"product": line.slug, "title": line.title, "quantity": line.quantity} for line in cart.lines]}
            for cart in found
            if cart.lines
        ]


def _normalised(email: str) -> str:
    if "@" not in email:
        raise InvalidFields(f"{email} is no email address.")
    return canonical_email(email)


def _find(session: Session, email: str) -> DataSubject:
    user_id = account_data.lock(session, email)
    others = order_data.under_address(session, email) - {user_id}
    blanked = account_data.blanked(session, others)
    orders = tuple(order_data.find(session, email, user_id, blanked))
    return DataSubject(email, user_id, orders, len(others - blanked))


def _account(session: Session, person: DataSubject) -> dict[str, Any]:
    if person.user_id is None:
        return {"account": None, "sessions": [], "tokens": [], "password_resets": [], "reviews": []}
    reviews = review_data.export(session, person.user_id)
    return {**account_data.export(session, person.user_id), "reviews": reviews}


def _forget(session: Session, email: str) -> tuple[ErasureResult, list[str]]:
    person = _find(session, email)
    waiting = [order for order in person.orders if order.status in order_data.OPEN]
    still_open = [f"{order.number} ({order.status.value})" for order in waiting]
    if still_open:
        raise StateConflict(
            f"Nothing was changed: {len(still_open)} of the orders of {email} still need their address:"
            f" {', '.join(still_open)}. Deliver or cancel them, then run this again."
        )
    slugs: list[str] = []
    messages, answers = person.traces.erase(session)
    mails = mail_data.erase(session, email, person.traces.orders)
    carts = cart_data.erase(session, person.user_id, person.guests)
    order_data.blank(session, person.order_ids)
    if person.user_id is not None:
        slugs = review_data.blank(session, person.user_id)
        account_data.blank(session, person.user_id)
    has_account = person.user_id is not None
    done = ErasureResult(has_account, len(person.orders), len(slugs), carts, mails, messages, answers, person.others)
    if not (has_account or person.orders or mails or messages or answers):
        raise _nothing(email)
    return done, slugs


def _nothing(email: str) -> NotFound:
    return NotFound(f"Nothing is held about {email}.")
