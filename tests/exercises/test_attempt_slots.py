"""The slots of begun exercises, the copies of the reader's file, and the values of the switches."""

import json
import os
import time

import pytest

from shop.errors import InvalidFields
from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.in_store import process_guards
from shop.exercises.in_store.loaded_attempt import AttemptPlace, find_dead_calls
from shop.exercises.in_store.store_attempts import StoreAttempts
from shop.exercises.store_slot import offer_attempt, withdraw_attempt
from shop.switches.attempt_notes import AttemptNote, AttemptNotes
from shop.switches.attempt_slots import AttemptSlots, stored_value, version_of
from shop.switches.registry import SwitchSnapshot, list_switches
from shop.switches.store import SwitchStore

JITTER = load_definition(EXERCISES / "04-ttl-jitter")
NAME = "cache.jitter"
RIGHT = "def jittered(draw):\n    return lambda ttl_s: ttl_s\n"
NO_PROCESS = 2**22 + 1
"""Larger than any process number of Linux."""


@pytest.fixture
def attempt_file(tmp_path):
    path = tmp_path / "attempt.py"
    path.write_text(RIGHT)
    os.utime(path, (1, 1))
    return path


@pytest.fixture
def slots(tmp_path, attempt_file):
    offer_attempt(JITTER, attempt_file, tmp_path)
    return AttemptSlots(tmp_path)


@pytest.fixture
def switch_store(database, slots):
    return SwitchStore(database, allow_unsafe=True, slots=slots)


@pytest.fixture
def attempts(slots, switch_store, monkeypatch):
    monkeypatch.setattr(process_guards, "HANG_S", 600)  # it would end the tests on a machine that stands still
    attempts = StoreAttempts(slots, "web", switch_store.replace, request_replacement=lambda reason: None)
    yield attempts
    attempts.close()


def save(path, text, modified_at):
    path.write_text(text)
    os.utime(path, (modified_at, modified_at))


def test_switch_takes_attempt_while_its_exercise_is_begun(slots, tmp_path, switch_store):
    assert switch_store.switches()[NAME].values == ("on", "off", "attempt")
    withdraw_attempt(JITTER, tmp_path)
    assert switch_store.switches()[NAME].values == ("on", "off")
    with pytest.raises(InvalidFields, match="once its exercise is begun"):
        switch_store.set(NAME, "attempt")


def test_stored_value_carries_the_hash_of_the_file(switch_store, slots, attempt_file):
    switch_store.set(NAME, "attempt")
    snapshot = SwitchSnapshot.from_stored(switch_store.load())
    ((name, value),) = snapshot.attempts
    assert name == NAME
    assert snapshot[NAME] == "on"  # whatever does not know of attempts sees the default
    assert snapshot.to_dict()[NAME] == value
    copy = slots.copy_path(slots.load()[NAME], version_of(value))
    assert copy.read_text() == attempt_file.read_text()


def test_own_switch_is_listed_once_its_exercise_is_begun(slots, database, attempt_file):
    slot = slots.load()[NAME]
    own = type(slot)("exercise.03", "03-cache-aside", str(attempt_file), "a", "b:C", ("web",), 250)
    slots.offer(own)
    assert list_switches(slots.load())["exercise.03"].values == ("store", "attempt")
    store = SwitchStore(database, allow_unsafe=True, slots=slots)
    store.set("exercise.03", "attempt")
    assert SwitchSnapshot.from_stored(store.load()).attempts[0][0] == "exercise.03"
    store.set("exercise.03", "store")
    assert store.load() == {}


def test_attempt_is_refused_outside_the_lab(switch_store, database, slots):
    switch_store.set(NAME, "attempt")
    production = SwitchStore(database, allow_unsafe=False, slots=slots)
    assert production.load() == {}
    assert production.switches()[NAME].values == ("on", "off")
    with pytest.raises(InvalidFields):
        production.set(NAME, "attempt")


def test_broken_file_of_slots_counts_as_none(slots, tmp_path):
    (tmp_path / "exercises" / "slots.json").write_text("{")
    assert slots.load() == {}


@pytest.mark.parametrize("text", [None, b"x" * 300_000])
def test_file_that_cannot_be_used_is_refused(switch_store, attempt_file, text):
    attempt_file.unlink()
    if text:
        attempt_file.write_bytes(text)
    with pytest.raises(InvalidFields, match="cannot be read"):
        switch_store.set(NAME, "attempt")


def test_old_copies_are_deleted(slots):
    slot = slots.load()[NAME]
    versions = [slots.keep(slot, f"# {number}".encode()) for number in range(25)]
    for age, version in enumerate(versions):
        path = slots.copy_path(slot, version)
        if path.exists():
            os.utime(path, (age, age))
    slots.keep(slot, b"# newest")
    assert len(list(slots.copy_path(slot, "x").parent.glob("*.py"))) <= 21


def test_save_is_published_and_loaded_by_its_hash(attempts, switch_store, attempt_file):
    switch_store.set(NAME, "attempt")
    first = attempts.follow(switch_store.load())[NAME]
    save(attempt_file, RIGHT.replace("ttl_s\n", "2 * ttl_s\n"), 2)
    second = attempts.follow(switch_store.load())[NAME]
    assert first != second == switch_store.load()[NAME]
    jitter = attempts.choose(NAME, second, lambda draw: lambda ttl_s: 0.0)
    assert jitter(lambda: 0.5)(10.0) == 20.0
    assert attempts.choose(NAME, first, "default") == "default"  # no longer loaded


def test_half_of_a_save_is_not_published(attempts, switch_store, attempt_file):
    switch_store.set(NAME, "attempt")
    first = attempts.follow(switch_store.load())[NAME]
    save(attempt_file, "def jit", time.time())
    assert attempts.follow(switch_store.load())[NAME] == first


def test_reset_of_the_exercise_restores_the_default(attempts, switch_store, tmp_path):
    switch_store.set(NAME, "attempt")
    withdraw_attempt(JITTER, tmp_path)
    attempts.follow(switch_store.load())
    assert switch_store.load() == {}


def test_value_that_was_changed_meanwhile_is_not_replaced(switch_store):
    switch_store.set(NAME, "off")
    assert not switch_store.replace(NAME, stored_value("1a2b3c4d"), None)
    assert switch_store.load() == {NAME: "off"}


def test_stopped_version_runs_again_when_set_again(attempts, switch_store, slots):
    switch_store.set(NAME, "attempt")
    value = switch_store.load()[NAME]
    slot = slots.load()[NAME]
    AttemptNotes(slots, slot, version_of(value)).add(AttemptNote("stopped", "", "", "", "web 1"))
    attempts.follow(switch_store.load())
    assert switch_store.load() == {}
    switch_store.set(NAME, "attempt")
    assert attempts.follow(switch_store.load()) == {NAME: value}
    assert attempts.choose(NAME, value, "default") != "default"


def test_process_that_ended_in_a_call_is_noted_once(slots):
    slot = slots.load()[NAME]
    version = slots.keep(slot, RIGHT.encode())
    place = AttemptPlace(slot, version, slots.copy_path(slot, version), "web")
    folder = place.copy.parent
    (folder / f"{version}.web-{NO_PROCESS}.call").write_bytes(b"\1")
    (folder / f"{version}.web-{NO_PROCESS + 1}.call").write_bytes(b"\0")
    (folder / f"{version}.web-{os.getpid()}.call").write_bytes(b"\1")
    (note,) = find_dead_calls(place)
    assert (note.kind, note.process, note.ended) == ("died", f"web {NO_PROCESS}", True)
    assert find_dead_calls(place) == []


def test_process_that_hung_tells_the_line_of_the_reader(slots):
    slot = slots.load()[NAME]
    version = slots.keep(slot, RIGHT.encode())
    place = AttemptPlace(slot, version, slots.copy_path(slot, version), "web")
    (place.copy.parent / f"{version}.web-{NO_PROCESS}.call").write_bytes(b"\1")
    trace = f'Timeout!\nThread 0x1 (most recent call first):\n  File "{slot.file}", line 3 in lifetime\n'
    (slots.folder / f"web-{NO_PROCESS}.trace").write_text(trace)
    (note,) = find_dead_calls(place)
    assert note.kind == "hung"
    assert note.look == f"{slot.file}:3, in lifetime"


def test_slots_are_written_for_people_to_read(slots, tmp_path):
    (document,) = json.loads((tmp_path / "exercises" / "slots.json").read_text())
    assert document["switch"] == NAME
    assert document["processes"] == ["web", "worker"]
