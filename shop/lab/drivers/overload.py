"""Driver: finds the peak of the store, then offers a multiple of it, and measures what is still served in time.

Each arm measures its own peak directly before: a few clients request one page after the other. So the offered rate
follows the machine, and other work on the machine lowers both. The first seconds of the overload do not count: a queue
needs time to grow, and until then every order of service looks good. At the end the driver waits until the queue is
empty, because a store that still serves visitors who have left would disturb the next arm.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from pydantic import Field

from shop.errors import ServiceUnavailable
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import PHASE_START_S, DriverContext, DriverMeasure, DriverResult, Measures
from shop.lab.load import LoadSamples
from shop.lab.metrics_client import MetricsClient
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel
from shop.patterns.observability import metric_names

DRAIN_S = 1.5
"""About how long the last visits and the queue need after the load; for the estimate."""
DRAIN_LIMIT_S = 15.0
"""No request waits for longer than this."""
POLL_S = 0.1
STILL_POLLS = 3
"""The gauge of the queue is set every quarter of a second."""
CONNECTION_RESERVE = 1.25
"""Arrivals are random: at times more visits are under way than the rate and the timeout say."""


class OverloadParams(StrictModel):
    """Parameters of the driver."""

    times: float = Field(default=4.0, gt=1)
    """The offered rate, as a multiple of the peak."""
    clients: int = Field(default=8, ge=1)
    """Clients that measure the peak."""
    peak_s: float = Field(default=2.0, gt=0)
    """How long the peak is measured."""
    lead_s: float = Field(default=3.0, ge=0)
    """Seconds of the overload that do not count."""
    seconds: float = Field(default=5.0, gt=0)
    """Seconds of the overload that count."""


class OverloadDriver:
    """Offers more than the store can serve."""

    params_model = OverloadParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "goodput_of_peak": DriverMeasure("Goodput, of the peak", "%"),
        "served_p50_ms": DriverMeasure("Age of what is served, median", "ms"),
        "served_p99_ms": DriverMeasure("Age of what is served, 99th percentile", "ms"),
        "served_late": DriverMeasure("Served too late", "%"),
        "refused_rps": DriverMeasure("Refused a second", "/s"),
    }

    def expected_seconds(self, params: OverloadParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run: two phases, and the end of the queue."""
        return params.peak_s + params.lead_s + params.seconds + DRAIN_S + 2 * PHASE_START_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length that counts; peak and lead time stay, since the effect needs them."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: OverloadParams) -> DriverResult:
        """Measure the peak, offer a multiple of it, and wait until nothing waits."""
        peak = context.offer(f"{arm.title}: peak", context.load_phase(arm, params.peak_s, concurrency=params.clients))
        peak_rps = peak.succeeded.count(True) / peak.seconds
        if not peak_rps:
            raise ServiceUnavailable(f"No visit succeeded in arm {arm.name}: {peak.errors}.")
        rate = params.times * peak_rps
        phase = context.load_phase(arm, params.lead_s + params.seconds, mode="open", rate=rate)
        connections = int(CONNECTION_RESERVE * rate * phase.timeout_s) + 1
        phase = phase.model_copy(update={"concurrency": connections})
        with closing(MetricsClient(context.store)) as metrics:
            whole = context.offer(f"{arm.title}: {rate:.0f} visits/s", phase)
            wait_until_drained(metrics)
        samples = due_after(whole, params.lead_s)
        measures = compute_measures(samples, peak_rps, phase.timeout_s * 1000, context.good_within_ms)
        return DriverResult(samples, measures, closed_loop=peak)


def due_after(samples: LoadSamples, lead_s: float) -> LoadSamples:
    """Return the visits that were due after the lead time; what was not counted for each visit is left out.

    Args:
        samples: of the whole load.
        lead_s: seconds after its begin.
    """
    kept = [number for number, due in enumerate(samples.due_s) if due >= lead_s]
    return samples.model_copy(
        update={
            "offered": len(kept),
            "seconds": samples.seconds - lead_s,
            "latencies_ms": [samples.latencies_ms[number] for number in kept],
            "succeeded": [samples.succeeded[number] for number in kept],
            "due_s": [samples.due_s[number] for number in kept],
            "answered_by": [samples.answered_by[number] for number in kept],
            "calls": len(kept),
            "queries": None,
            "lookups": {},
            "answer_counts": {},
            "errors": {},
        }
    )


def compute_measures(samples: LoadSamples, peak_rps: float, timeout_ms: float, good_within_ms: float) -> Measures:
    """Return the driver's measures.

    Args:
        samples: the visits that count.
        peak_rps: visits a second before the overload.
        timeout_ms: a visit that failed sooner was refused.
        good_within_ms: a slower response is no goodput.
    """
    visits = list(zip(samples.succeeded, samples.latencies_ms, strict=True))
    served = [ms for succeeded, ms in visits if succeeded]
    late = sum(ms > good_within_ms for ms in served)
    refused = sum(not succeeded and ms < timeout_ms for succeeded, ms in visits)
    return {
        "goodput_of_peak": (len(served) - late) / samples.seconds / peak_rps,
        "served_p50_ms": percentile(served, 50) if served else None,
        "served_p99_ms": percentile(served, 99) if served else None,
        "served_late": late / len(served) if served else None,
        "refused_rps": refused / samples.seconds,
    }


def wait_until_drained(metrics: MetricsClient) -> None:
    """Wait until no request waits or runs; at most :data:`DRAIN_LIMIT_S`.

    Args:
        metrics: a client of the store's metrics; a new one would have to ask the overloaded store for the port.
    """
    deadline, still = time.monotonic() + DRAIN_LIMIT_S, 0
    while still < STILL_POLLS and time.monotonic() < deadline:
        time.sleep(POLL_S)
        busy = metrics.value_of(metric_names.OVERLOAD_WAITING) + metrics.value_of(metric_names.HTTP_IN_FLIGHT)
        still = 0 if busy > 0 else still + 1
