"""A purger with undeletable files or ended threads: it continues, keeps purges pending, and reports the fault."""

import json

import httpx
import pytest

from shop.clock import SystemClock
from shop.edge_purger import EdgePurger
from shop.patterns.caching import InvalidationListener
from shop.patterns.caching.invalidation_bus import BusChannels
from shop.patterns.caching.valkey_client import ThreadConnections
from shop.patterns.edge import AnswersPurged, EdgeFlushed, ProxyCacheFiles, PurgeFailed, SurrogateKeyIndex, TagPurger
from shop.patterns.edge.proxy_cache_files import PurgeIncomplete
from shop.patterns.edge.tag_purger import MAX_PENDING_TAGS
from shop.patterns.observability.metrics import ProcessMetrics
from shop.stack import edge as stack_edge
from shop.stack.program import free_port
from tests.support.edge import Process
from tests.support.polling import until

thread_ends = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class Files:
    """A purger with a directory of answers and a real index."""

    def __init__(self, settings, home):
        self.seen = []
        self.home = home / "store"
        self.store = ProxyCacheFiles(self.home)
        self.registry = SurrogateKeyIndex(settings.cache_url, 1000, SystemClock())
        self.purger = TagPurger(self.registry, self.store, SystemClock(), self.seen.append)

    def keep(self, key, tag):
        """Store an answer."""
        path = self.store.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.registry.register(key, [tag], 60)
        return path

    def keep_undeletable(self, key, tag):
        """Replace an answer by a directory: its deletion as a file fails for every user."""
        path = self.keep(key, tag)
        path.unlink()
        path.mkdir()
        return path


@pytest.fixture
def files(settings, cache_client, tmp_path):
    files = Files(settings, tmp_path)
    yield files
    files.registry.close()


def test_one_file_that_refuses_does_not_save_the_others(files):
    stuck = files.keep_undeletable("/p/mug", "product:mug")
    others = [files.keep(f"/p/mug/reviews?cursor={number}", "product:mug") for number in range(20)]
    with pytest.raises(PurgeIncomplete) as kept:
        files.store.flush()
    assert (kept.value.deleted, len(others), stuck.exists()) == (20, 20, True)
    assert not any(path.exists() for path in others)


def test_an_undeletable_answer_stays_pending_until_deleted(files):
    stuck = files.keep_undeletable("/p/mug", "product:mug")
    files.keep("/p/cup", "product:cup")
    files.purger.invalidate(["product:mug"])
    files.purger.invalidate(["product:cup"])  # those behind it get their turn
    assert [type(event) for event in files.seen] == [PurgeFailed, AnswersPurged]
    assert files.store.is_bypassed
    assert files.purger.fault.startswith("the edge caches nothing: 1 responses")
    for _ in range(3):
        files.purger.run_once()
    assert [type(event) for event in files.seen] == [PurgeFailed, AnswersPurged]  # told of once
    stuck.rmdir()
    stuck.touch()
    files.purger.run_once()
    assert (stuck.exists(), files.purger.fault, files.store.is_bypassed) == (False, "", False)
    assert isinstance(files.seen[-1], AnswersPurged)


def test_a_flush_that_failed_is_repeated(files):
    stuck = files.keep_undeletable("/p/mug", "product:mug")
    files.purger.set_connected(connected=False)
    stuck.rmdir()
    stuck.touch()
    files.purger.run_once()
    assert (stuck.exists(), files.purger.fault) == (False, "")
    assert files.seen[-1] == EdgeFlushed("late fills", 1)


def test_too_many_pending_tags_become_one_flush(files):
    files.keep_undeletable("/p/mug", "product:mug")
    kept = files.keep("/p/cup", "product:cup")
    files.purger.invalidate([f"product:{number}" for number in range(MAX_PENDING_TAGS + 1)])
    files.purger.run_once()
    assert not kept.exists()


def test_the_fault_says_if_the_bypass_fails_too(files):
    files.keep_undeletable("/p/mug", "product:mug")
    bypass_file = files.home.with_name("store.closed")
    bypass_file.symlink_to(files.home / "no" / "such" / "place")
    files.purger.invalidate(["product:mug"])
    assert files.purger.fault.startswith("outdated responses are still served: ")


def test_an_unwritable_cache_directory_is_a_fault(files):
    assert files.store.fault == ""  # nginx has not begun
    files.keep("/p/mug", "product:mug")
    assert files.store.fault == ""
    files.home.rename(files.home.with_name("aside"))
    files.home.touch()
    assert files.store.fault == "nothing can be cached: the cache directory is not writable"


def test_the_purger_works_without_published_static_files(settings, database, cache_client, tmp_path):
    there = settings.model_copy(update={"var_dir": tmp_path})
    there.edge_dir.mkdir()
    (there.edge_dir / "published").touch()  # in the place of the directory
    purging = EdgePurger(there, database, ProcessMetrics())
    purging.start()
    store = ProxyCacheFiles(there.edge_dir / "store")
    kept = store.path("/p/mug")
    kept.parent.mkdir(parents=True)
    kept.touch()
    purging.purger.flush("a test")
    with pytest.raises(OSError, match="published"):
        purging.loop.run_once()
    assert not kept.exists()
    (there.edge_dir / "published").unlink()
    purging.loop.run_once()
    assert (there.edge_dir / "published" / "gzip").is_dir()
    purging.close()


class Unwell:
    """A subscriber that fails at each call, and counts them."""

    name = "unwell"

    def __init__(self, error):
        self.error, self.told = error, []

    def set_connected(self, *, connected):
        self.told.append(connected)
        raise self.error

    def invalidate(self, tags):
        raise self.error


def test_a_failing_subscriber_does_not_stop_the_listener(settings, cache_client):
    unwell = Unwell(OSError("read-only"))
    listener = InvalidationListener(settings.cache_url, unwell)
    listener.start()
    until(lambda: unwell.told.count(False) >= 2)  # told again, so it goes on
    assert listener.fault == ""
    listener.stop()


@thread_ends
def test_a_listener_whose_thread_has_ended_is_not_well(settings, cache_client):
    listener = InvalidationListener(settings.cache_url, Unwell(SystemExit()))
    listener.start()
    until(lambda: listener.fault == "its thread has ended")
    listener.stop()
    assert listener.fault == ""


@pytest.fixture
def purger(settings, database, cache_client, tmp_path):
    """The purger's own process."""
    program = stack_edge.purger(settings.model_copy(update={"var_dir": tmp_path}), free_port())
    process = Process(program, tmp_path)
    process.ready = lambda: httpx.get(f"http://127.0.0.1:{program.port}/readyz")
    process.metrics = lambda: httpx.get(f"http://127.0.0.1:{program.port}/metrics").text
    yield process
    process.stop()


def test_purger_is_not_ready_while_a_file_is_undeletable(settings, purger, files, tmp_path):
    home = settings.model_copy(update={"var_dir": tmp_path}).edge_dir
    files.store = ProxyCacheFiles(home / "store")
    until(lambda: purger.ready().status_code == 200)
    stuck = files.keep_undeletable("/p/mug", "product:mug")
    invalidate(settings, "product:mug")
    until(lambda: purger.ready().status_code == 503)
    faults = json.loads(purger.ready().text)["loops"]
    assert [name for name, fault in faults.items() if fault] == ["edge-store"]
    assert "shop_edge_purge_failures_total" in purger.metrics()
    later = files.keep("/p/cup", "product:cup")
    invalidate(settings, "product:cup")
    until(lambda: not later.exists())
    stuck.rmdir()
    until(lambda: purger.ready().status_code == 200)


def invalidate(settings, tag):
    """Broadcast the invalidation of a tag."""
    connections = ThreadConnections(settings.cache_url, 1.0)
    channel = BusChannels.of_database(connections.database).invalidated
    connections.execute_pipeline([("PUBLISH", channel, json.dumps([tag]))])
    connections.close()


@thread_ends
def test_a_web_process_without_listener_is_not_ready(settings, runtime, client):
    runtime.start()
    assert client.get("/readyz").json["dependencies"]["threads"]["state"] == "ok"
    runtime.cache.listener.subscriber = Unwell(SystemExit())
    invalidate(settings, "product:mug")

    def told():
        answer = client.get("/readyz")
        return answer.status_code == 503 and answer.json["dependencies"]["threads"]["detail"]

    assert until(told) == "invalidations: its thread has ended"
