"""The figures of one outage, computed from the recorded reads: pure functions of samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shop.lab.cache_status import STALE_BY_FAILURE
from shop.lab.load import LoadSamples

IN_TIME_MS = 1_000.0
"""A reader has left before a later answer, so it is not a good one."""
WINDOW_S = 1.0
"""Reads are well again from the first moment after which each read of so many seconds is."""
STEP_S = 0.05
QUICK_MS = 100.0


@dataclass(frozen=True, slots=True)
class OutageTimes:
    """What happened to the part, in seconds after the begin of the load.

    Args:
        lost_s: when it was killed.
        returned_s: when it was allowed to return; the same moment if the supervisor restarts it by itself.
        stale_from_s: from then until the return, no answer can be fresh; ``None``: answers may be fresh all the time.
    """

    lost_s: float
    returned_s: float
    stale_from_s: float | None = None


@dataclass(frozen=True, slots=True)
class OutageFigures:
    """What the readers got from the kill to the end of the load."""

    reads: int
    well: float
    """Share of the reads that were answered without error and in time."""
    marked: float
    """Share of the good answers that said that they were stale."""
    hidden: int
    """Good answers that could not be fresh, and did not say that they were stale."""
    back_s: float | None
    """From the kill until reads were well again, 0 if they always were; ``None``: not before the end."""
    settled_s: float | None
    """From the return until reads were well, and none said that something failed; ``None``: not before the end."""


@dataclass(frozen=True, slots=True)
class _Read:
    due_s: float
    well: bool
    stale_word: str

    @property
    def is_settled(self) -> bool:
        return self.well and self.stale_word not in STALE_BY_FAILURE


def compute_outage(samples: LoadSamples, times: OutageTimes) -> OutageFigures:
    """Return the figures of one load.

    Args:
        samples: of the load, with due times.
        times: of the outage.

    Raises:
        ValueError: no read was due after the kill.
    """
    columns = samples.due_s, samples.succeeded, samples.latencies_ms, samples.stale_words
    reads = sorted(
        (
            _Read(due_s, succeeded and ms <= IN_TIME_MS, word)
            for due_s, succeeded, ms, word in zip(*columns, strict=True)
            if due_s >= times.lost_s
        ),
        key=lambda read: read.due_s,
    )
    if not reads:
        raise ValueError("no read was due after the kill")
    good = [read for read in reads if read.well]
    hidden = [
        read
        for read in good
        if times.stale_from_s is not None
        and times.stale_from_s <= read.due_s < times.returned_s
        and not read.stale_word
    ]
    return OutageFigures(
        reads=len(reads),
        well=len(good) / len(reads),
        marked=sum(bool(read.stale_word) for read in good) / len(good) if good else 0.0,
        hidden=len(hidden),
        back_s=_first_window(reads, times.lost_s, samples.seconds, lambda read: read.well),
        settled_s=_first_window(reads, times.returned_s, samples.seconds, lambda read: read.is_settled),
    )


def _first_window(
    reads: Sequence[_Read], since_s: float, end_s: float, is_good: Callable[[_Read], bool]
) -> float | None:
    """Return the seconds until the first window in which every read is good; ``None`` if there is none."""
    step = 0
    while (start_s := since_s + step * STEP_S) + WINDOW_S <= end_s:
        window = [read for read in reads if start_s <= read.due_s < start_s + WINDOW_S]
        if window and all(map(is_good, window)):
            return round(start_s - since_s, 2)
        step += 1
    return None


def quick_share(samples: LoadSamples) -> float:
    """Return the share of the reads that were answered without error within :data:`QUICK_MS`."""
    outcomes = zip(samples.succeeded, samples.latencies_ms, strict=True)
    return sum(succeeded and ms <= QUICK_MS for succeeded, ms in outcomes) / len(samples.succeeded)
