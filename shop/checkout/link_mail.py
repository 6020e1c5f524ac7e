"""The mail with the link to a guest's order, sent again: what the worker does about a request for it."""

import hmac

from sqlalchemy.orm import Session

from shop.checkout.confirmation import OrderEmails
from shop.database.transactions import Database
from shop.errors import InvalidFields
from shop.mail.mailer import MailTransport
from shop.orders import queries
from shop.orders.link_requests import PAUSE, LinkRequests
from shop.orders.queries import GuestContact
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.queue.inbox import ConsumerInbox

CONSUMER = "order-link"


class LinkMailConsumer:
    """Sends the link; safe to be given the same message twice, one after the other or at once.

    Args:
        database: where orders are.
        inbox: what was handled.
        requests: knows how addresses are compared.
        letters: writes them.
        post: takes them.
    """

    def __init__(
        self,
        database: Database,
        inbox: ConsumerInbox,
        requests: LinkRequests,
        letters: OrderEmails,
        post: MailTransport,
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._requests = requests
        self._letters = letters
        self._post = post

    def handle(self, message: QueueMessage) -> None:
        """Send the link of the order that was named, if it is a guest's, its address was given and it is time.

        Raises:
            MailFailed: not now; the queue tries again.
        """
        if self._inbox.has_handled(message.message_id):
            return
        contact = self._contact(message)
        if contact is None:  # nor is that noted: strangers' requests would leave a row each
            return
        letter = self._letters.link(contact.public_id, message.message_id)
        self._post.send(letter)

        def note(session: Session) -> None:
            self._post.record(session, letter)
            queries.note_link_sent(session, contact.public_id)

        self._inbox.process_once(message, note)

    def _contact(self, message: QueueMessage) -> GuestContact | None:
        """Return the order to write about; ``None`` where there is nothing to send."""
        with self._database.reading() as session:
            contact = queries.guest_contact(session, message.payload["number"], PAUSE)
        if contact is None:
            return None
        try:
            digest = self._requests.digest(contact.email)
        except InvalidFields:  # an order of a build that took what is no address
            return None
        return contact if hmac.compare_digest(digest, message.payload["email_sha256"]) else None
