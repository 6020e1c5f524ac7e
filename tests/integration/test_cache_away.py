"""A cache that is dead, hangs, or comes back: slower, never wrong, never down."""

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
from tests.support.fake_clock import ShiftedClock
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure

TIMEOUT_MS = 1_000  # more than a well server's machine may stand still


class OwnValkey:
    """A server of this test's own, to be stopped at will."""

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


def test_the_wait_for_a_hanging_cache_is_booked_to_the_cache_whoever_looks_first(server, clock):
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
def test_a_cache_that_is_away_costs_one_bounded_wait_and_then_none(server, cache, seen, fault):
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


def test_when_a_pause_ends_one_thread_tries_and_the_others_do_not_wait(server, cache, clock, seen):
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


def test_it_is_used_again_once_it_answers(server, cache, clock, seen):
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


def test_an_invalidation_that_met_a_hanging_cache_is_made_up_for_before_the_next_read(server, cache, clock, seen):
    take(cache, b"old")
    server.hang()
    cache.invalidate(["a"])
    assert [event.delayed for event in seen if isinstance(event, TagsInvalidated)] == [True]
    server.go_on()
    clock.advance(valkey_client.OUTAGE_PAUSE_S)
    assert take(cache, b"new") == b"new"


def test_a_process_that_ends_delivers_what_it_owes_without_waiting_for_the_pause_to_end(server, cache, clock, seen):
    take(cache, b"old")
    server.hang()
    cache.invalidate(["a"])
    server.go_on()
    cache._level.close()
    other = SharedLevel(server.url, TIMEOUT_MS, clock)
    assert take(Cache(other, clock), b"new") == b"new"
    other.close()
    assert [event for event in seen if isinstance(event, InvalidationsUndelivered)] == []


def test_a_process_that_ends_while_the_cache_is_away_says_what_it_could_not_deliver(server, clock, seen):
    level = SharedLevel(server.url, 50, clock, seen.append)
    server.hang()
    level.invalidate(["a", "b"])
    level.close()
    assert [event.tags for event in seen if isinstance(event, InvalidationsUndelivered)] == [("a", "b")]


def test_an_invalidation_during_a_pause_is_owed_as_well(server, cache, clock):
    take(cache, b"old")
    server.hang()
    take(cache)
    server.go_on()
    cache.invalidate(["a"])  # still within the pause: nobody asks, though it would answer again
    clock.advance(valkey_client.OUTAGE_PAUSE_S)
    assert take(cache, b"new") == b"new"


def test_a_load_under_way_when_the_cache_goes_away_is_answered_all_the_same(server, cache):
    def load():
        server.hang()
        return b"loaded"

    assert cache.get_or_load("k", CATALOGUE, ["a"], load) == b"loaded"


def test_an_error_as_an_answer_leaves_no_reply_behind_for_the_next_question(server, cache, clock):
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        assert take(cache, b"one") == b"one"  # the first of several commands in one packet is refused
        client.config_set("maxmemory", "0")
    clock.advance(valkey_client.OUTAGE_PAUSE_S)
    assert take(cache, b"two") == b"two"
    assert take(cache, b"not asked") == b"two"


def test_threads_that_come_and_go_never_use_up_the_connections(server, cache, seen):
    for _ in range(150):
        thread = threading.Thread(target=take, args=(cache,))
        thread.start()
        thread.join()
    assert not [event for event in seen if isinstance(event, LevelDown)]
    with redis.Redis.from_url(server.url) as client:
        assert client.info("clients")["connected_clients"] < 50  # a thread that ends takes its connection along
