"""What the store asks of a payments provider, and every way that can end.

A second provider is one more class with these methods: see ``docs/how-to/add-a-payments-provider.md``. Deadline,
retries and breaker are put around it from outside: see ``guarded``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shop.errors import ProviderUnavailable
from shop.money import Money


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """A charge to make.

    Args:
        key: the charge's own idempotency key: the same key can move money once, however often it is sent.
        amount: what to take.
        token: stands for the card; we never see the card itself, and keep the token nowhere.
        metadata: what the provider should write beside it in its books.
    """

    key: str
    amount: Money
    token: str
    metadata: Mapping[str, str] = field(default_factory=dict)


NOTHING = Money(0)


@dataclass(frozen=True, slots=True)
class ChargeSucceeded:
    """The money has moved.

    Args:
        provider_id: the charge's id at the provider.
        refunded: how much of it the provider has given back already, whoever asked for that.
    """

    provider_id: str
    refunded: Money = NOTHING


@dataclass(frozen=True, slots=True)
class ChargeDeclined:
    """A definite no: nothing has moved, and under this key nothing ever will."""

    reason: str


@dataclass(frozen=True, slots=True)
class ListedCharge:
    """A charge as the provider's books list it."""

    id: str
    key: str
    amount: Money
    refunded: Money
    succeeded: bool


class ProviderNotReached(ProviderUnavailable):
    """This call never got there, so it has changed nothing. An earlier one may have."""


class CallNotAttempted(ProviderNotReached):
    """The call was not even begun: there was no time left, or the provider is being left alone."""


class ProviderFailed(ProviderUnavailable):
    """The provider answered that it broke. Whether it did so before or after the work is in its books."""


class ProviderRefused(ProviderFailed):
    """The provider answered that the call itself is wrong: our mistake, or a gateway's. No card was looked at."""


class ProviderOutcomeUnknown(ProviderUnavailable):
    """No answer: the call may have been carried out, may be under way still, or may never have arrived."""


class RequestInProgress(ProviderOutcomeUnknown):
    """The provider answered that it is still at work on an earlier call with this key."""


class PaymentProvider(Protocol):
    """Someone who moves money for us.

    Every call refuses to be made inside a transaction, tries once, and ends within what
    :func:`shop.patterns.resilience.deadlines.remaining` says is left.
    """

    def charge(self, request: ChargeRequest) -> ChargeSucceeded | ChargeDeclined:
        """Take money, once a key.

        Raises:
            ProviderNotReached: nothing was sent.
            ProviderFailed: the provider answered with an error of its own.
            ProviderOutcomeUnknown: no answer in time, or none that could be read.
        """

    def find_charge(self, key: str) -> ChargeSucceeded | ChargeDeclined | None:
        """Return what became of the charge with this key, or ``None`` if the books hold none.

        Raises:
            ProviderUnavailable: the books could not be read.
        """

    def refund(self, key: str, provider_id: str, amount: Money) -> None:
        """Give a charge's money back, once a key.

        Raises:
            ProviderRefused: a definite no: there is no such charge, or not so much of it is left.
            ProviderUnavailable: it may or may not have been done; ask again with the same key.
        """

    def list_charges(self, after: str = "") -> Sequence[ListedCharge]:
        """Return the next page of all charges in the books, in the order they were made; empty behind the last.

        Args:
            after: the id of the last charge seen.

        Raises:
            ProviderUnavailable: the books could not be read.
        """

    def close(self) -> None:
        """Give back every connection."""


class NullProvider:
    """Stands in where no provider is configured: every call ends before it is made."""

    def charge(self, request: ChargeRequest) -> ChargeSucceeded | ChargeDeclined:
        """Refuse."""
        raise ProviderNotReached("No payments provider is configured.")

    def find_charge(self, key: str) -> ChargeSucceeded | ChargeDeclined | None:
        """Refuse."""
        raise ProviderNotReached("No payments provider is configured.")

    def refund(self, key: str, provider_id: str, amount: Money) -> None:
        """Refuse."""
        raise ProviderNotReached("No payments provider is configured.")

    def list_charges(self, after: str = "") -> Sequence[ListedCharge]:
        """Refuse."""
        raise ProviderNotReached("No payments provider is configured.")

    def close(self) -> None:
        """Do nothing."""
