"""Asking for the link to an order again: an answer that tells nothing, and mail that nobody can be flooded with.

Problem: a form that sends mail tells strangers, by its words or its time, which orders there are; and it sends as often
as they like.
Method: the request only writes down what was asked, for the worker, and never looks whether there is such an order. The
worker looks, and sends the link of an order at most once in a quarter of an hour.
Source: OWASP, "Forgot Password Cheat Sheet" (the same rules for another link).
"""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

from shop.database.transactions import Database
from shop.errors import InvalidFields
from shop.patterns.outbox import messages

TOPIC = "order.link"
AGGREGATE = "order-link"
PAUSE = timedelta(minutes=15)
"""Between two mails about one order; long enough for the first to arrive."""
NUMBER = re.compile(r"S-?([2-9A-HJ-NP-Z]{4})-?([2-9A-HJ-NP-Z]{4})")
"""As :mod:`shop.orders.ids` makes them; people leave hyphens out."""


class LinkRequests:
    """The use case.

    Args:
        database: where messages are written.
        clean_email: returns the one spelling of an address, or raises ``InvalidFields`` with an error for ``email``.
    """

    def __init__(self, database: Database, clean_email: Callable[[str], str]) -> None:
        self._database = database
        self._clean_email = clean_email

    def request(self, number: str, email: str) -> None:
        """Ask for the link of an order to be sent to its address; the same work whether or not there is one.

        Raises:
            InvalidFields: this can be no number, or no e-mail address.
        """
        errors: dict[str, str] = {}
        shape = NUMBER.fullmatch(number.strip().upper())
        if shape is None:
            errors["number"] = "Enter the number of the order, such as S-7K3M-92QX."
        try:
            digest = self.digest(email)
        except InvalidFields as refusal:
            errors |= refusal.errors
        if errors or shape is None:
            raise InvalidFields("Some fields are not right.", errors=errors)
        wanted = {"number": f"S-{shape[1]}-{shape[2]}", "email_sha256": digest}
        same = hashlib.sha256(repr(wanted).encode()).hexdigest()[:32]
        with self._database.transaction() as session:
            # While the mail is late, asking for the same again adds nothing.
            if not messages.is_waiting(session, AGGREGATE, same, TOPIC):
                messages.enqueue(session, AGGREGATE, same, TOPIC, wanted)

    def digest(self, email: str) -> str:
        """Return by what an address is compared: its hash, so that no address waits in a queue.

        Raises:
            InvalidFields: this is no e-mail address.
        """
        return email_digest(self._clean_email(email))


def email_digest(email: str) -> str:
    """Return the hash of an address that is in its one spelling already."""
    return hashlib.sha256(email.encode()).hexdigest()
