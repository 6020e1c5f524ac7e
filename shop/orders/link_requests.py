"""Requests for the link to an order: the response reveals nothing, and the mails are limited.

Problem: a form that sends mail reveals to strangers, by its text or its time, which orders exist. A stranger could also
send mail without a limit.
Method: the request only enqueues a message for the worker, and does not look whether the order exists. The worker
looks, and sends the link of an order at most once in 15 minutes.
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
MIN_INTERVAL = timedelta(minutes=15)
"""The shortest time between two mails about one order; the first mail arrives within it."""
NUMBER = re.compile(r"S-?([2-9A-HJ-NP-Z]{4})-?([2-9A-HJ-NP-Z]{4})")
"""The numbers of :mod:`shop.orders.ids`; hyphens are optional."""


class LinkRequests:
    """The use case.

    Args:
        database: stores the messages.
        clean_email: normalizes an address, or raises ``InvalidFields`` with an error for ``email``.
    """

    def __init__(self, database: Database, clean_email: Callable[[str], str]) -> None:
        self._database = database
        self._clean_email = clean_email

    def request(self, number: str, email: str) -> None:
        """Request a mail with the link of an order. The work is the same whether or not the order exists.

        Raises:
            InvalidFields: the number or the e-mail address has a wrong format.
        """
        errors: dict[str, str] = {}
        match = NUMBER.fullmatch(number.strip().upper())
        if match is None:
            errors["number"] = "Enter the number of the order, such as S-7K3M-92QX."
        try:
            digest = self.digest(email)
        except InvalidFields as refusal:
            errors |= refusal.errors
        if errors or match is None:
            raise InvalidFields("Some fields are not right.", errors=errors)
        payload = {"number": f"S-{match[1]}-{match[2]}", "email_sha256": digest}
        aggregate_id = hashlib.sha256(repr(payload).encode()).hexdigest()[:32]
        with self._database.transaction() as session:
            # a repeated request adds no message while the first one is waiting
            if not messages.is_waiting(session, AGGREGATE, aggregate_id, TOPIC):
                messages.enqueue(session, AGGREGATE, aggregate_id, TOPIC, payload)

    def digest(self, email: str) -> str:
        """Return the hash of an address, for comparison: a queued message must not have the address itself.

        Raises:
            InvalidFields: the address is invalid.
        """
        return email_digest(self._clean_email(email))


def email_digest(email: str) -> str:
    """Return the hash of a normalized address."""
    return hashlib.sha256(email.encode()).hexdigest()
