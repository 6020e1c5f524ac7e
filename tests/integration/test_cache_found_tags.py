"""Values with found tags: invalidating a tag that only the load knows ends the value."""

import threading

import pytest

from shop.clock import SystemClock
from shop.patterns.caching import (
    CATALOGUE,
    Cache,
    EventInvalidation,
    LocalLevel,
    SharedLevel,
    TaggedValue,
    TtlOnly,
    found_tags,
)
from shop.patterns.caching.events import LoadFinished, StaleFillRejected
from shop.patterns.caching.valkey_client import ThreadConnections
from tests.support.polling import until


class Source:
    """A page of X that shows Y: its load returns the present Y and its tag."""

    def __init__(self):
        self.now, self.shows, self.loads = b"old", ("y",), 0
        self.meanwhile = lambda: None

    def __call__(self):
        self.loads += 1
        value = TaggedValue(self.now, self.shows)
        self.meanwhile()
        return value


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def process(settings, cache_client):
    """The objects of one process; a second instance is another process."""
    levels = []

    def begin(*, local=False, seen=None):
        clock = SystemClock()
        levels.append(SharedLevel(settings.cache_url, 2000, clock))
        copies = LocalLevel(1_000_000, clock) if local else None
        if copies is not None:
            copies.set_connected(connected=True)
        return Cache(levels[-1], clock, (seen if seen is not None else []).append, copies)

    yield begin
    for level in levels:
        level.close()


def page(cache, source):
    return cache.get_or_load("page", CATALOGUE, ["x"], source, finds_tags=True)


@pytest.mark.parametrize("local", [False, True])
def test_invalidating_a_found_tag_ends_the_value(process, source, local):
    one, other = process(local=local), process()
    for cache in (one, other, one):
        assert (page(cache, source), found_tags(page(cache, source))) == (b"old", ("y",))
    assert source.loads == 1
    source.now = b"new"
    one.invalidate(["y"])
    assert [page(cache, source) for cache in (one, other)] == [b"new", b"new"]
    assert source.loads == 2


def test_found_tags_may_change_with_the_value(process, source):
    cache, other = process(), process()
    page(cache, source)
    source.now, source.shows = b"new", ("z",)
    cache.invalidate(["x"])
    assert found_tags(page(other, source)) == ("z",)
    other.invalidate(["y"])
    assert (page(cache, source), source.loads) == (b"new", 2)


@pytest.mark.parametrize("tag", ["y", "z"])
def test_any_invalidation_during_the_load_rejects_the_value(process, source, tag):
    """The tag of Y is unknown before the load, so any invalidation during the load rejects the value."""
    seen = []
    cache, other = process(seen=seen), process()
    page(cache, source)
    cache.invalidate(["x"])
    source.meanwhile = lambda: other.invalidate([tag])
    assert page(cache, source) == b"old"
    source.now, source.meanwhile = b"new", lambda: None
    assert page(other, source) == b"new"
    assert [type(event) for event in seen if isinstance(event, (StaleFillRejected, LoadFinished))] == [
        LoadFinished,
        LoadFinished,
        StaleFillRejected,
    ]


def test_a_reader_after_an_invalidation_joins_no_earlier_load(process, source):
    cache, begun, may_end = process(local=True), threading.Event(), threading.Event()
    source.meanwhile = lambda: (begun.set(), may_end.wait(20))
    early = threading.Thread(target=page, args=(cache, source))
    early.start()
    assert begun.wait(20)
    source.now, source.meanwhile = b"new", lambda: None
    cache.invalidate(["y"])
    got = []
    late = threading.Thread(target=lambda: got.append(page(cache, source)))
    late.start()
    until(lambda: got, timeout_s=10)
    assert got == [b"new"]
    may_end.set()
    early.join(20)
    late.join(20)
    assert page(cache, source) == b"new"


def test_peek_misses_after_the_found_tags_changed(process, source):
    """The fast path knows a URL by the tags of its last answer, and registers those tags for the edge."""
    cache, local, tags = process(), process(local=True), ["x", "y"]
    page(cache, source)
    assert [one.peek("page", CATALOGUE, tags).value for one in (cache, local, local)] == [b"old"] * 3
    source.now, source.shows = b"new", ("y", "z")
    cache.invalidate(["x"])
    local.invalidate(["x"])
    for one in (cache, local):
        page(one, source)
        assert one.peek("page", CATALOGUE, tags) is None
        assert one.peek("page", CATALOGUE, [*tags, "z"]).value == b"new"


def test_ttl_only_ignores_found_tags_too(process, source):
    cache = process()
    by_time = TtlOnly(cache)
    assert found_tags(page(by_time, source)) == ()
    EventInvalidation(cache).invalidate(["y"])
    source.now = b"new"
    assert page(by_time, source) == b"old"


def test_found_tags_cost_no_additional_round_trip(process, source, monkeypatch):
    """The look-up reads the versions before the load, and the check before storing reads those of the found tags."""
    cache, trips, exchange = process(), [], ThreadConnections.execute_pipeline
    page(cache, source)
    cache.invalidate(["x"])
    monkeypatch.setattr(
        ThreadConnections,
        "execute_pipeline",
        lambda self, sent, *limit: trips.append(len(sent)) or exchange(self, sent, *limit),
    )
    cache.get_or_load("plain", CATALOGUE, ["x"], lambda: b"plain")
    plain = len(trips)
    page(cache, source)
    assert (source.loads, len(trips) - plain) == (2, plain)
