"""The interface of a payments provider, with every outcome of its calls.

A second provider is one more class with these methods: see ``docs/how-to/add-a-payments-provider.md``.
:mod:`shop.payments.resilient_provider` adds deadline, retries and breaker around it.
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
        key: the idempotency key of the charge: the provider charges once per key, however often the call is sent.
        amount: the amount to charge.
        token: identifies the card; the store never gets the card's number, and does not store the token.
        metadata: stored with the charge in the provider's ledger.
    """

    key: str
    amount: Money
    token: str
    metadata: Mapping[str, str] = field(default_factory=dict)


NOTHING_REFUNDED = Money(0)


@dataclass(frozen=True, slots=True)
class ChargeSucceeded:
    """The card was charged.

    Args:
        provider_id: the charge's id at the provider.
        refunded: the amount that is refunded already, by the store or by staff at the provider.
    """

    provider_id: str
    refunded: Money = NOTHING_REFUNDED


@dataclass(frozen=True, slots=True)
class ChargeDeclined:
    """A definite refusal: nothing was charged, and nothing will ever be charged under this key."""

    reason: str


@dataclass(frozen=True, slots=True)
class ListedCharge:
    """A charge in the provider's ledger."""

    id: str
    key: str
    amount: Money
    refunded: Money
    succeeded: bool


class ProviderNotReached(ProviderUnavailable):
    """This call did not reach the provider, so it changed nothing. An earlier call may have."""


class CallNotAttempted(ProviderNotReached):
    """The call was not attempted: the deadline has passed, or the circuit breaker is open."""


class ProviderFailed(ProviderUnavailable):
    """The provider answered with an internal error. Its ledger tells whether the work was done before the error."""


class ProviderRefused(ProviderFailed):
    """The provider refused the call as invalid: a mistake of the store or of a gateway. No card was charged."""


class ProviderOutcomeUnknown(ProviderUnavailable):
    """No answer: the call may be done, may still be in progress, or may never have arrived."""


class ProviderThrottled(ProviderOutcomeUnknown):
    """The provider, or a gateway in front of it, asks for fewer calls."""


class RequestInProgress(ProviderOutcomeUnknown):
    """The provider answered that an earlier call with this key is still in progress."""


class PaymentProvider(Protocol):
    """Charges cards and makes refunds.

    Every call refuses to run inside a transaction, tries once, and ends within the time that
    :func:`shop.patterns.resilience.deadlines.remaining` returns.
    """

    def charge(self, request: ChargeRequest) -> ChargeSucceeded | ChargeDeclined:
        """Charge a card, once per key.

        Raises:
            ProviderNotReached: nothing was sent.
            ProviderFailed: the provider answered with an internal error.
            ProviderOutcomeUnknown: no answer in time, or an unreadable one.
        """

    def find_charge(self, key: str) -> ChargeSucceeded | ChargeDeclined | None:
        """Return the outcome of the charge with this key; ``None`` if the ledger has none.

        Raises:
            ProviderUnavailable: the ledger could not be read.
        """

    def refund(self, key: str, provider_id: str, amount: Money) -> None:
        """Refund a charge, once per key.

        Raises:
            ProviderRefused: a definite refusal: no such charge, or the remainder of the charge is smaller.
            ProviderUnavailable: the refund may or may not be done; call again with the same key.
        """

    def list_charges(self, after: str = "") -> Sequence[ListedCharge]:
        """Return the next page of all charges in the ledger, oldest first; empty after the last one.

        Args:
            after: the id of the last charge of the previous page.

        Raises:
            ProviderUnavailable: the ledger could not be read.
        """

    def close(self) -> None:
        """Close every connection."""


class NullProvider:
    """Null object for a store without a configured provider: it refuses every call."""

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
