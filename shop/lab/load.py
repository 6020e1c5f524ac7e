"""One phase of load: its plan, its samples, and how it runs in a process of its own.

The generator shares no interpreter with the progress bar, and its own CPU time can be measured. A load generator that
is the bottleneck measures itself and not the store.
"""

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import IO, Literal, Self, TypeVar

from pydantic import Field

from shop.errors import ServiceUnavailable
from shop.lab.arrivals import SHOPPERS_EXPONENT, Arrivals
from shop.lab.strict_model import StrictModel

T = TypeVar("T", int, float)
BudgetName = Literal["off", "share", "quota", "throttle"]

BUSY_SHARE = 0.85
"""Above this share of one core, the single-threaded generator counts as the bottleneck."""
LAG_LIMIT_MS = 25.0
"""The usual limit of release delays: small beside the latency of a page."""
PROGRESS_EVERY_S = 0.1
EXIT_GRACE_S = 15.0
READ_BYTES = 1 << 20


class ShopperVisit(StrictModel):
    """One visit of a shopper: a request, or several requests as a browser sends them."""

    name: str
    weight: float = Field(default=1.0, gt=0)
    paths: tuple[str, ...] = Field(min_length=1)
    """Requested together. Templates; ``{product}``, ``{category}`` and ``{unknown}`` are filled in by popularity."""
    then: tuple[str, ...] = ()
    """Requested together after the first responses, as a page's script does."""
    hovered: int = Field(default=0, ge=0, le=20)
    """Number of product links that the pointer rests on after the first responses: their pages are prefetched together,
    each of another product. The click on one of them costs no request."""
    expect: int | None = None
    """The status that counts as success; by default any status below 400."""


class ClientRetries(StrictModel):
    """How the clients of a load repeat a call that failed. They share one budget, as the calls of one program do."""

    attempts: int = Field(default=3, ge=1, le=10)
    """Of each call, the first one included. Each of them waits for the phase's timeout."""
    budget: BudgetName = "off"
    """The value of ``retry.budget`` that limits the attempts."""


class LoadPhase(StrictModel):
    """One phase of load. Times are in seconds."""

    base_url: str
    mode: Literal["open", "closed"]
    rate: float = Field(default=1.0, gt=0)
    """Visits a second; open loop only."""
    arrivals: Arrivals = "poisson"
    duration_s: float = Field(gt=0)
    concurrency: int = Field(gt=0)
    """Open loop: most visits at a time. Closed loop: number of clients."""
    timeout_s: float = Field(default=10.0, gt=0)
    visits: tuple[ShopperVisit, ...] = Field(min_length=1)
    products: tuple[str, ...] = ()
    """Slugs, the most popular first."""
    categories: tuple[str, ...] = ()
    exponent: float = Field(default=SHOPPERS_EXPONENT, ge=0)
    unknowns: int = Field(default=200, ge=1)
    browsers: int = 0
    """Number of simulated browsers with a cache; each visit belongs to one of them. 0: no browser cache."""
    think_s: float = 0.0
    """Closed loop only: mean pause of a client between two visits (exponential)."""
    ceiling_rps: float | None = Field(default=None, gt=0)
    """Closed loop only: most visits a second of all clients together."""
    begin_at: float | None = None
    """When to begin, on the monotonic clock, which all processes of a machine share; for actions during the load."""
    lag_limit_ms: float = Field(default=LAG_LIMIT_MS, gt=0)
    """If the 95th percentile of release delays is above this, the generator did not keep its schedule."""
    retries: ClientRetries | None = None
    """How calls are repeated; ``None``: each call is made once."""
    seed: int = 1


class LoadSamples(StrictModel):
    """The measurements of one phase."""

    offered: int
    """Visits of the schedule."""
    seconds: float
    """How long the phase offered load."""
    latencies_ms: list[float]
    """Latency of each visit from its due time; an unanswered visit counts with the timeout."""
    succeeded: list[bool]
    """Whether every request of the visit with the same index succeeded."""
    calls: int
    """HTTP requests sent; a visit may have several."""
    queries: int | None
    """Database statements, from ``Server-Timing``; ``None`` if no response of the load was asked for them."""
    lookups: dict[str, tuple[int, int]]
    """Hits and look-ups of each cache layer, from ``Cache-Status``."""
    errors: dict[str, int]
    """Number of errors by kind."""
    cpu_share: float | None
    """CPU time of the generator divided by wall time; 1 is a whole core. ``None`` without a generator of its own."""
    release_lag_p95_ms: float | None
    """How late the generator released visits; a delay of the generator, not of the server. ``None`` as above."""
    lag_limit_ms: float = LAG_LIMIT_MS
    """From the phase."""
    answer_counts: dict[str, int] = {}
    """Number of responses by source: ``edge``, ``local``, ``shared``, ``origin``, and ``browser`` if browsers were
    simulated; without failures."""
    due_s: list[float] = []
    """When the visit with the same index was due, in seconds after the begin of the load."""
    answered_by: list[str] = []
    """The source that answered the visit with the same index; empty if the visit failed."""
    stale_words: list[str] = []
    """The word with which the last response of the visit with the same index said that it was stale, as in
    ``Cache-Status``; empty if it did not, or the visit failed."""

    @property
    def saturation(self) -> str | None:
        """The sign that the generator, and not the store, set the limit; ``None`` if there is no such sign."""
        if self.cpu_share is None or self.release_lag_p95_ms is None:
            return None
        if self.cpu_share > BUSY_SHARE:
            return f"it used {self.cpu_share:.0%} of its one core"
        if self.release_lag_p95_ms > self.lag_limit_ms:
            return f"it released visits {self.release_lag_p95_ms:.0f} ms late, and used {self.cpu_share:.0%} of a core"
        return None


def _of_known(combine: Callable[[list[T]], T], values: Sequence[T | None]) -> T | None:
    """Combine the known values; ``None`` if none is known."""
    known = [value for value in values if value is not None]
    return combine(known) if known else None


def merge_samples(parts: Sequence[LoadSamples]) -> LoadSamples:
    """Return several phases as one; due times stay relative to the begin of their own phase."""
    layers = dict.fromkeys(layer for part in parts for layer in part.lookups)
    counts = {layer: [part.lookups.get(layer, (0, 0)) for part in parts] for layer in layers}
    return LoadSamples(
        offered=sum(part.offered for part in parts),
        seconds=sum(part.seconds for part in parts),
        latencies_ms=[ms for part in parts for ms in part.latencies_ms],
        succeeded=[succeeded for part in parts for succeeded in part.succeeded],
        calls=sum(part.calls for part in parts),
        queries=_of_known(sum, [part.queries for part in parts]),
        lookups={
            layer: (sum(hits for hits, _ in pairs), sum(lookups for _, lookups in pairs))
            for layer, pairs in counts.items()
        },
        errors=dict(sum((Counter(part.errors) for part in parts), Counter())),
        cpu_share=_of_known(max, [part.cpu_share for part in parts]),
        release_lag_p95_ms=_of_known(max, [part.release_lag_p95_ms for part in parts]),
        answer_counts=dict(sum((Counter(part.answer_counts) for part in parts), Counter())),
        due_s=[due for part in parts for due in part.due_s],
        answered_by=[source for part in parts for source in part.answered_by],
        stale_words=[word for part in parts for word in part.stale_words],
    )


def run_phase(phase: LoadPhase, tick: Callable[[], None] = lambda: None) -> LoadSamples:
    """Run one phase in a process of its own and wait for its end.

    Args:
        phase: the load.
        tick: called about ten times a second meanwhile.

    Raises:
        ServiceUnavailable: the generator failed.
    """
    with tempfile.TemporaryFile() as plan:
        plan.write(phase.model_dump_json().encode())  # a file: thousands of products do not fit into a pipe
        plan.seek(0)
        with subprocess.Popen(
            [sys.executable, "-m", "shop.lab.load_generator"],
            stdin=plan,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C stops the experiment, and the experiment then stops its generator
        ) as process:
            try:
                return _collect_samples(process, phase.duration_s + phase.timeout_s + EXIT_GRACE_S, tick)
            except BaseException:
                process.kill()
                raise


def _collect_samples(process: "subprocess.Popen[str]", limit_s: float, tick: Callable[[], None]) -> LoadSamples:
    waited_s = 0.0
    while True:
        try:
            output, errors = process.communicate(timeout=PROGRESS_EVERY_S)
            break
        except subprocess.TimeoutExpired:
            waited_s += PROGRESS_EVERY_S
            tick()
            if waited_s > limit_s:
                raise ServiceUnavailable("The load generator did not end in time.") from None
    if process.returncode != 0:
        raise ServiceUnavailable(f"The load generator failed: {errors.strip().splitlines()[-1:] or process.returncode}")
    return LoadSamples.model_validate_json(output)


class GeneratorProcess:
    """A load generator that stays for all phases of an experiment: only its first phase waits for its start.

    A context manager; the process ends with the block.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def run_phase(self, phase: LoadPhase, tick: Callable[[], None] = lambda: None) -> LoadSamples:
        """Run one phase and wait for its end.

        Args:
            phase: the load.
            tick: called about ten times a second meanwhile.

        Raises:
            ServiceUnavailable: the generator failed.
        """
        process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101 - as ordered below
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(phase.model_dump_json().encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None
        limit_s = phase.duration_s + phase.timeout_s + EXIT_GRACE_S
        return LoadSamples.model_validate_json(self._read_line(process.stdout, limit_s, tick))

    def _start(self) -> "subprocess.Popen[bytes]":
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open until the end of the block
        self._process = subprocess.Popen(
            [sys.executable, "-m", "shop.lab.load_generator", "--stay"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C stops the experiment, and the experiment then stops its generator
        )
        return self._process

    def _read_line(self, output: IO[bytes], limit_s: float, tick: Callable[[], None]) -> bytes:
        deadline = time.monotonic() + limit_s
        parts: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while not parts or not parts[-1].endswith(b"\n"):
                if selector.select(PROGRESS_EVERY_S):
                    parts.append(os.read(output.fileno(), READ_BYTES))
                    if not parts[-1]:
                        raise self._failure()
                else:
                    tick()
                if time.monotonic() > deadline:
                    raise ServiceUnavailable("The load generator did not end in time.")
        return b"".join(parts)

    def _failure(self) -> ServiceUnavailable:
        assert self._process is not None  # noqa: S101 - it was started
        assert self._errors is not None  # noqa: S101
        exit_code = self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        return ServiceUnavailable(f"The load generator failed: {last or exit_code}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._errors is not None:
            self._errors.close()
