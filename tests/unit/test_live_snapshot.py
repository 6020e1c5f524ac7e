"""One computed answer for all viewers: in a process, and between the processes."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shop.lab_console.live_snapshot import KEPT_POINTS, LiveSnapshot
from shop.lab_console.live_state import describe_state
from shop.patterns.observability.live_figures import EdgeReading, SumsReading
from shop.patterns.observability.live_sums import WebSums
from shop.patterns.queue.queue_report import QueueReport


class CountedStore:
    """A store that answers ten requests a second, and counts how often its sums are read."""

    def __init__(self):
        self.now = 1000.0
        self.reads = 0

    def read(self):
        self.reads += 1
        since = self.now - 1000
        edge = EdgeReading(self.now, int(20 * since), 0, int(10 * since), 0, int(15 * since), {0.001: int(20 * since)})
        web = WebSums(requests=int(10 * since), durations={0.01: int(10 * since)}, lookups={"shop-local": (1, 0)})
        return SumsReading(self.now, web, edge)


@pytest.fixture
def store():
    return CountedStore()


@pytest.fixture
def snapshot_of(store, tmp_path):
    """Return a function that makes a process's snapshot; all share one file."""
    return lambda: LiveSnapshot(tmp_path / "live.json", store.read, lambda reading: {}, lambda: store.now)


def test_many_viewers_cost_one_computation_a_second(store, snapshot_of):
    snapshot = snapshot_of()
    for _ in range(3):
        with ThreadPoolExecutor(8) as viewers:
            list(viewers.map(lambda _: snapshot.newest(), range(30)))
        store.now += 1
    assert store.reads == 3


def test_processes_share_the_answer(store, snapshot_of):
    one, other = snapshot_of(), snapshot_of()
    one.newest()
    store.now += 1
    assert json.loads(one.newest())["point"]["requests"] == 20
    assert other.newest() == one.newest()
    assert store.reads == 2


def test_points_of_two_processes_follow_each_other(store, snapshot_of):
    processes = [snapshot_of(), snapshot_of()]
    for second in range(6):
        processes[second % 2].newest()
        store.now += 1
    points = json.loads(processes[0].history())["points"]
    assert [point["seconds"] for point in points] == [1.0] * 6


def test_a_viewer_does_not_wait_for_a_computation(store, snapshot_of):
    snapshot = snapshot_of()
    first = snapshot.newest()
    store.now += 1
    entered, leave = threading.Event(), threading.Event()
    read = store.read

    def slow_read():
        entered.set()
        assert leave.wait(10)
        return read()

    snapshot._read = slow_read
    with ThreadPoolExecutor(1) as viewer:
        computing = viewer.submit(snapshot.newest)
        assert entered.wait(10)
        assert snapshot.newest() == first
        leave.set()
        assert computing.result(10) != first


def test_history_is_a_minute_and_begins_anew_after_a_gap(store, snapshot_of):
    snapshot = snapshot_of()
    for _ in range(KEPT_POINTS + 5):
        snapshot.newest()
        store.now += 1
    assert len(json.loads(snapshot.history())["points"]) == KEPT_POINTS
    store.now += 60
    assert json.loads(snapshot.history())["points"] == []


def test_a_damaged_file_is_replaced(store, snapshot_of, tmp_path):
    (tmp_path / "live.json").write_text("{")
    assert json.loads(snapshot_of().newest())["point"] is None
    store.now += 1
    assert json.loads(snapshot_of().newest())["point"] is not None


def test_state_names_open_breakers_and_faults():
    reading = SumsReading(100.0, WebSums(in_flight=2, breakers={"payments": (0, 2, 2), "shop-shared": (0, 0)}))
    report = QueueReport(99.0, 4, 1.5, 1, {"mail": 2, "links": 1})
    state = describe_state(reading, report, {"cache": "down", "mail": "none"}, 7, "")
    assert state["breakers"] == [
        {"name": "payments", "state": "open", "processes": 2},
        {"name": "cache", "state": "closed", "processes": 2},
    ]
    assert (state["outbox"], state["queue"], state["dead"], state["faults"]) == (4, 3, 1, {"cache": "down"})


def test_an_old_report_of_the_worker_is_not_shown():
    report = QueueReport(50.0, 4, 1.5, 1, {"mail": 2})
    state = describe_state(SumsReading(100.0, WebSums()), report, {}, 7, "")
    assert (state["outbox"], state["queue"]) == (None, None)
