"""What one phase of load is, what comes back from it, and how it is run: in a process of its own.

The generator must not share an interpreter with a progress bar, and its own CPU time must be measurable: a load
generator that is out of breath measures itself.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from typing import IO, Literal

from pydantic import Field

from shop.errors import ServiceUnavailable
from shop.lab.arrivals import SHOPPERS_EXPONENT, Arrivals
from shop.lab.strict_model import StrictModel

BUSY_SHARE = 0.85
"""Share of one core above which the single-threaded generator is taken for the bottleneck."""
LAG_LIMIT_MS = 25.0
"""A schedule whose 95th percentile of release delays is above this was not kept."""
PROGRESS_EVERY_S = 0.1
EXIT_GRACE_S = 15.0


class ShopperVisit(StrictModel):
    """One thing a shopper does: a call, or several as a browser would make them."""

    name: str
    weight: float = Field(default=1.0, gt=0)
    paths: tuple[str, ...] = Field(min_length=1)
    """Asked for together. Templates; ``{product}``, ``{category}`` and ``{unknown}`` are filled in by popularity."""
    then: tuple[str, ...] = ()
    """Asked for together once the first have arrived, as a page's script does."""
    expect: int | None = None
    """The status that is well; below 400 where nothing is said."""


class LoadPhase(StrictModel):
    """One phase of load. Times are in seconds."""

    base_url: str
    mode: Literal["open", "closed"]
    rate: float = Field(default=1.0, gt=0)
    """Visits a second; open loop only."""
    arrivals: Arrivals = "poisson"
    duration_s: float = Field(gt=0)
    concurrency: int = Field(gt=0)
    """Open: visits under way at once, at most. Closed: how many clients visit."""
    timeout_s: float = Field(default=10.0, gt=0)
    visits: tuple[ShopperVisit, ...] = Field(min_length=1)
    products: tuple[str, ...] = ()
    """Slugs, the most wanted first."""
    categories: tuple[str, ...] = ()
    exponent: float = Field(default=SHOPPERS_EXPONENT, ge=0)
    unknowns: int = Field(default=200, ge=1)
    browsers: int = 0
    """Shoppers who keep what they were sent; each visit is one of theirs."""
    think_s: float = 0.0
    """Closed loop only: how long a client pauses between two visits, in the mean (exponential)."""
    ceiling_rps: float | None = Field(default=None, gt=0)
    """Closed loop only: no more visits a second than this, all clients together."""
    begin_at: float | None = None
    """On the monotonic clock, which every process of a machine shares: when to begin, for who acts meanwhile."""
    seed: int = 1


class LoadSamples(StrictModel):
    """What one phase brought back."""

    offered: int
    """Visits the schedule asked for."""
    seconds: float
    """How long the phase offered load."""
    latencies_ms: list[float]
    """Of every visit, from the moment it was due; one never answered counts with the time-out."""
    succeeded: list[bool]
    """Whether the visit of the same index was answered well, every part of it."""
    calls: int
    """HTTP requests sent: more than visits where a visit has parts."""
    queries: int
    """Database statements, as ``Server-Timing`` tells."""
    lookups: dict[str, tuple[int, int]]
    """Cache layer to hits and look-ups, as ``Cache-Status`` tells."""
    errors: dict[str, int]
    """What went wrong, and how often."""
    cpu_share: float
    """CPU time of the generator over wall time: 1 is a whole core."""
    release_lag_p95_ms: float
    """How late the pacer released visits; its own doing, not the server's."""
    answer_counts: dict[str, int] = {}
    """Who answered the calls: ``browser``, ``edge``, ``local``, ``shared``, ``origin``; failures are left out."""
    due_s: list[float] = []
    """When the visit of the same index was due, in seconds after the load began."""
    answered_by: list[str] = []
    """Who answered the visit of the same index; empty where it failed."""

    @property
    def saturation(self) -> str | None:
        """The sign that the generator, rather than the store, set the limit; ``None`` where there is none."""
        if self.cpu_share > BUSY_SHARE:
            return f"it used {self.cpu_share:.0%} of its one core"
        if self.release_lag_p95_ms > LAG_LIMIT_MS:
            return (
                f"visits went out {self.release_lag_p95_ms:.0f} ms late, though it used {self.cpu_share:.0%} of a core"
            )
        return None


def merge_samples(parts: Sequence[LoadSamples]) -> LoadSamples:
    """Return several phases as if they had been one; moments stay those of each phase."""
    seconds = sum(part.seconds for part in parts)
    return LoadSamples(
        offered=sum(part.offered for part in parts),
        seconds=seconds,
        latencies_ms=[ms for part in parts for ms in part.latencies_ms],
        succeeded=[good for part in parts for good in part.succeeded],
        calls=sum(part.calls for part in parts),
        queries=sum(part.queries for part in parts),
        lookups=_lookups(parts),
        errors=dict(sum((Counter(part.errors) for part in parts), Counter())),
        cpu_share=max(part.cpu_share for part in parts),
        release_lag_p95_ms=max(part.release_lag_p95_ms for part in parts),
        answer_counts=dict(sum((Counter(part.answer_counts) for part in parts), Counter())),
        due_s=[due for part in parts for due in part.due_s],
        answered_by=[who for part in parts for who in part.answered_by],
    )


def _lookups(parts: Sequence[LoadSamples]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for part in parts:
        for layer, (hits, looked) in part.lookups.items():
            before = found.get(layer, (0, 0))
            found[layer] = (before[0] + hits, before[1] + looked)
    return found


def run_phase(plan: LoadPhase, tick: Callable[[], None] = lambda: None) -> LoadSamples:
    """Run one phase in a process of its own and wait for it.

    Args:
        plan: what to offer.
        tick: called about ten times a second meanwhile.

    Raises:
        ServiceUnavailable: the generator broke down.
    """
    with (
        tempfile.TemporaryFile() as given,
        subprocess.Popen(
            [sys.executable, "-m", "shop.lab.load_generator"],
            stdin=_written(given, plan),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the experiment, which then ends its generator
        ) as process,
    ):
        try:
            return _collect(process, plan, tick)
        except BaseException:
            process.kill()
            raise


def _written(given: IO[bytes], plan: LoadPhase) -> IO[bytes]:
    """Write a plan where the generator reads it: thousands of products are more than a pipe holds at once."""
    given.write(plan.model_dump_json().encode())
    given.seek(0)
    return given


def _collect(process: "subprocess.Popen[str]", plan: LoadPhase, tick: Callable[[], None]) -> LoadSamples:
    waited = 0.0
    limit = plan.duration_s + plan.timeout_s + EXIT_GRACE_S
    while True:
        try:
            out, err = process.communicate(timeout=PROGRESS_EVERY_S)
            break
        except subprocess.TimeoutExpired:
            waited += PROGRESS_EVERY_S
            tick()
            if waited > limit:
                raise ServiceUnavailable("The load generator did not end in time.") from None
    if process.returncode != 0:
        raise ServiceUnavailable(
            f"The load generator broke down: {err.strip().splitlines()[-1:] or process.returncode}"
        )
    return LoadSamples.model_validate_json(out)
