"""The figures of ``loadtests/benchmarks/killed_parts.py``, computed from recorded reads, by table."""

import pytest

from loadtests.benchmarks.outage_figures import OutageTimes, compute_outage, quick_share
from shop.lab.load import LoadSamples

LOST = OutageTimes(lost_s=1.0, returned_s=3.0)


def samples(*reads, seconds=6.0):
    """Samples of one read every tenth of a second; ``reads`` replaces some: (due, milliseconds, ok, word)."""
    plain = {round(number / 10, 1): (5.0, True, "") for number in range(round(seconds * 10))}
    plain |= {due: tuple(rest) for due, *rest in reads}
    ms, ok, words = zip(*plain.values(), strict=True)
    return LoadSamples(
        offered=len(plain),
        seconds=seconds,
        latencies_ms=list(ms),
        succeeded=list(ok),
        calls=len(plain),
        queries=None,
        lookups={},
        errors={},
        cpu_share=None,
        release_lag_p95_ms=None,
        due_s=list(plain),
        answered_by=["edge"] * len(plain),
        stale_words=list(words),
    )


def test_reads_before_the_kill_do_not_count():
    figures = compute_outage(samples((0.5, 5.0, False, "")), LOST)
    assert (figures.reads, figures.well, figures.back_s, figures.settled_s) == (50, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(("ms", "ok"), [(5.0, False), (1_001.0, True)])
def test_an_error_or_a_late_answer_is_not_good(ms, ok):
    figures = compute_outage(samples((1.22, ms, ok, ""), (1.72, ms, ok, "")), LOST)
    assert figures.well == pytest.approx(50 / 52)
    assert figures.back_s == pytest.approx(0.75)  # the first second without a bad read begins after 1.72 s


def test_reads_that_stay_bad_are_never_back():
    figures = compute_outage(samples((1.2, 5.0, False, ""), seconds=2.0), LOST)
    assert (figures.back_s, figures.settled_s) == (None, None)


def test_an_unmarked_answer_that_cannot_be_fresh_is_hidden():
    times = OutageTimes(lost_s=1.0, returned_s=3.0, stale_from_s=2.0)
    words = ("stale-if-error", "error", "updating", "stale-while-loading")
    marked = [(round(2.0 + number / 10, 1), 5.0, True, words[number % 4]) for number in range(10)]
    assert compute_outage(samples(*marked), times).hidden == 0
    assert compute_outage(samples(*marked[3:]), times).hidden == 3
    assert compute_outage(samples(*marked), times).marked == pytest.approx(10 / 50)
    assert compute_outage(samples((2.5, 5.0, False, ""), *marked[:5], *marked[6:]), times).hidden == 0  # it says so


def test_answers_stale_by_a_failure_are_not_settled():
    stale = compute_outage(samples((3.52, 5.0, True, "stale-if-error")), LOST)
    assert (stale.back_s, stale.settled_s) == (0.0, pytest.approx(0.55))
    assert compute_outage(samples((3.5, 5.0, True, "updating")), LOST).settled_s == 0.0


def test_no_read_after_the_kill_is_no_result():
    with pytest.raises(ValueError, match="no read"):
        compute_outage(samples(seconds=0.5), LOST)


def test_quick_pages_are_good_ones_within_the_limit():
    slow = samples((0.0, 101.0, True, ""), (0.1, 99.0, False, ""), seconds=1.0)
    assert quick_share(slow) == pytest.approx(0.8)
