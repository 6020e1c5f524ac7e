"""The shared level: Valkey (or Redis), one for all processes and hosts.

Problem: the cache makes the store faster; when it is down or hangs, the store must not be slower than without it.
Method: a look-up is one packet with several GET commands: the first reads the entry, the others read the versions of
its tags. This order makes the look-up safe without a transaction: if a tag was invalidated before the entry is read,
the version that is read after the entry is the new one. No command names two keys, so the keys may live on different
servers of a cluster. Every wait is bounded. After a failure the client's breaker stops all calls for a second (see
``valkey_client``).
An invalidation that could not be delivered stays pending: this process sends it before its next command, or when it
closes the level. Until then another process may serve the old entry. If this process is killed before it has sent the
invalidation, the old entry may be served until its time-to-live ends.
A server that is full or read-only replies, but refuses writes. It still delivers broadcasts. So the process whose
invalidation is refused broadcasts it, and every process keeps it as pending and sends it before its next command. No
process reads an old entry, because none reads before the invalidation is delivered. At its start and after a refusal, a
process sends a write of its own (the probe) before its commands, until the server accepts it.
Switch: ``cache.shared``. Experiment: ``cache-aside``.
Source: Valkey's documentation of SET, pipelining and the cluster's key rules.
"""

import contextlib
import itertools
import json
import secrets
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from redis.exceptions import RedisError

from shop.clock import Clock
from shop.patterns.caching.events import Emit, InvalidationsUndelivered, WrongType, ignore
from shop.patterns.caching.invalidation_bus import BusChannels
from shop.patterns.caching.levels import ANY_TAG, LockAttempt, ReadResult, TagVersions, Versions
from shop.patterns.caching.lock import (
    LoadEnding,
    LoadLease,
    acquire_commands,
    ending_command,
    extend_command,
    release_command,
)
from shop.patterns.caching.valkey_client import CacheRefusedWrite, CacheUnavailable, Command, ValkeyClient
from shop.threads import reset_after_fork

PREFIX = "shop:1:"
"""In front of every key; the number is the version of the layout of keys and tags."""
TAG_TTL_S = 24 * 3600
"""No policy keeps an entry that long. A tag that expires or is evicted costs a miss. It never makes an old entry valid
again, because its next version is a new one."""
_PROBE: tuple[Command, ...] = (("SET", f"{PREFIX}written", "1", "EX", 1),)
"""A write whose only purpose is to see whether the server accepts writes."""


class SharedLevel:
    """Entries and tag versions in Valkey.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` address.
        timeout_ms: milliseconds one connect, write or read may take.
        clock: measures the pause after a failure.
        emit: receives the beginning and the end of an outage.
        new_version: makes a tag version that was never used before.
    """

    name = "shop-shared"
    enabled = True

    def __init__(
        self,
        url: str,
        timeout_ms: int,
        clock: Clock,
        emit: Emit = ignore,
        new_version: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.client = ValkeyClient(
            url, timeout_ms, clock, self.name, emit, lambda keys: emit(WrongType(self.name, len(keys)))
        )
        self._channels = BusChannels.of_database(self.client.connections.database)
        self._emit = emit
        self._new_version = new_version
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        """Have nothing pending: a child leaves its parent's pending invalidations to the parent."""
        self._lock = threading.Lock()
        self._pending: dict[str, int] = {}
        """Tags whose invalidation was not delivered, each with the number of the last attempt."""
        self._attempts = itertools.count(1)
        self._writes: Literal["unknown", "accepted", "refused"] = "unknown"
        """The outcome of the last write."""

    @property
    def pending_invalidations(self) -> tuple[str, ...]:
        """Return the tags whose invalidation was not delivered."""
        return tuple(self._pending)

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Return the entry and the tag versions.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or the breaker is open.
        """
        return _read_result(self._execute(_read_commands(key, tags)))

    def read_many(self, lookups: Sequence[tuple[str, Sequence[str]]]) -> list[ReadResult]:
        """Return the results for several keys, each as :meth:`read` does.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or the breaker is open.
        """
        replies = iter(self._execute([command for key, tags in lookups for command in _read_commands(key, tags)]))
        return [_read_result(list(itertools.islice(replies, 1 + len(tags)))) for _, tags in lookups]

    def versions(self, tags: Sequence[str]) -> Versions:
        """Return the tag versions.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or the breaker is open.
        """
        return _versions(self._execute([("GET", _tag_key(tag)) for tag in tags]))

    def ensure_tag_versions(self, tags: Sequence[str]) -> TagVersions:
        """Return the tag versions; give a new version to each tag that has none.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or the breaker is open.
        """
        if not tags:
            return TagVersions(())
        keys = [_tag_key(tag) for tag in tags]
        creating: list[Command] = [("SET", key, self._new_version(), "EX", TAG_TTL_S, "NX") for key in keys]
        replies = self._execute([*creating, *(("GET", key) for key in keys)])
        created, versions = replies[: len(keys)], replies[len(keys) :]
        return TagVersions(
            # A tag that is evicted between the two commands gets a version that is stored nowhere: a later miss.
            tuple([version.decode() if version else self._new_version() for version in versions]),
            tuple([tag for tag, done in zip(tags, created, strict=True) if done]),
        )

    def acquire_and_read(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Take a lock if it is free, then read: the next holder sees what the last holder stored.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or the breaker is open.
        """
        acquiring = [*acquire_commands(_lock_key(lease.name), lease), ("GET", _ending_key(lease.name))]
        _, holder, ending, *replies = self._execute([*acquiring, *_read_commands(key, tags)])
        held_by = (holder or b"").decode()
        return LockAttempt(held_by == lease.token, _read_result(replies), held_by, (ending or b"").decode())

    def write(
        self, key: str, stored: bytes, ttl_s: float, lease: LoadLease | None = None, ephemeral_tags: Sequence[str] = ()
    ) -> None:
        """Store an encoded entry for at most ``ttl_s`` seconds; then release the lock and wake waiting processes.

        Args:
            key: names the entry.
            stored: the encoded entry.
            ttl_s: seconds.
            lease: the lock it was loaded under, if any.
            ephemeral_tags: tags that need not outlive the entry.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or the breaker is open.
        """
        ttl_ms = max(1, round(ttl_s * 1000))
        shortening: list[Command] = [("PEXPIRE", _tag_key(tag), ttl_ms, "LT") for tag in ephemeral_tags]
        self._execute([("SET", _entry_key(key), stored, "PX", ttl_ms), *shortening, *self._release_commands(lease)])

    def release(self, lease: LoadLease, ending: LoadEnding | None = None) -> None:
        """Release a lock and wake waiting processes; if Valkey is down, the lock expires by itself."""
        note = [] if ending is None else [ending_command(_ending_key(lease.name), lease, ending)]
        with contextlib.suppress(CacheUnavailable):  # the client has emitted it
            self._execute([*note, *self._release_commands(lease)])

    def extend(self, lease: LoadLease) -> bool:
        """Restart the time of a lock; return whether the caller still held it.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or the breaker is open.
        """
        return bool(self._execute([extend_command(_lock_key(lease.name), lease)])[0])

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Give every tag a new version. If Valkey is down, keep it pending; if it refuses, make all processes do so."""
        try:
            self._execute(self._invalidate_commands(tags), despite_outage=self._writes == "refused")
        except CacheRefusedWrite:
            self.add_refused(tags)
            with contextlib.suppress(RedisError, OSError):  # then no process receives it, and it stays pending here
                message = ("PUBLISH", self._channels.refused, json.dumps(list(tags)))
                self.client.connections.execute_pipeline([message])
            return False
        except CacheUnavailable:
            self._add_pending(tags)
            return False
        return True

    def add_refused(self, tags: Sequence[str]) -> None:
        """Deliver an invalidation before the next command: Valkey refused it, here or in another process."""
        self._writes = "refused"
        self._add_pending(tags)

    def recheck_writes(self) -> None:
        """Write before the next read: this process may have missed the message about a refusal."""
        if self._writes == "accepted":
            self._writes = "unknown"

    def deliver_pending(self) -> None:
        """Deliver the pending invalidations, though no command is due; once a second at most while Valkey is down."""
        if self._pending:
            with contextlib.suppress(CacheUnavailable):  # the client has emitted it
                self._execute([])

    def close(self) -> None:
        """Try for the last time to deliver the pending invalidations, and close every connection."""
        if self._pending:
            try:
                self._execute([], despite_outage=True)  # there is no later attempt
            except CacheUnavailable:
                self._emit(InvalidationsUndelivered(self.name, self.pending_invalidations))
        self.client.close()

    def _invalidate_commands(self, tags: Collection[str]) -> list[Command]:
        """Return the commands that give tags a new version, and then tell every process's local level."""
        if not tags:
            return []
        # ANY_TAG is changed first. So a load that reads the new version of a tag also reads the new version of ANY_TAG.
        changes: list[Command] = [
            ("SET", _tag_key(tag), self._new_version(), "EX", TAG_TTL_S) for tag in (ANY_TAG, *tags)
        ]
        return [*changes, ("PUBLISH", self._channels.invalidated, json.dumps(list(tags)))]

    def _release_commands(self, lease: LoadLease | None) -> list[Command]:
        if lease is None:
            return []
        return [release_command(_lock_key(lease.name), lease), ("PUBLISH", self._channels.filled, lease.name)]

    def _execute(self, commands: list[Command], *, despite_outage: bool = False) -> list[Any]:
        """Send commands in one round trip, pending invalidations before them, and return their replies.

        Raises:
            CacheRefusedWrite: the server refused one of the commands.
            CacheUnavailable: the server did not answer in time, or the breaker is open.
        """
        writes = self._writes
        if writes == "accepted" and not self._pending:
            first: list[Command] = []
            pending: dict[str, int] = {}
        else:
            with self._lock:
                pending = dict(self._pending)
            first = [*(_PROBE if writes == "unknown" else ()), *self._invalidate_commands(pending)]
        # After a refusal the probe is sent alone. In one packet with the pending invalidations, the server would refuse
        # the new versions and still send the broadcast that follows them.
        probe = _PROBE if writes == "refused" else ()
        try:
            replies = self.client.execute(
                [*first, *commands] if first else commands, probe=probe, despite_outage=despite_outage
            )
        except CacheUnavailable as error:
            if error.__cause__ is not None:  # else the breaker answered
                self._writes = "refused" if isinstance(error, CacheRefusedWrite) else "unknown"
            raise
        if writes != "accepted":
            self._writes = "accepted"
        if pending:
            with self._lock:
                for tag, attempt in pending.items():
                    if self._pending.get(tag) == attempt:  # else it was added again meanwhile
                        del self._pending[tag]
        return replies[len(first) :]

    def _add_pending(self, tags: Sequence[str]) -> None:
        with self._lock:
            self._pending.update((tag, next(self._attempts)) for tag in tags)


def _read_commands(key: str, tags: Sequence[str]) -> list[Command]:
    """Return the commands of a look-up: the entry first, and then its tags."""
    return [("GET", _entry_key(key)), *[("GET", _tag_key(tag)) for tag in tags]]


def _read_result(replies: list[Any]) -> ReadResult:
    return ReadResult(replies[0], _versions(replies[1:]))


def _versions(replies: list[Any]) -> Versions:
    return tuple([version and version.decode() for version in replies])


def _entry_key(key: str) -> str:
    return f"{PREFIX}e:{key}"


def _tag_key(tag: str) -> str:
    return f"{PREFIX}t:{tag}"


def _lock_key(name: str) -> str:
    return f"{PREFIX}l:{name}"


def _ending_key(name: str) -> str:
    return f"{PREFIX}n:{name}"
