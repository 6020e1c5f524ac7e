"""The mail that confirms an order: sent by the worker, or, the naive way, by the request that was paid.

Problem: a request that sends mail is as slow as the mail server, and has nobody to try again when that is down.
Method: a message is written in the transaction that makes the order paid; a consumer writes the letter from the order
and sends it, and tries again until it has. Inline, the request sends it after its commit: a slow mail server makes the
checkout slow, a dead one loses the mail, and so does a crash between commit and mail.
Switch: ``orders.confirmation``. Experiment: ``order-confirmation``.
"""

import logging
import uuid
from typing import Protocol

from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.errors import NotFound
from shop.mail.email_templates import EmailTemplates, OutgoingEmail
from shop.mail.mailer import MailFailed, MailTransport
from shop.orders import queries
from shop.orders.countries import country_name
from shop.orders.links import GOOD_FOR, OrderLinks
from shop.orders.order_stream import LockedOrder
from shop.orders.queries import OrderHolder, OrderView
from shop.patterns.outbox.messages import QueueMessage, enqueue
from shop.patterns.queue.inbox import ConsumerInbox

CONSUMER = "confirmation"
TOPIC = "order.confirmation"

_log = logging.getLogger(__name__)


class OrderConfirmation(Protocol):
    """Sees to it that whoever paid is told."""

    def paid(self, session: Session, order: LockedOrder) -> None:
        """Take note, in the transaction that makes a locked order paid."""


class OrderEmails:
    """Writes the letter about an order.

    Args:
        database: where orders are.
        links: makes the link by which a guest opens her order.
        stationery: holds the templates.
    """

    def __init__(self, database: Database, links: OrderLinks, stationery: EmailTemplates) -> None:
        self._database = database
        self._links = links
        self._stationery = stationery

    def confirmation(self, public_id: str) -> OutgoingEmail:
        """Return the letter that confirms an order.

        Raises:
            NotFound: there is no such order.
        """
        order, holder = self._order(public_id)
        return self._stationery.render(
            "confirmation",
            message_id=f"<confirmation.{public_id}@shop>",
            recipient=order.email,
            subject=f"Your order {order.number}",
            order=order,
            country=country_name(order.address["country"]),
            url=self._links.url(public_id) if holder.is_guest else self._links.page(public_id),
            days=GOOD_FOR.days if holder.is_guest else 0,
        )

    def link(self, public_id: str, request_id: uuid.UUID) -> OutgoingEmail:
        """Return the letter with the link to a guest's order.

        Args:
            public_id: the order.
            request_id: of the request for it; a second try of the same request is the same letter.

        Raises:
            NotFound: there is no such order.
        """
        order, _ = self._order(public_id)
        return self._stationery.render(
            "order_link",
            message_id=f"<order-link.{request_id}@shop>",
            recipient=order.email,
            subject=f"The link to your order {order.number}",
            number=order.number,
            url=self._links.url(public_id),
            days=GOOD_FOR.days,
        )

    def _order(self, public_id: str) -> tuple[OrderView, OrderHolder]:
        with self._database.reading() as session:
            found = queries.one(session, public_id)
        if found is None:
            raise NotFound("There is no such order.")
        return found


class QueuedConfirmation:
    """Leaves it to the worker."""

    def paid(self, session: Session, order: LockedOrder) -> None:
        """Write the message with the change."""
        enqueue(session, "order", order.public_id, TOPIC)


class InlineConfirmation:
    """Sends it in the request, after the commit: what goes wrong then is lost, and what is slow is waited for.

    Args:
        database: where the mailbox is.
        letters: writes them.
        post: takes them.
    """

    def __init__(self, database: Database, letters: OrderEmails, post: MailTransport) -> None:
        self._database = database
        self._letters = letters
        self._post = post

    def paid(self, session: Session, order: LockedOrder) -> None:
        """Send it once the order is paid for good."""
        public_id = order.public_id
        Database.after_commit(session, lambda: self._send(public_id))

    def _send(self, public_id: str) -> None:
        letter = self._letters.confirmation(public_id)
        try:
            self._post.send(letter)
        except MailFailed as error:
            _log.warning("mail_lost", extra={"order": public_id, "reason": str(error)})
            return
        with self._database.transaction() as session:
            self._post.record(session, letter)


class ConfirmationConsumer:
    """What the worker does about it; safe to be given the same message twice, one after the other or at once.

    Args:
        inbox: what was handled.
        letters: writes them.
        post: takes them.
    """

    def __init__(self, inbox: ConsumerInbox, letters: OrderEmails, post: MailTransport) -> None:
        self._inbox = inbox
        self._letters = letters
        self._post = post

    def handle(self, message: QueueMessage) -> None:
        """Send the letter about an order.

        Raises:
            MailFailed: not now; the queue tries again.
            MailRefused: never; the message is a dead letter.
        """
        if self._inbox.has_handled(message.message_id):
            return
        try:
            letter = self._letters.confirmation(message.aggregate_id)
        except NotFound:  # an order and its message are one transaction: only a restored backup can have lost it
            _log.warning("message_of_no_order", extra={"order": message.aggregate_id})
            return
        if not letter.recipient:  # forgotten meanwhile
            return
        self._post.send(letter)
        self._inbox.process_once(message, lambda session: self._post.record(session, letter))
