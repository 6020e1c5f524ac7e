"""These tests sleep only inside visits, since they test stalls.

A busy machine may add a stall longer than a whole run, and a stall only makes figures larger. So a test of an upper
bound repeats a run that exceeds it; a wrong loop would exceed the bound in every run.
"""

import itertools
import time

import gevent
import pytest

from shop.lab import pacing
from shop.lab.statistics import percentile
from tests.support.polling import until

STALL_S = 0.4


def measure(run):
    """Run a loop against a server that stalls once and otherwise answers at once; return latencies in seconds."""
    latencies, calls = [], []

    def visit(due):
        calls.append(due)
        if len(calls) == 10:
            gevent.sleep(STALL_S)
        latencies.append(time.perf_counter() - due)

    run(visit)
    return latencies


def test_a_stall_shows_in_the_tail_of_the_open_loop():
    moments = [n / 100 for n in range(100)]
    latencies = measure(lambda visit: pacing.open_loop(moments, visit, concurrency=1))
    assert len(latencies) == 100
    assert percentile(latencies, 99) > STALL_S * 0.8
    assert percentile(latencies, 80) > STALL_S * 0.25, "visits that were due during the stall waited too"


def test_the_closed_loop_hides_the_same_stall():
    def hidden():
        latencies = measure(
            lambda visit: pacing.closed_loop(STALL_S + 0.3, lambda due: (gevent.sleep(0.005), visit(due)), clients=1)
        )
        return len(latencies) > 10 and percentile(latencies, 80) < STALL_S * 0.25

    until(hidden)


def test_open_loop_visits_run_concurrently_up_to_the_bound():
    under_way, most = 0, 0

    def visit(due):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        gevent.sleep(0.05)
        under_way -= 1

    pacing.open_loop([0.0] * 20, visit, concurrency=8)
    assert most == 8, "all visits are due at once, and the bound is 8"


def test_unanswered_visits_are_dropped_after_the_drain():
    pace = pacing.open_loop([0.0, 0.0], lambda due: gevent.sleep(60), concurrency=2, drain_s=0.05)
    assert (pace.offered, pace.finished) == (2, 0)


def test_a_saturated_generator_shows_in_its_release_lags():
    def hog(due):
        end = time.perf_counter() + 0.03
        while time.perf_counter() < end:
            pass

    def lag_s(visit):
        return percentile(pacing.open_loop([n / 100 for n in range(20)], visit, concurrency=1).lags_s, 95)

    assert lag_s(hog) > 0.1
    until(lambda: lag_s(lambda due: None) < 0.1)


@pytest.mark.parametrize("clients", [1, 4])
def test_a_closed_loop_runs_one_visit_for_each_client(clients):
    under_way, most = 0, 0

    def visit(due):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        gevent.sleep(0.005)
        under_way -= 1

    def all_at_once():
        pacing.closed_loop(0.05, visit, clients=clients)
        assert most <= clients
        return most == clients

    until(all_at_once)


def test_a_rate_ceiling_spaces_visits_without_catching_up():
    def run():
        began = []

        def visit(due):
            began.append(due)
            gevent.sleep(0.12 if len(began) == 2 else 0.0)

        pacing.closed_loop(0.5, visit, clients=1, every_s=0.05)
        return [after - before for before, after in itertools.pairwise(began)]

    def begins_at_once():
        gaps = run()
        assert len(gaps) <= 0.5 / 0.05 - 2, "the client skips the visits it missed during the slow answer"
        return len(gaps) >= 3 and gaps[1] < 0.16

    until(begins_at_once)
