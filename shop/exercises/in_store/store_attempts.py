"""All attempts of one process: loads the version that a stored value names, follows the saves, ends what misbehaves."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from shop.exercises.in_store.call_watchdog import CallWatchdog
from shop.exercises.in_store.loaded_attempt import TRACE_SUFFIX, AttemptPlace, LoadedAttempt, find_dead_calls
from shop.exercises.in_store.process_guards import ProcessGuards
from shop.exercises.in_store.process_replacement import ProcessReplacement
from shop.exercises.in_store.seams import load_seam
from shop.switches.attempt_notes import MAX_ENDS, STOPPED, AttemptNote, AttemptNotes
from shop.switches.attempt_slots import AttemptSlot, AttemptSlots, content_version, is_attempt, stored_value, version_of

SETTLE_S = 0.05
"""A file that was written just now may be half of a save."""

Part = TypeVar("Part")
ReplaceValue = Callable[[str, str, str | None], bool]
"""Replaces the stored value of a switch: its name, the present value, the new one (``None``: the default)."""

NO_TOOLS: Mapping[str, object] = MappingProxyType({})

_log = logging.getLogger("shop.exercises")


class StoreAttempts:
    """The attempts that run in this process.

    Args:
        slots: of the begun exercises.
        process: kind of this process: ``web`` or ``worker``.
        replace_value: changes the stored value of a switch for all processes.
        request_replacement: lets this process be replaced; its own way by default.
    """

    def __init__(
        self,
        slots: AttemptSlots,
        process: str,
        replace_value: ReplaceValue,
        request_replacement: Callable[[str], None] | None = None,
    ) -> None:
        self._slots = slots
        self._process = process
        self._replace_value = replace_value
        self._loaded: dict[tuple[str, str], LoadedAttempt] = {}
        """By switch and stored value."""
        self._stopped: set[LoadedAttempt] = set()
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._watchdog = CallWatchdog()
        self._guards = ProcessGuards(self._watchdog, slots.folder / f"{process}-{os.getpid()}{TRACE_SUFFIX}")
        own_way = ProcessReplacement(slots.folder, self.close)
        self._request_replacement = request_replacement or own_way.request

    def follow(self, stored: Mapping[str, str]) -> dict[str, str]:
        """Publish what the reader has saved, and load what the stored values name.

        Args:
            stored: the values of the switches.

        Returns:
            The values, with the version of a save that was published just now.
        """
        values, slots = dict(stored), self._slots.load()
        in_force: set[tuple[str, str]] = set()
        for name, value in stored.items():
            if not is_attempt(value):
                continue
            slot = slots.get(name)
            if slot is None:
                self._restore(name, value)
                continue
            values[name] = self._publish_save(slot, value)
            in_force.add((name, values[name]))
            self._run(slot, values[name])
        for key in [key for key in self._loaded if key not in in_force]:
            attempt = self._loaded.pop(key)
            self._stopped.discard(attempt)
            attempt.unload()
        if not self._loaded:
            self._guards.remove()
        return values

    def choose(self, name: str, value: str, default: Part, tools: Mapping[str, object] = NO_TOOLS) -> Part:
        """Return the attempt in the form of a part of the store; that part itself if there is no attempt.

        Args:
            name: of the switch.
            value: its stored value.
            default: the store's own code.
            tools: further parts of the store that the attempt works with.
        """
        attempt = self._loaded.get((name, value))
        if attempt is None or attempt.function is None:
            return default
        try:
            part: Part = load_seam(attempt.place.slot.slug)(attempt, default, **tools)
        except Exception:  # noqa: BLE001 - the attempt may return whatever it likes; without it, the store can go on
            _log.exception("attempt_not_adapted", extra={"exercise": attempt.place.slot.exercise})
            return default
        return part

    def close(self) -> None:
        """Remove the guards, and delete the files of this process."""
        for attempt in self._loaded.values():
            attempt.unload()
        self._guards.remove()

    def _run(self, slot: AttemptSlot, value: str) -> None:
        """Have a version loaded, and put the store's own code in force if the version was stopped."""
        name, version = slot.switch, version_of(value)
        notes = AttemptNotes(self._slots, slot, version)
        attempt = self._loaded.get((name, value))
        if attempt is None and self._process in slot.processes:
            place = AttemptPlace(slot, version, self._slots.copy_path(slot, version), self._process)
            for note in find_dead_calls(place):
                self._add_note(place, note)
            if not notes.is_stopped:
                self._loaded[name, value] = self._load(place)
        if (attempt is None or attempt in self._stopped) and notes.is_stopped:
            self._restore(name, value)

    def _load(self, place: AttemptPlace) -> LoadedAttempt:
        self._guards.install()

        def add_note(note: AttemptNote) -> None:
            if self._add_note(place, note):
                self._stopped.add(attempt)

        attempt = LoadedAttempt(place, self._watchdog, add_note, self._request_replacement)
        attempt.load()
        if attempt.function is not None:
            _log.info("attempt_loaded", extra={"exercise": place.slot.exercise, "version": place.version})
        return attempt

    def _add_note(self, place: AttemptPlace, note: AttemptNote) -> bool:
        """Write a note, and end the version if it has ended often enough.

        Returns:
            Whether the version was stopped.
        """
        notes = AttemptNotes(self._slots, place.slot, place.version)
        told = {"kind": note.kind, "call": note.did, "came": note.came, "place": note.look}
        _log.warning("attempt_failed", extra={"exercise": place.slot.exercise, "version": place.version, **told})
        ends = notes.add(note)
        if not note.ended or ends < MAX_ENDS:
            return False
        came = f"{ends} calls of your code had to be ended: the store's own code is in force again, in every process."
        notes.add(AttemptNote(STOPPED, note.did, came, note.look, note.process))
        _log.warning("attempt_stopped", extra={"exercise": place.slot.exercise, "version": place.version, "ends": ends})
        return True

    def _restore(self, name: str, value: str) -> None:
        if self._replace_value(name, value, None):
            _log.warning("attempt_withdrawn", extra={"switch": name, "value": value})

    def _publish_save(self, slot: AttemptSlot, value: str) -> str:
        """Return the stored value of the reader's file, after a copy of it was made."""
        try:
            stat = Path(slot.file).stat()
        except OSError:
            return value
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if self._seen.get(slot.switch) == seen or 0 <= time.time() - stat.st_mtime < SETTLE_S:
            return value
        text = self._slots.read_file(slot)
        if text is None:
            return value
        self._seen[slot.switch] = seen
        if content_version(text) == version_of(value) and self._slots.copy_path(slot, version_of(value)).exists():
            return value
        saved = stored_value(self._slots.keep(slot, text))
        return saved if self._replace_value(slot.switch, value, saved) else value
