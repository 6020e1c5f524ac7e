"""The confirmation mail of an order: sent by the worker, or, the naive way, by the request that pays the order.

Problem: a request that sends mail is as slow as the mail server, and a failed mail is not sent again.
Method: the transaction that makes the order paid also writes a message to the outbox. A consumer in the worker builds
the mail from the order and sends it, and the queue repeats a failed delivery. Inline, the request sends the mail after
its commit: a slow mail server makes the checkout slow; the mail is lost if the mail server fails, or if the process
crashes between commit and mail.
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
from shop.orders.links import LINK_LIFETIME, OrderLinks
from shop.orders.order_stream import LockedOrder
from shop.orders.queries import OrderHolder, OrderView
from shop.patterns.outbox.messages import QueueMessage, enqueue
from shop.patterns.queue.inbox import ConsumerInbox

CONSUMER = "confirmation"
TOPIC = "order.confirmation"

_log = logging.getLogger(__name__)


class OrderConfirmation(Protocol):
    """Has the confirmation mail sent."""

    def order_paid(self, session: Session, order: LockedOrder) -> None:
        """Handle the payment of a locked order, in the transaction that makes the order paid."""


class OrderEmails:
    """Builds the mails about an order.

    Args:
        database: the database of the orders.
        links: makes the link that opens a guest's order.
        templates: the mail templates.
    """

    def __init__(self, database: Database, links: OrderLinks, templates: EmailTemplates) -> None:
        self._database = database
        self._links = links
        self._templates = templates

    def confirmation_email(self, public_id: str) -> OutgoingEmail:
        """Return the mail that confirms an order.

        Raises:
            NotFound: the order does not exist.
        """
        order, holder = self._order(public_id)
        return self._templates.render(
            "confirmation",
            message_id=f"<confirmation.{public_id}@shop>",
            recipient=order.email,
            subject=f"Your order {order.number}",
            order=order,
            country=country_name(order.address["country"]),
            url=self._links.guest_url(public_id) if holder.is_guest else self._links.page_url(public_id),
            days=LINK_LIFETIME.days if holder.is_guest else 0,
        )

    def link_email(self, public_id: str, request_id: uuid.UUID) -> OutgoingEmail:
        """Return the mail with the link to a guest's order.

        Args:
            public_id: the order.
            request_id: id of the request for the link; a second attempt of the same request gives the same mail.

        Raises:
            NotFound: the order does not exist.
        """
        order, _ = self._order(public_id)
        return self._templates.render(
            "order_link",
            message_id=f"<order-link.{request_id}@shop>",
            recipient=order.email,
            subject=f"The link to your order {order.number}",
            number=order.number,
            url=self._links.guest_url(public_id),
            days=LINK_LIFETIME.days,
        )

    def _order(self, public_id: str) -> tuple[OrderView, OrderHolder]:
        with self._database.reading() as session:
            order_and_holder = queries.find_order(session, public_id)
        if order_and_holder is None:
            raise NotFound("There is no such order.")
        return order_and_holder


class QueuedConfirmation:
    """Lets the worker send the mail."""

    def order_paid(self, session: Session, order: LockedOrder) -> None:
        """Enqueue the message together with the change."""
        enqueue(session, "order", order.public_id, TOPIC)


class InlineConfirmation:
    """Sends the mail in the request, after the commit. The request waits for the mail server; a failed mail is lost.

    Args:
        database: the database that records sent mails.
        emails: builds the mail.
        mailer: sends the mail.
    """

    def __init__(self, database: Database, emails: OrderEmails, mailer: MailTransport) -> None:
        self._database = database
        self._emails = emails
        self._mailer = mailer

    def order_paid(self, session: Session, order: LockedOrder) -> None:
        """Send the mail after the commit."""
        public_id = order.public_id

        def send() -> None:
            email = self._emails.confirmation_email(public_id)
            try:
                self._mailer.send(email)
            except MailFailed as error:
                _log.warning("mail_lost", extra={"order": public_id, "reason": str(error)})
                return
            with self._database.transaction() as session:
                self._mailer.record(session, email)
            _log_sent(public_id, email)

        Database.after_commit(session, send)


class ConfirmationConsumer:
    """Sends the mail in the worker. The same message may be delivered twice, one after the other or at once.

    Args:
        inbox: records handled messages.
        emails: builds the mail.
        mailer: sends the mail.
    """

    def __init__(self, inbox: ConsumerInbox, emails: OrderEmails, mailer: MailTransport) -> None:
        self._inbox = inbox
        self._emails = emails
        self._mailer = mailer

    def handle(self, message: QueueMessage) -> None:
        """Send the confirmation of an order.

        Raises:
            MailFailed: a temporary failure; the queue delivers the message again.
            MailRefused: a permanent failure; the message becomes a dead letter.
        """
        if self._inbox.has_handled(message.message_id):
            return
        try:
            email = self._emails.confirmation_email(message.aggregate_id)
        except NotFound:  # order and message are one transaction: only a restored backup can lack the order
            _log.warning("message_without_order", extra={"order": message.aggregate_id})
            return
        if not email.recipient:  # the customer's personal data was deleted in the meantime
            return
        self._mailer.send(email)
        self._inbox.process_once(message, lambda session: self._mailer.record(session, email))
        _log_sent(message.aggregate_id, email)


def _log_sent(public_id: str, email: OutgoingEmail) -> None:
    """Log which mail the order has got; its ``Message-ID`` has no address."""
    _log.info("mail_sent", extra={"order": public_id, "mail": email.message_id})
