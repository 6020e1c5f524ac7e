"""Names and parameters are checked against the Protocol: in the text, and of a returned object before its behaviour."""

import inspect
import threading
from pathlib import Path

import pytest

from shop.exercises.attempt_interface import InterfaceMissing, accepts, load_interface
from shop.exercises.graders.attempt_calls import AttemptCalls, DefinedCall
from shop.exercises.graders.attempt_servers import AttemptServers
from shop.exercises.server_addresses import NO_SERVERS
from shop.exercises.source_check import check_source
from shop.exercises.verdict import AttemptFailed

LOCK = load_interface("ValkeyLock", "tests.exercises.lock_interface:LockFactory")
METHODS = """
    def acquire(self, key, ttl_ms): return None
    def release(self, key, token): return False
"""
FITTING = {
    "class": f"class ValkeyLock:\n    def __init__(self, valkey, *, prefix=''): pass{METHODS}",
    "keyword by position": f"class ValkeyLock:\n    def __init__(self, valkey, prefix='', wait_s=0): pass{METHODS}",
    "dataclass": f"@dataclass\nclass ValkeyLock:\n    valkey: object\n    prefix: str = ''{METHODS}",
    "inherited": "class ValkeyLock(Base):\n    def release(self, key, token): return False",
    "assigned method": f"class ValkeyLock:\n    def __init__(self, valkey, prefix=''): pass{METHODS}".replace(
        "    def release(self, key, token): return False", "    release = forget"
    ),
    "function": "def ValkeyLock(valkey, **options): return Held(valkey)",
    "assigned": "ValkeyLock = make()",
    "imported": "from base import ValkeyLock",
}
FAULTY = {
    "no class": ("class Lock: pass", "the file defines Lock.", "Define the class ValkeyLock"),
    "other parameters": (
        f"class ValkeyLock:\n    def __init__(self, client, prefix=''): pass{METHODS}",
        "def __init__(self, client, prefix='') in line 2.",
        "line 2",
    ),
    "required prefix": (
        f"class ValkeyLock:\n    def __init__(self, valkey, *, prefix): pass{METHODS}",
        "def __init__(self, valkey, *, prefix) in line 2.",
        "line 2",
    ),
    "missing method": (
        "class ValkeyLock:\n    def __init__(self, valkey, prefix=''): pass\n    def acquire(self, key, ttl_ms): pass",
        "the class ValkeyLock in line 1 defines __init__, acquire.",
        "Add the method release",
    ),
    "method with other parameters": (
        f"class ValkeyLock:\n    def __init__(self, valkey, prefix=''): pass{METHODS}".replace("ttl_ms", "seconds"),
        "def acquire(self, key, seconds) in line 3.",
        "line 3",
    ),
    "method with async": (
        f"class ValkeyLock:\n    def __init__(self, valkey, prefix=''): pass{METHODS}".replace(
            "    def a", "    async def a"
        ),
        "async def in line 3.",
        "Remove `async`",
    ),
}


class FakeLock:
    def __init__(self, valkey, prefix=""):
        pass

    def acquire(self, key, ttl_ms):
        return None

    def release(self, key, token):
        return False


class LockWithoutRelease:
    def acquire(self, key, ttl_ms):
        return None


class LockWithOtherNames(FakeLock):
    def release(self, name):
        return False


@pytest.mark.parametrize("name", FITTING)
def test_text_that_fits_the_interface_passes(name, tmp_path):
    path = tmp_path / "attempt.py"
    path.write_text(FITTING[name])
    check_source(path, LOCK)


@pytest.mark.parametrize("name", FAULTY)
def test_text_that_does_not_fit_names_the_line(name, tmp_path):
    text, came, look = FAULTY[name]
    path = tmp_path / "attempt.py"
    path.write_text(text)
    with pytest.raises(AttemptFailed) as failed:
        check_source(path, LOCK)
    report = failed.value.report
    assert (report.check, report.came) == ("interface", came)
    assert look in report.look


def calls_of(factory):
    defined, servers = DefinedCall(factory, LOCK), AttemptServers(NO_SERVERS, 0)
    return AttemptCalls("own-token", Path("attempt.py"), lambda call: None, 1, defined, servers)


def call_factory(factory):
    return calls_of(factory).call("ValkeyLock(valkey)", factory, object())


@pytest.mark.parametrize(
    ("factory", "expected", "came"),
    [
        (lambda valkey, prefix="": None, "an object with acquire(key, ttl_ms).", "None, which has no method."),
        (lambda valkey, prefix="": LockWithoutRelease(), "release(key, token).", "which has acquire."),
        (LockWithOtherNames, "an object with release(key, token).", "release(name)."),
    ],
    ids=["nothing", "missing method", "other parameters"],
)
def test_returned_object_is_checked_before_its_behaviour(factory, expected, came):
    with pytest.raises(AttemptFailed) as failed:
        call_factory(factory)
    report = failed.value.report
    assert (report.check, report.did) == ("own-token", "ValkeyLock(valkey)")
    assert expected in report.expected
    assert came in report.came


def test_returned_object_that_fits_is_handed_on():
    assert isinstance(call_factory(FakeLock), FakeLock)


def test_parts_of_a_race_run_together_and_first_failure_counts():
    barrier = threading.Barrier(2, timeout=30)
    calls = calls_of(FakeLock)
    assert calls.together(lambda: calls.call("wait()", barrier.wait), lambda: barrier.wait() + 10) in ([0, 11], [1, 10])

    def fail():
        calls.fail("two at once", "one lock.", "two locks.", "attempt.py")

    with pytest.raises(AttemptFailed, match="two locks"):
        calls.together(lambda: 1, fail)


@pytest.mark.parametrize(
    ("given", "wanted", "fits"),
    [
        (lambda a, b: 0, lambda a, b: 0, True),
        (lambda b, a: 0, lambda a, b: 0, False),
        (lambda a: 0, lambda a, b: 0, False),
        (lambda a, b=1: 0, lambda a: 0, True),
        (lambda a, b: 0, lambda a: 0, False),
        (lambda x: 0, lambda a, /: 0, True),
        (lambda a, /: 0, lambda a: 0, False),
        (lambda *a: 0, lambda a, /: 0, True),
        (lambda *a: 0, lambda a: 0, False),
        (lambda *a, **b: 0, lambda a, *, b: 0, True),
        (lambda a, b: 0, lambda a, *, b: 0, True),
        (lambda a, *, b: 0, lambda a: 0, False),
        (lambda a, *, b=1: 0, lambda a: 0, True),
        (lambda a: 0, lambda a=1: 0, False),
        (lambda a: 0, lambda a, *b: 0, False),
        (lambda a, *b: 0, lambda a, *b: 0, True),
        (lambda a: 0, lambda a, **b: 0, False),
    ],
)
def test_signature_fits_if_every_call_of_the_interface_is_accepted(given, wanted, fits):
    assert accepts(inspect.signature(given), inspect.signature(wanted)) is fits


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("tests.exercises.moon:LockFactory", "no module tests.exercises.moon"),
        ("tests.exercises.lock_interface:Moon", "no Protocol Moon"),
        ("tests.exercises.lock_interface:Lock", "no Protocol Lock with __call__"),
    ],
)
def test_missing_interface_is_told(interface, message):
    with pytest.raises(InterfaceMissing, match=message):
        load_interface("ValkeyLock", interface)
