"""A cache that is down, hangs or recovers: the store is slower, and serves no wrong value."""

import signal
import subprocess
import threading
import time

import pytest
import redis

from shop.patterns.caching import CATALOGUE, Cache, SharedLevel, valkey_client
from shop.patterns.caching.events import InvalidationsUndelivered, LevelDown, LevelUp, LookupFinished, TagsInvalidated
from shop.patterns.observability import request_record
from shop.patterns.observability.cache_metrics import CacheTelemetry
from shop.patterns.observability.metrics import ProcessMetrics
from shop.stack import valkey
from shop.stack.program import free_port
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure
from tests.support.shifted_clock import ShiftedClock

TIMEOUT_MS = 1_000  # more than a well server's machine may stand still


class OwnValkey:
    """A server for this test alone, which can be stopped."""

    def __init__(self, home, *options):
        self._options = options
        self.program = valkey.cache(home, free_port(), memory_mb=16)
        self.url = valkey.url(home, self.program.port)
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [*self.program.argv, *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with ended_on_failure(self.kill):
            until(self.program.healthy)

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path):
    server = OwnValkey(tmp_path / "valkey")
    yield server
    server.go_on()
    server.kill()


@pytest.fixture
def clock():
    return ShiftedClock()


@pytest.fixture
def seen():
    return []


@pytest.fixture
def cache(server, clock, seen):
    level = SharedLevel(server.url, TIMEOUT_MS, clock, seen.append)
    yield Cache(level, clock, seen.append)
    level.close()


def take(cache, value=b"fresh"):
    return cache.get_or_load("k", CATALOGUE, ["a"], lambda: value)


def timed(work):
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def test_waiting_for_a_hanging_cache_counts_as_cache_time(server, clock):
    level = SharedLevel(server.url, TIMEOUT_MS, clock)
    cache = Cache(level, clock, CacheTelemetry(ProcessMetrics().cache))
    take(cache)
    server.hang()
    request = request_record.begin()
    _, waited_s = timed(lambda: cache.peek("k", CATALOGUE, ["a"]))  # as the short way looks, before Flask is asked
    take(cache, b"from the database")
    assert request.cache_s >= waited_s * 0.9
    level.close()


@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_an_outage_costs_one_bounded_wait(server, cache, seen, fault):
    take(cache)
    getattr(server, fault)()
    value, first_s = timed(lambda: take(cache, b"from the database"))
    assert value == b"from the database"
    assert first_s < TIMEOUT_MS / 1000 * 2.5
    _, rest_s = timed(lambda: [take(cache) for _ in range(100)])
    assert rest_s < TIMEOUT_MS / 1000
    assert [event.reason != "" for event in seen if isinstance(event, LevelDown)] == [True]  # told once a pause
    answers = [event for event in seen if isinstance(event, LookupFinished)]
    assert all(answer.outcome == "bypass" and answer.level_down for answer in answers[1:])


def test_one_thread_probes_after_a_pause_without_blocking_others(server, cache, clock, seen):
    take(cache)
    server.hang()
    take(cache)
    clock.advance(valkey_client.OUTAGE_PAUSE_S)
    waits = []
    threads = [threading.Thread(target=lambda: waits.append(timed(lambda: take(cache))[1])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(wait >= TIMEOUT_MS / 1000 * 0.9 for wait in waits) == 1


def test_a_recovered_cache_is_used_again(server, cache, clock, seen):
    take(cache, b"old")
    server.hang()
    take(cache)
    server.go_on()
    clock.advance(valkey_client.OUTAGE_PAUSE_S)
    assert take(cache, b"not asked") == b"old"
    assert any(isinstance(event, LevelUp) for event in seen)


def test_a_restarted_cache_costs_its_connections_not_a_pause(server, cache, seen):
    take(cache)
    server.kill()
    server.start()
    take(cache)
    assert not [event for event in seen if isinstance(event, LevelDown)]


def test_a_pending_invalidation_is_delivered_before_the_next_read(server, cache, clock, seen):
    take(cache, b"old")
    server.hang()
    cache.invalidate(["a"])
    assert [event.delayed for event in seen if isinstance(event, TagsInvalidated)] == [True]
    server.go_on()
    clock.advance(valkey_client.OUTAGE_PAUSE_S)
    assert take(cache, b"new") == b"new"


def test_closing_delivers_pending_invalidations_despite_the_pause(server, cache, clock, seen):
    take(cache, b"old")
    server.hang()
    cache.invalidate(["a"])
    server.go_on()
    cache._level.close()
    other = SharedLevel(server.url, TIMEOUT_MS, clock)
    assert take(Cache(other, clock), b"new") == b"new"
    other.close()
    assert [event for event in seen if isinstance(event, InvalidationsUndelivered)] == []


def test_closing_during_an_outage_reports_undelivered_invalidations(server, clock, seen):
    level = SharedLevel(server.url, 50, clock, seen.append)
    server.hang()
    level.invalidate(["a", "b"])
    level.close()
    assert [event.tags for event in seen if isinstance(event, InvalidationsUndelivered)] == [("a", "b")]


def test_an_invalidation_during_a_pause_is_pending_too(server, cache, clock):
    take(cache, b"old")
    server.hang()
    take(cache)
    server.go_on()
    cache.invalidate(["a"])  # still within the pause: nobody asks, though it would answer again
    clock.advance(valkey_client.OUTAGE_PAUSE_S)
    assert take(cache, b"new") == b"new"


def test_an_outage_during_a_load_does_not_affect_its_value(server, cache):
    def load():
        server.hang()
        return b"loaded"

    assert cache.get_or_load("k", CATALOGUE, ["a"], load) == b"loaded"


def test_a_server_error_leaves_no_answer_in_the_connection(server, cache, clock):
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        assert take(cache, b"one") == b"one"  # the first of several commands in one packet is refused
        client.config_set("maxmemory", "0")
    clock.advance(valkey_client.OUTAGE_PAUSE_S)
    assert take(cache, b"two") == b"two"
    assert take(cache, b"not asked") == b"two"


def test_short_lived_threads_do_not_exhaust_the_connections(server, cache, seen):
    for _ in range(150):
        thread = threading.Thread(target=take, args=(cache,))
        thread.start()
        thread.join()
    assert not [event for event in seen if isinstance(event, LevelDown)]
    with redis.Redis.from_url(server.url) as client:
        assert client.info("clients")["connected_clients"] < 50  # a thread that ends takes its connection along
