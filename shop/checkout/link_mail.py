"""The consumer that sends the mail with the link to a guest's order again."""

import hmac

from sqlalchemy.orm import Session

from shop.checkout.confirmation import OrderEmails
from shop.database.transactions import Database
from shop.errors import InvalidFields
from shop.mail.mailer import MailTransport
from shop.orders import queries
from shop.orders.link_requests import MIN_INTERVAL, LinkRequests
from shop.orders.queries import GuestContact
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.queue.inbox import ConsumerInbox

CONSUMER = "order-link"


class LinkMailConsumer:
    """Sends the link. The same message may be delivered twice, one after the other or at once.

    Args:
        database: the database of the orders.
        inbox: records handled messages.
        requests: makes the digest by which two addresses are compared.
        emails: builds the mail.
        mailer: sends the mail.
    """

    def __init__(
        self,
        database: Database,
        inbox: ConsumerInbox,
        requests: LinkRequests,
        emails: OrderEmails,
        mailer: MailTransport,
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._requests = requests
        self._emails = emails
        self._mailer = mailer

    def handle(self, message: QueueMessage) -> None:
        """Send the link of the requested order, if a guest placed it under the given address and no link is recent.

        Raises:
            MailFailed: a temporary failure; the queue delivers the message again.
        """
        if self._inbox.has_handled(message.message_id):
            return
        contact = self._find_contact(message)
        if contact is None:  # not recorded in the inbox: each request of a stranger would leave a row
            return
        email = self._emails.link_email(contact.public_id, message.message_id)
        self._mailer.send(email)

        def record(session: Session) -> None:
            self._mailer.record(session, email)
            queries.record_link_sent(session, contact.public_id)

        self._inbox.process_once(message, record)

    def _find_contact(self, message: QueueMessage) -> GuestContact | None:
        """Return the order and its address; ``None`` if no mail is to be sent."""
        with self._database.reading() as session:
            contact = queries.find_guest_contact(session, message.payload["number"], MIN_INTERVAL)
        if contact is None:
            return None
        try:
            digest = self._requests.digest(contact.email)
        except InvalidFields:  # an older build accepted this order with an invalid address
            return None
        return contact if hmac.compare_digest(digest, message.payload["email_sha256"]) else None
