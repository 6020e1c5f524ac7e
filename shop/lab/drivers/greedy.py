"""Driver: one greedy client guesses passwords; innocent clients sign in, and one client obeys the ``RateLimit`` header.

Each client has an address of its own. The greedy client begins first: within the lead time it uses up its quota, so the
figures show the limit and not the window's begin. The obedient client signs in again and again, as a program would that
acts for many people; it waits between two requests as the header tells, or half a second without one.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.load import LoadSamples
from shop.lab.log_in_client import NO_ANSWER, LogInAnswer, LogInClient
from shop.lab.source_addresses import require_clients
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel

OK, UNAUTHORIZED, SERVER_ERROR = 200, 401, 500
MAX_CONCURRENT = 48
OBEDIENT_EVERY_S = 0.5
"""Pause of the obedient client while the store tells no limit."""
MANY = 1_000
"""Guests, for the check of addresses: with one address for all, the greedy client's limit would be everybody's."""
DRAIN_S = 0.5
"""About how long the last answers take."""


class GreedyParams(StrictModel):
    """Parameters of the driver."""

    guesses: float = Field(default=40.0, gt=0)
    """Log-ins a second of the greedy client."""
    lead_s: float = Field(default=4.0, ge=0)
    """Seconds from its first log-in to the first innocent one: longer than its quota lasts."""
    sign_ins: float = Field(default=2.0, gt=0)
    """Log-ins a second of innocent clients, each from an address of its own."""
    seconds: float = Field(default=5.0, gt=0)
    within_ms: float = Field(default=5_000.0, gt=0)
    """An innocent client whose log-in takes longer has left."""


@dataclass(frozen=True, slots=True)
class LogInSample:
    """One log-in.

    Args:
        due_s: when it was due, in seconds after the first log-in of the greedy client.
        answer: the store's answer.
    """

    due_s: float
    answer: LogInAnswer


class GreedyDriver:
    """Lets a greedy, an obedient and many innocent clients sign in at the same time."""

    params_model = GreedyParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "innocent_served": DriverMeasure("Innocent log-ins answered in time", "%"),
        "innocent_p95_ms": DriverMeasure("95th percentile of innocent log-ins", "ms"),
        "guesses_compared_rps": DriverMeasure("Guesses compared with a password", "/s"),
        "greedy_over_limit": DriverMeasure("Log-ins of the greedy client above its limit", "%"),
        "obedient_over_limit": DriverMeasure("Log-ins of the obedient client above its limit", "%"),
    }

    def expected_seconds(self, params: GreedyParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        return params.lead_s + params.seconds + DRAIN_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length; the lead time stays, since the quota needs it."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: GreedyParams) -> DriverResult:
        """Let all clients sign in; the figures are of the time after the lead."""
        url, count = context.store.base_url, max(1, round(params.sign_ins * params.seconds))
        require_clients(MANY, context.store.switches)
        with _clients(url, count) as innocents, closing(LogInClient(url)) as greedy, closing(LogInClient(url)) as other:
            began, ends_s = time.monotonic(), params.lead_s + params.seconds
            with ThreadPoolExecutor(3) as threads:
                guesses = [greedy.guess] * round(params.guesses * ends_s)
                guessing = threads.submit(_at_rate, began, 0.0, params.guesses, guesses)
                signing = threads.submit(
                    _at_rate, began, params.lead_s, params.sign_ins, [client.sign_in for client in innocents]
                )
                obeying = threads.submit(_obey, other, began, ends_s)
                while not (guessing.done() and signing.done() and obeying.done()):
                    context.wait(0.1)
                samples = signing.result()
                measures = compute_measures(
                    samples, _after(guessing.result(), params), _after(obeying.result(), params), params
                )
        return DriverResult(_as_load_samples(samples, params), measures)


def compute_measures(
    innocent: Sequence[LogInSample],
    greedy: Sequence[LogInSample],
    obedient: Sequence[LogInSample],
    params: GreedyParams,
) -> dict[str, float | None]:
    """Return the measures. Pure.

    Args:
        innocent: the log-ins of the innocent clients.
        greedy: those of the greedy client after the lead time.
        obedient: those of the obedient client after the lead time.
        params: the lengths and limits.
    """
    served = [one.answer.ms for one in innocent if _is_served(one, params)]
    return {
        "innocent_served": len(served) / len(innocent),
        "innocent_p95_ms": percentile(served, 95) if served else None,
        "guesses_compared_rps": sum(one.answer.status == UNAUTHORIZED for one in greedy) / params.seconds,
        "greedy_over_limit": _share_over_limit(greedy),
        "obedient_over_limit": _share_over_limit(obedient),
    }


def _share_over_limit(samples: Sequence[LogInSample]) -> float | None:
    return sum(one.answer.is_over_limit for one in samples) / len(samples) if samples else None


def _is_served(sample: LogInSample, params: GreedyParams) -> bool:
    return sample.answer.status == OK and sample.answer.ms <= params.within_ms


def _after(samples: Sequence[LogInSample], params: GreedyParams) -> list[LogInSample]:
    return [one for one in samples if one.due_s >= params.lead_s]


@contextmanager
def _clients(base_url: str, count: int) -> Iterator[list[LogInClient]]:
    clients = [LogInClient(base_url) for _ in range(count)]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def _at_rate(
    began: float, first_s: float, rate: float, log_ins: Sequence[Callable[[], LogInAnswer]]
) -> list[LogInSample]:
    """Send log-ins at a rate, whether or not the earlier ones have been answered."""

    def send_when_due(number: int) -> LogInSample:
        due_s = first_s + number / rate
        time.sleep(max(0.0, began + due_s - time.monotonic()))
        return LogInSample(due_s, log_ins[number]())

    with ThreadPoolExecutor(MAX_CONCURRENT) as threads:
        return list(threads.map(send_when_due, range(len(log_ins))))


def _obey(client: LogInClient, began: float, ends_s: float) -> list[LogInSample]:
    """Sign in again and again, with the pauses that the store tells."""
    samples: list[LogInSample] = []
    paused = threading.Event()
    while (due_s := time.monotonic() - began) < ends_s:
        samples.append(LogInSample(due_s, client.sign_in()))
        paused.wait(samples[-1].answer.pause_s or OBEDIENT_EVERY_S)
    return samples


def _as_load_samples(samples: Sequence[LogInSample], params: GreedyParams) -> LoadSamples:
    """Return the innocent log-ins as samples of a load; a refusal is an answer, and a measure counts it."""
    answered = [NO_ANSWER < one.answer.status < SERVER_ERROR for one in samples]
    failed = answered.count(False)
    return LoadSamples(
        offered=len(samples),
        seconds=params.seconds,
        latencies_ms=[one.answer.ms for one in samples],
        succeeded=answered,
        calls=len(samples),
        queries=None,
        lookups={},
        errors={"not answered": failed} if failed else {},
        cpu_share=None,
        release_lag_p95_ms=None,
        answer_counts={"origin": len(samples) - failed},
        due_s=[one.due_s for one in samples],
        answered_by=["origin" if well else "" for well in answered],
    )
