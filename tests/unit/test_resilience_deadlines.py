"""Deadlines, on a fake clock."""

import math

import pytest

from shop.clock import FakeClock
from shop.patterns.resilience import CallTimeout, DeadlineExceeded, NoTimeout, RequestDeadline, deadlines


@pytest.fixture
def clock():
    deadlines.begin(None)
    yield FakeClock()
    deadlines.begin(None)


def test_without_a_deadline_time_is_unlimited(clock):
    assert deadlines.remaining() == math.inf
    deadlines.check()


def test_after_the_deadline_no_call_begins(clock):
    deadlines.begin(RequestDeadline.within(3, clock))
    clock.advance(2)
    assert deadlines.remaining() == pytest.approx(1)
    clock.advance(2)
    assert deadlines.remaining() == 0
    with pytest.raises(DeadlineExceeded):
        deadlines.check()


def test_a_call_gets_its_limit_within_the_remaining_time(clock):
    deadlines.begin(RequestDeadline.within(5, clock))
    with CallTimeout(3).applied():
        assert deadlines.remaining() == 3
    clock.advance(4)
    with CallTimeout(3).applied():
        assert deadlines.remaining() == pytest.approx(1)
    assert deadlines.remaining() == pytest.approx(1)


def test_a_limited_call_does_not_begin_after_the_deadline(clock):
    deadlines.begin(RequestDeadline.within(1, clock))
    clock.advance(1)
    with pytest.raises(DeadlineExceeded):
        CallTimeout(3).applied()


def test_an_unlimited_call_lifts_the_deadline_only_inside(clock):
    deadlines.begin(RequestDeadline.within(1, clock))
    with NoTimeout().applied():
        assert deadlines.remaining() == math.inf
    assert deadlines.remaining() == 1


def test_a_limit_ends_with_an_exception(clock):
    deadlines.begin(RequestDeadline.within(9, clock))
    with pytest.raises(ZeroDivisionError), CallTimeout(3).applied():
        raise ZeroDivisionError
    assert deadlines.remaining() == 9


@pytest.mark.parametrize(("header", "seconds"), [("1500", 1.5), ("0", 0.0), ("999999999", 999999.999)])
def test_the_header_has_the_remaining_milliseconds(header, seconds):
    assert deadlines.read(header) == seconds
    assert deadlines.header_value(seconds) == header


@pytest.mark.parametrize("header", [None, "", "-1", "1.5", "soon", "9" * 10, "٣"])
def test_an_unreadable_header_is_none(header):
    assert deadlines.read(header) is None


def test_the_header_is_rounded_down():
    assert deadlines.header_value(0.0019) == "1"


@pytest.mark.parametrize(
    ("header", "arrived"),
    [
        ("1790000000.123", 1_790_000_000.123),
        (None, None),
        ("", None),
        ("soon", None),
        ("1790000000", None),
        ("-179000000.123", None),
        ("1790000000.123, 1790000000.123", None),
        ("nan", None),
        ("١٧٩٠٠٠٠٠٠٠.123", None),
    ],
)
def test_arrival_is_read_from_the_stamp_of_the_edge(header, arrived):
    assert deadlines.arrival(header) == arrived


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (1_790_000_002.5, 2.5),
        (1_790_000_000.0, 0.0),
        (1_789_999_990.0, 0.0),
        (1_790_000_600.0, 600.0),
        (1_790_000_601.0, 0.0),
    ],
    ids=["in a queue", "at once", "from the future", "as long as a queue can be", "from long ago"],
)
def test_wait_counts_from_the_stamp_unless_clocks_differ(now, seconds):
    assert deadlines.waited("1790000000.000", now) == seconds


def test_request_without_a_stamp_has_not_waited():
    assert deadlines.waited(None, 1_790_000_000.0) == 0.0
