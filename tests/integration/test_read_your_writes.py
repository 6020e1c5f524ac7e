"""An editor sees the edit from every process, and waits only shortly for a process that hangs."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shop.clock import SystemClock
from shop.patterns.caching import (
    Cache,
    EventInvalidation,
    InvalidationBarrier,
    InvalidationListener,
    SharedLevel,
    WriteThrough,
)
from shop.patterns.caching.events import InvalidationUnheard


class SlowHearer:
    """A process that receives an invalidation, and handles it only when the test allows it."""

    name = "slow"

    def __init__(self):
        self.told, self.may_go_on, self.done = threading.Event(), threading.Event(), threading.Event()

    def set_connected(self, *, connected):
        """Drop nothing."""

    def invalidate(self, tags):
        self.told.set()
        assert self.may_go_on.wait(20)
        self.done.set()


@pytest.fixture
def slow(settings, cache_client):
    slow = SlowHearer()
    listeners = [InvalidationListener(settings.cache_url, slow), InvalidationListener(settings.cache_url, SlowHearer())]
    listeners[1].subscriber.may_go_on.set()
    for listener in listeners:
        listener.start()
    yield slow
    slow.may_go_on.set()
    for listener in listeners:
        listener.stop()


@pytest.fixture(params=[EventInvalidation, WriteThrough])
def begin(request, settings, cache_client):
    """A factory of writers with a longest wait, and the list of their events."""
    url, clock, opened = settings.cache_url, SystemClock(), []

    def begin(bound_s):
        level, barrier, seen = SharedLevel(url, 1000, clock), InvalidationBarrier(url, bound_s), []
        opened.extend((level, barrier))
        return request.param(Cache(level, clock), barrier, seen.append), seen

    yield begin
    for one in opened:
        one.close()


def test_change_is_acknowledged_after_every_process_applied_it(begin, slow):
    writing, seen = begin(20.0)
    with ThreadPoolExecutor(1) as writer:
        changing = writer.submit(writing.on_write, ["a"])
        assert slow.told.wait(20)
        assert not changing.done()
        slow.may_go_on.set()
        changing.result(20)
    assert slow.done.is_set()
    assert seen == []


def test_hanging_process_delays_no_editor_and_is_counted(begin, slow):
    writing, seen = begin(0.05)
    writing.on_write(["a"])
    assert not slow.done.is_set()
    assert seen == [InvalidationUnheard()]


def test_a_writer_does_not_wait_without_listeners(begin):
    writing, seen = begin(20.0)
    writing.on_write(["a"])
    assert seen == []
