"""The reader's code in the running store: each way to misbehave is told apart, and other visitors are answered.

One store for all of it: two web processes of gunicorn, on the real servers.
"""

import itertools
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import psutil
import pytest
from sqlalchemy import select

from shop.catalog.models import Category
from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.store_slot import offer_attempt
from shop.switches.attempt_notes import MAX_ENDS, AttemptNotes
from shop.switches.attempt_slots import STATE_SUFFIX, AttemptSlots, version_of
from tests.support.factories import make_category, make_product
from tests.support.polling import seconds_until, until
from tests.support.web_server import WebServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("attempt-in-store")]
JITTER = load_definition(EXERCISES / "04-ttl-jitter")
NAME = "cache.jitter"
SLUGS = (f"mug-{number}" for number in itertools.count(1))
BEGIN = "import os, sys, time\n\n\ndef jittered(draw):\n    def lifetime(ttl_s):\n        "
END = "\n\n    return lifetime\n"
IN_LIFETIME = "attempt.py:6, in lifetime"


def bad_lifetime(line):
    return f"{BEGIN}{line}{END}"


NOT_LOADED = {
    "syntax error": ("def jittered(draw)\n    pass\n", "syntax", "line 1, column 19", "attempt.py:1:19"),
    "import that raises": ("import no_such\ndef jittered(draw): pass\n", "import", "no_such", "attempt.py:1"),
    "endless import": ("while True: pass\ndef jittered(draw): pass\n", "import", "had not ended", "attempt.py:1"),
    "exit at import": ("import os\nos._exit(3)\ndef jittered(draw): pass\n", "import", "os._exit", "attempt.py:2"),
    "missing name": ("def jiter(draw): pass\n", "interface", "defines jiter", "Define"),
    "wrong parameters": ("def jittered(ttl_s, draw): pass\n", "interface", "(ttl_s, draw)", "line 1"),
}
FAILS = {
    "wrong return": ("def jittered(draw):\n    return 3\n", "return", "3.", "attempt.py"),
    "wrong lifetime": (bad_lifetime("return -1"), "return", "-1, which is no lifetime", "attempt.py"),
    "exception": (bad_lifetime("raise ValueError('no such thing')"), "exception", "no such thing", IN_LIFETIME),
    "sys.exit": (bad_lifetime("sys.exit(3)"), "exit", "sys.exit, code 3", IN_LIFETIME),
    "os._exit": (bad_lifetime("os._exit(3)"), "exit", "os._exit, code 3", IN_LIFETIME),
    "recursion": (bad_lifetime("return lifetime(ttl_s)"), "recursion", "without an end", IN_LIFETIME),
    "1 MB of output": (bad_lifetime("print('x' * 1_000_000)"), "output", "printed more than", IN_LIFETIME),
}


@dataclass
class StoreWithSlot:
    """The running store, and the reader's file."""

    url: str
    slots: AttemptSlots
    file: Path
    database: object
    version: str = ""

    def put_attempt(self, text):
        """Save an attempt and put it in force in every process; return the answer of the store."""
        self.file.write_text(text)
        answer = httpx.put(f"{self.url}/api/v1/switches/{NAME}", json={"value": "attempt"}, timeout=30)
        assert answer.status_code == 200, answer.text
        self.version = version_of(answer.json()["value"])
        return answer.json()

    def add_product(self):
        """Return the address of a product that no cache has."""
        slug = next(SLUGS)
        with self.database.transaction() as session:
            category = session.scalar(select(Category)) or make_category(session)
            make_product(session, category, slug)
        return f"{self.url}/api/v1/screens/product/{slug}"

    def load_cold(self):
        """Request a product that no cache has."""
        return httpx.get(self.add_product(), timeout=30)

    def notes(self):
        return AttemptNotes(self.slots, self.slots.load()[NAME], self.version).load()

    def note_of(self, kind):
        return next((note for note in self.notes() if note.kind == kind), None)

    def is_suspended(self):
        copy = self.slots.copy_path(self.slots.load()[NAME], self.version)
        return copy.with_suffix(STATE_SUFFIX).read_bytes() == b"\1"

    def value(self):
        items = httpx.get(f"{self.url}/api/v1/switches", timeout=30).json()["items"]
        return next(item["value"] for item in items if item["name"] == NAME)

    def visitor_s(self):
        """Return how long another visitor waits: the median of three."""
        waits = []
        for _ in range(3):
            began = time.monotonic()
            assert httpx.get(self.warm, timeout=30).status_code == 200
            waits.append(time.monotonic() - began)
        return median(waits)


@pytest.fixture(scope="module")
def running(settings, tmp_path_factory):
    home = tmp_path_factory.mktemp("store-with-slot")
    server = WebServer(settings, home, workers=2)
    try:
        server.wait()
        yield server.url, home
    finally:
        server.stop()


@pytest.fixture
def store(running, database, cache_client, tmp_path):
    url, home = running
    file = tmp_path / "attempt.py"
    slots = AttemptSlots(home)
    offer_attempt(JITTER, file, home)
    store = StoreWithSlot(url, slots, file, database)
    store.warm = store.add_product()
    until(lambda: all(answers(store.warm) for _ in range(4)))
    yield store
    httpx.put(f"{url}/api/v1/switches/{NAME}", json={"value": "on"}, timeout=30)
    until(lambda: all(answers(f"{url}/readyz") for _ in range(8)))  # both processes are there, with all their threads
    for path in slots.folder.glob("04-*/*.jsonl"):
        path.unlink()


@pytest.mark.parametrize("name", NOT_LOADED)
def test_attempt_that_cannot_be_loaded_is_told(name, store):
    text, kind, came, look = NOT_LOADED[name]
    assert store.put_attempt(text)["value"].startswith("attempt:")
    note = until(lambda: store.note_of(kind))
    assert came in note.came
    assert look in note.look
    assert store.load_cold().status_code == 200
    assert store.visitor_s() < 1
    assert {one.kind for one in store.notes()} == {kind}


@pytest.mark.parametrize("name", FAILS)
def test_store_does_a_call_that_fails_itself(name, store):
    text, kind, came, look = FAILS[name]
    store.put_attempt(text)

    def fail():
        assert store.load_cold().status_code == 200  # the visitor whose request it was gets an answer, too
        return store.note_of(kind)

    note = until(fail)
    assert came in note.came
    assert look in note.look
    assert store.visitor_s() < 1
    assert {one.kind for one in store.notes()} == {kind}
    until(lambda: store.value().startswith("attempt:"))  # it was no end: the attempt stays in force


def test_three_ended_loops_restore_the_default_everywhere(store):
    store.put_attempt(bad_lifetime("while True: pass"))
    waits = []

    def load():
        assert store.load_cold().status_code == 200
        waits.append(store.visitor_s())
        return store.note_of("stopped")

    stopped = until(load)
    ends = [note for note in store.notes() if note.ended]
    assert len(ends) >= MAX_ENDS
    assert {note.kind for note in ends} == {"overdue"}
    assert IN_LIFETIME in ends[0].look
    assert "in force again, in every process" in stopped.came
    assert median(waits) < 1
    until(lambda: all(store.value() == "on" for _ in range(6)))


def test_endless_sleep_has_its_process_replaced(store):
    store.put_attempt(bad_lifetime("time.sleep(3600)"))
    sleeping = threading.Thread(target=load_until_noted, args=(store,), daemon=True)
    sleeping.start()
    until(store.is_suspended)
    began = time.monotonic()
    assert store.load_cold().status_code == 200  # it would sleep, too, had the store not taken over these calls
    waits = [time.monotonic() - began]
    note = until(lambda: waits.append(store.visitor_s()) or store.note_of("stuck"))
    assert IN_LIFETIME in note.look
    assert note.ended
    pid = int(note.process.split()[1])
    until(lambda: waits.append(store.visitor_s()) or not is_running(pid))
    assert max(waits) < 1
    sleeping.join(30)


def test_process_that_is_killed_in_a_call_is_told(store):
    store.put_attempt(bad_lifetime("os.kill(os.getpid(), 9)"))
    waits = []

    def load():
        with suppress(httpx.HTTPError):
            store.load_cold()
        waits.append(store.visitor_s())
        return store.note_of("died")

    note = until(load)
    assert "the process ended in it" in note.came
    assert median(waits) < 1


def test_process_that_hangs_in_c_code_is_ended(store):
    store.put_attempt(bad_lifetime("return sum(range(10 ** 12))"))
    hanging = threading.Thread(target=load_until_noted, args=(store,), daemon=True)
    hanging.start()
    note = until(lambda: store.note_of("hung"), timeout_s=60)
    assert IN_LIFETIME in note.look
    hanging.join(30)


def test_save_is_in_force_within_a_second(store):
    httpx.put(f"{store.url}/api/v1/switches/cache.local", json={"value": "off"}, timeout=30)  # copies live seconds
    store.put_attempt(bad_lifetime("return 111"))
    until(lambda: {lifetime_of(store) for _ in range(6)} == {111})
    store.file.write_text(bad_lifetime("return 222"))
    seen = []

    def load():
        seen.append(lifetime_of(store))
        return seen[-6:] == [222] * 6

    assert seconds_until(load) < 1.5  # with the last twelve requests themselves


def test_lab_page_tells_what_the_attempt_did(store):
    store.put_attempt(bad_lifetime("raise ValueError('no such thing')"))
    until(lambda: store.load_cold() and store.note_of("exception"))
    page = httpx.get(f"{store.url}/lab", timeout=30).text
    assert "ValueError: no such thing" in page
    assert IN_LIFETIME in page


def answers(address):
    with suppress(httpx.HTTPError):
        return httpx.get(address, timeout=30).status_code == 200
    return False


def load_until_noted(store):
    """Request products that no cache has until one of the requests has met the attempt; the request may break."""
    while not store.notes():
        with suppress(httpx.HTTPError):
            store.load_cold()


def lifetime_of(store):
    """Return with which of two lifetimes the store caches a product now, in seconds."""
    address = store.add_product()
    httpx.get(address, timeout=30)
    status = httpx.get(address, timeout=30).headers["Cache-Status"]
    left_s = int(re.search(r"ttl=(\d+)", status)[1])
    return min((111, 222), key=lambda lifetime: abs(lifetime - left_s))


def is_running(pid):
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
