"""A provider behind deadline, retries and breaker: the same calls, whoever answers them.

Every call carries a key of its own or changes nothing, so each may be made again. What must not get lost on the way is
what an earlier attempt may have done: "the last attempt never got there" is no proof that none did.
Switches: ``payments.timeout``, ``payments.retries``, ``payments.breaker``; see ``shop/patterns/resilience``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shop.clock import Clock
from shop.database.transactions import refuse_in_transaction
from shop.errors import ProviderUnavailable
from shop.money import Money
from shop.patterns.resilience import (
    BoundedRetry,
    BreakerConfig,
    CallTimeout,
    CircuitBreaker,
    CircuitOpen,
    DeadlineExceeded,
    DependencyBreaker,
    NoBreaker,
    NoRetry,
    NoTimeout,
    RetryBudget,
    RetryStrategy,
    TimeLimit,
    deadlines,
)
from shop.patterns.resilience.events import AttemptFinished, Emit, Outcome, ignore
from shop.payments.provider import (
    CallNotAttempted,
    ChargeDeclined,
    ChargeRequest,
    ChargeSucceeded,
    ListedCharge,
    PaymentProvider,
    ProviderNotReached,
    ProviderOutcomeUnknown,
    ProviderRefused,
    RequestInProgress,
)
from shop.settings import Settings

T = TypeVar("T")
DEPENDENCY = "payments"


class ProviderResilience:
    """What all calls of a process share, whatever its switches: the breaker's memory and the retry budget.

    Args:
        settings: limits and rates.
        clock: measures calls.
        emit: told of attempts, retries and changes of the breaker.
    """

    def __init__(self, settings: Settings, clock: Clock, emit: Emit = ignore) -> None:
        self._clock = clock
        self._emit = emit
        timeout_s, slow_s = settings.payments_timeout_ms / 1000, settings.payments_slow_ms / 1000
        self._limited = CallTimeout(timeout_s)
        self._fair_s = min(timeout_s, slow_s)
        budget = RetryBudget(share=settings.payments_retry_share)
        self._retry = BoundedRetry(DEPENDENCY, settings.payments_attempts, budget, emit=emit)
        rules = BreakerConfig(slow_s, settings.payments_breaker_calls, settings.payments_breaker_open_s)
        self._breaker = CircuitBreaker(DEPENDENCY, rules, clock, emit)

    def around(self, provider: PaymentProvider, *, timeout: bool, retries: bool, breaker: bool) -> "ResilientProvider":
        """Return the provider behind those of its guards that are switched on."""
        return ResilientProvider(
            provider,
            self._limited if timeout else NoTimeout(),
            self._retry if retries else NoRetry(),
            self._breaker if breaker else NoBreaker(),
            self._fair_s,
            self._clock,
            self._emit,
        )


class ResilientProvider:
    """The guarded provider.

    Args:
        provider: answers the calls.
        limit: bounds each attempt.
        retries: decides whether there is another.
        breaker: decides whether there is one at all.
        fair_s: seconds an attempt must have been given before its silence is held against the provider.
        clock: measures attempts.
        emit: told how each attempt ended.
    """

    def __init__(
        self,
        provider: PaymentProvider,
        limit: TimeLimit,
        retries: RetryStrategy,
        breaker: DependencyBreaker,
        fair_s: float,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self._provider = provider
        self._limit = limit
        self._retries = retries
        self._breaker = breaker
        self._fair_s = fair_s
        self._clock = clock
        self._emit = emit

    def charge(self, request: ChargeRequest) -> ChargeSucceeded | ChargeDeclined:
        """See :class:`~shop.payments.provider.Provider`."""
        return self._guard(lambda: self._provider.charge(request))

    def find_charge(self, key: str) -> ChargeSucceeded | ChargeDeclined | None:
        """See :class:`~shop.payments.provider.Provider`."""
        return self._guard(lambda: self._provider.find_charge(key))

    def refund(self, key: str, provider_id: str, amount: Money) -> None:
        """See :class:`~shop.payments.provider.Provider`."""
        self._guard(lambda: self._provider.refund(key, provider_id, amount))

    def list_charges(self, after: str = "") -> Sequence[ListedCharge]:
        """See :class:`~shop.payments.provider.Provider`."""
        return self._guard(lambda: self._provider.list_charges(after))

    def close(self) -> None:
        """Give the connections back."""
        self._provider.close()

    def _guard(self, work: Callable[[], T]) -> T:
        refuse_in_transaction("The payments provider")  # also where the breaker would have hidden it
        tries = _AttemptOutcomes()

        def attempt() -> T:
            try:
                return self._attempt(work)
            except ProviderUnavailable as error:
                tries.note(error)
                raise

        try:
            return self._retries.call(attempt, idempotent=True, is_retryable=_is_retryable)
        except ProviderUnavailable as error:
            if tries.may_have_arrived and not isinstance(error, ProviderOutcomeUnknown):
                raise ProviderOutcomeUnknown(error.detail) from error
            raise

    def _attempt(self, work: Callable[[], T]) -> T:
        started = self._clock.monotonic()
        outcome: Outcome = "failed"
        try:
            result = self._breaker.call(lambda: self._limited(work), _judge)
            outcome = "ok"
        except CircuitOpen as error:
            outcome = "refused"
            raise CallNotAttempted("The payments provider is being left alone for a moment.") from error
        except DeadlineExceeded as error:
            outcome = "dropped"
            raise CallNotAttempted("There was no time left to ask the payments provider.") from error
        except _CallerDeadlineExceeded as error:
            raise error.silence from error
        finally:
            self._emit(AttemptFinished(DEPENDENCY, outcome, self._clock.monotonic() - started))
        return result

    def _limited(self, work: Callable[[], T]) -> T:
        fair = deadlines.remaining() >= self._fair_s
        with self._limit.applied():
            try:
                return work()
            except ProviderOutcomeUnknown as error:
                if fair:
                    raise
                raise _CallerDeadlineExceeded(error) from error


@dataclass(slots=True)
class _AttemptOutcomes:
    """What the attempts of one call leave open."""

    may_have_arrived: bool = False

    def note(self, error: ProviderUnavailable) -> None:
        self.may_have_arrived |= isinstance(error, ProviderOutcomeUnknown)


class _CallerDeadlineExceeded(Exception):
    """No answer within less time than the provider may take.

    That is the caller's haste: a breaker that counted it could be opened for everybody by one client in a hurry.
    """

    def __init__(self, silence: ProviderOutcomeUnknown) -> None:
        super().__init__()
        self.silence = silence


def _is_retryable(error: Exception) -> bool:
    """Tell whether asking again could end otherwise: an error of the provider's own is remembered under its key."""
    return isinstance(error, (ProviderNotReached, ProviderOutcomeUnknown)) and not isinstance(error, CallNotAttempted)


def _judge(error: Exception) -> bool | None:
    """Tell whether an error is the provider's failure. A refusal and "still at work" are answers."""
    if isinstance(error, (DeadlineExceeded, _CallerDeadlineExceeded)):
        return None
    return isinstance(error, ProviderUnavailable) and not isinstance(error, (ProviderRefused, RequestInProgress))
