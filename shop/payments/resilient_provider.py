"""Adds time limit, retries and circuit breaker to the calls of a payments provider.

Every call has an idempotency key or changes nothing, so every call may be repeated. A call may make several attempts.
If the last attempt did not reach the provider, an earlier attempt may have. Then the call raises
:class:`ProviderOutcomeUnknown`, and not the error of its last attempt.
Switches: ``payments.timeout``, ``payments.retries``, ``retry.budget``, ``payments.breaker``; see
``shop/patterns/resilience``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shop.clock import Clock
from shop.database.transactions import refuse_in_transaction
from shop.errors import ProviderUnavailable
from shop.money import Money
from shop.patterns.resilience import (
    AdaptiveThrottle,
    AttemptBudget,
    BoundedRetry,
    BreakerConfig,
    CallRefused,
    CallTimeout,
    CircuitBreaker,
    CircuitOpen,
    DeadlineExceeded,
    DependencyBreaker,
    NoBreaker,
    NoBudget,
    NoRetry,
    NoTimeout,
    RetryBudget,
    RetryQuota,
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
    ProviderThrottled,
    RequestInProgress,
)
from shop.settings import Settings

T = TypeVar("T")
DEPENDENCY = "payments"
MechanismChoice = Callable[[str, Any], Any]
"""Returns what stands in the place of a mechanism, by the name of its switch."""


def keep_own(name: str, own: Any) -> Any:
    """Return the mechanism itself."""
    return own


class ProviderResilience:
    """The state that all calls of a process share for all values of the switches: circuit breaker and retry budgets.

    Args:
        settings: limits and rates.
        clock: measures calls.
        emit: called with each attempt, each retry and each change of the breaker.
    """

    def __init__(self, settings: Settings, clock: Clock, emit: Emit = ignore) -> None:
        self._clock = clock
        self._emit = emit
        timeout_s, slow_s = settings.payments_timeout_ms / 1000, settings.payments_slow_ms / 1000
        self._timeout = CallTimeout(timeout_s)
        self._min_wait_s = min(timeout_s, slow_s)
        budgets: Mapping[str, AttemptBudget] = {
            "share": RetryBudget(share=settings.payments_retry_share),
            "quota": RetryQuota(),
            "throttle": AdaptiveThrottle(clock),
            "off": NoBudget(),
        }
        self._retries = {
            name: BoundedRetry(DEPENDENCY, settings.payments_attempts, budget, emit, is_throttled=_is_throttled)
            for name, budget in budgets.items()
        }
        config = BreakerConfig(slow_s, settings.payments_breaker_calls, settings.payments_breaker_open_s)
        self._breaker = CircuitBreaker(DEPENDENCY, config, clock, emit)

    def wrap(
        self,
        provider: PaymentProvider,
        *,
        timeout: bool,
        retries: bool,
        breaker: bool,
        budget: str = "share",
        choose: MechanismChoice = keep_own,
    ) -> "ResilientProvider":
        """Return the provider with those mechanisms that are switched on.

        Args:
            provider: the provider.
            timeout: whether each attempt has a time limit.
            retries: whether failed attempts are repeated.
            breaker: whether there is a circuit breaker.
            budget: the budget of the retries, a value of ``retry.budget``.
            choose: chooses what stands in the place of retries and breaker.
        """
        return ResilientProvider(
            provider,
            self._timeout if timeout else NoTimeout(),
            choose("payments.retries", self._retries[budget]) if retries else NoRetry(),
            choose("payments.breaker", self._breaker) if breaker else NoBreaker(),
            self._min_wait_s,
            self._clock,
            self._emit,
        )


class ResilientProvider:
    """A provider with time limit, retries and circuit breaker.

    Args:
        provider: the provider.
        limit: the time limit of each attempt.
        retries: decides whether a failed attempt is repeated.
        breaker: decides whether an attempt is made at all.
        min_wait_s: a missing answer counts as a failure of the provider only if the attempt had so many seconds.
        clock: measures attempts.
        emit: called with the outcome of each attempt.
    """

    def __init__(
        self,
        provider: PaymentProvider,
        limit: TimeLimit,
        retries: RetryStrategy,
        breaker: DependencyBreaker,
        min_wait_s: float,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self._provider = provider
        self._limit = limit
        self._retries = retries
        self._breaker = breaker
        self._min_wait_s = min_wait_s
        self._clock = clock
        self._emit = emit

    def charge(self, request: ChargeRequest) -> ChargeSucceeded | ChargeDeclined:
        """See :class:`~shop.payments.provider.PaymentProvider`."""
        return self._call(lambda: self._provider.charge(request))

    def find_charge(self, key: str) -> ChargeSucceeded | ChargeDeclined | None:
        """See :class:`~shop.payments.provider.PaymentProvider`."""
        return self._call(lambda: self._provider.find_charge(key))

    def refund(self, key: str, provider_id: str, amount: Money) -> None:
        """See :class:`~shop.payments.provider.PaymentProvider`."""
        self._call(lambda: self._provider.refund(key, provider_id, amount))

    def list_charges(self, after: str = "") -> Sequence[ListedCharge]:
        """See :class:`~shop.payments.provider.PaymentProvider`."""
        return self._call(lambda: self._provider.list_charges(after))

    def close(self) -> None:
        """Close the connections."""
        self._provider.close()

    def _call(self, work: Callable[[], T]) -> T:
        refuse_in_transaction("The payments provider")  # here too, because an open breaker would hide the mistake
        outcomes = _AttemptOutcomes()

        def attempt() -> T:
            try:
                return self._attempt(work)
            except ProviderUnavailable as error:
                outcomes.add(error)
                raise

        try:
            return self._retries.call(attempt, idempotent=True, is_retryable=_is_retryable)
        except CallRefused as error:
            raise CallNotAttempted("The payments provider has answered too few of the last calls.") from error
        except ProviderUnavailable as error:
            if outcomes.may_have_arrived and not isinstance(error, ProviderOutcomeUnknown):
                raise ProviderOutcomeUnknown(error.detail) from error
            raise

    def _attempt(self, work: Callable[[], T]) -> T:
        def limited() -> T:
            has_waited = deadlines.remaining() >= self._min_wait_s
            with self._limit.applied():
                try:
                    return work()
                except ProviderOutcomeUnknown as error:
                    if has_waited:
                        raise
                    raise _CallerDeadlineExceeded(error) from error

        started = self._clock.monotonic()
        outcome: Outcome = "failed"
        try:
            result = self._breaker.call(limited, _is_provider_failure)
            outcome = "ok"
        except CircuitOpen as error:
            outcome = "refused"
            raise CallNotAttempted("The circuit breaker of the payments provider is open.") from error
        except DeadlineExceeded as error:
            outcome = "dropped"
            raise CallNotAttempted("There was no time left to call the payments provider.") from error
        except _CallerDeadlineExceeded as error:
            raise error.cause from error
        finally:
            self._emit(AttemptFinished(DEPENDENCY, outcome, self._clock.monotonic() - started))
        return result


@dataclass(slots=True)
class _AttemptOutcomes:
    """Whether an attempt of one call may have reached the provider."""

    may_have_arrived: bool = False

    def add(self, error: ProviderUnavailable) -> None:
        self.may_have_arrived |= isinstance(error, ProviderOutcomeUnknown)


class _CallerDeadlineExceeded(Exception):
    """No answer before the caller's deadline, which left less time than the provider may take.

    The breaker does not count it: one client with a short deadline could open the breaker for all clients.
    """

    def __init__(self, cause: ProviderOutcomeUnknown) -> None:
        super().__init__()
        self.cause = cause


def _is_retryable(error: Exception) -> bool:
    """Tell whether a retry can help. The provider stores an internal error under its key, so a retry cannot help."""
    return isinstance(error, (ProviderNotReached, ProviderOutcomeUnknown)) and not isinstance(error, CallNotAttempted)


def _is_throttled(error: Exception) -> bool:
    return isinstance(error, ProviderThrottled)


def _is_provider_failure(error: Exception) -> bool | None:
    """Tell whether the breaker counts an error as the provider's failure. A refusal and "in progress" do not count."""
    if isinstance(error, (DeadlineExceeded, _CallerDeadlineExceeded)):
        return None
    return isinstance(error, ProviderUnavailable) and not isinstance(error, (ProviderRefused, RequestInProgress))
