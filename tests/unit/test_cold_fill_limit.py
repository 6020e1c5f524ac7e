"""The places for loads of one process."""

import threading

import pytest

from shop.patterns.caching import nested_reads
from shop.patterns.caching.cold_fill_limit import ColdFillLimit
from tests.support.polling import until


class NoPlace(Exception):
    """What a load without a place raises."""


def test_load_without_a_place_fails_after_its_wait():
    limit = ColdFillLimit(places=1, max_wait_s=0.05)
    began, may_end = threading.Event(), threading.Event()

    def hang():
        began.set()
        assert may_end.wait(5)
        return b"first"

    thread = threading.Thread(target=limit.bound(hang, NoPlace))
    thread.start()
    assert began.wait(5)
    with pytest.raises(NoPlace):
        limit.bound(lambda: b"second", NoPlace)()
    may_end.set()
    thread.join()
    assert limit.bound(lambda: b"second", NoPlace)() == b"second"


def test_never_more_loads_run_than_places():
    limit = ColdFillLimit(places=2, max_wait_s=5)
    running, most, may_end = [], [], threading.Event()

    def load():
        running.append(1)
        most.append(len(running))
        assert may_end.wait(5)
        running.pop()
        return b""

    threads = [threading.Thread(target=limit.bound(load, NoPlace)) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: len(most) == 2)
    may_end.set()
    for thread in threads:
        thread.join()
    assert len(most) == 6
    assert max(most) <= 2


def test_failed_load_gives_its_place_back():
    limit = ColdFillLimit(places=1, max_wait_s=0.05)

    def fail():
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            limit.bound(fail, NoPlace)()


def test_load_within_a_load_needs_no_place():
    limit = ColdFillLimit(places=1, max_wait_s=0.05)

    def outer():
        _, token = nested_reads.begin()
        try:
            return limit.bound(lambda: b"inner", NoPlace)()
        finally:
            nested_reads.end(token)

    assert limit.bound(outer, NoPlace)() == b"inner"
