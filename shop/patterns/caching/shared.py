"""The shared level: Valkey (or Redis), one for all processes and hosts.

Problem: the cache is there to make the store faster; when it is dead or hangs it must not make it slower than it was
without one.
Method: a look-up is one packet: GET of the entry, then of each of its tags. The order makes it safe without a
transaction: a version read after the entry can only be newer than it. No command names two keys, so the keys may live
on different servers of a cluster. Every wait is bounded. A failure starts a pause in which
nobody asks; at its end one thread tries, and the others keep away until it has succeeded. An invalidation that could
not be delivered is owed: this process sends it in front of its next command, or when it is closed. Until then another
process may still serve the old entry, and if this process is killed first, until the entry's time-to-live is over.
A server that is full, or may only be read, answers and refuses to write. It can still pass a message on: a refused
invalidation is told to every process, and each owes it from then on, so none reads before one of them has delivered it.
Who was refused, or has just been started, puts a write of its own in front of what it asks, until that succeeds.
Switch: ``cache.shared``. Experiment: ``cache-aside``.
Source: Valkey's documentation of SET, pipelining and the cluster's key rules; the pause is the simplest circuit breaker
(Nygard, "Release It!", ch. 5).
"""

import contextlib
import itertools
import secrets
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from redis.exceptions import RedisError, ResponseError

from shop.clock import Clock
from shop.patterns.caching.after_fork import in_every_child
from shop.patterns.caching.connections import Command, ThreadConnections, misused, refusal
from shop.patterns.caching.events import CameBack, Emit, NeverDelivered, WentAway, WrongType, ignore
from shop.patterns.caching.invalidation_bus import announcing, publishing, refusing
from shop.patterns.caching.levels import (
    ANY,
    CacheRefusedWrite,
    CacheUnavailable,
    LockAttempt,
    ReadResult,
    TagVersions,
    Versions,
)
from shop.patterns.caching.lock import Ended, LoadLease, ending, extending, releasing, taking
from shop.patterns.caching.outage_breaker import OutageBreaker

PREFIX = "shop:1:"
"""In front of every key; the number is the layout of keys and tags, raised when that changes."""
PAUSE_S = 1.0
"""Seconds a level that failed is left alone: a dead cache costs one timeout a second and process, not one a request."""
TAG_TTL_S = 24 * 3600
"""Longer than any policy. A tag that goes, by age or eviction, costs a miss and never revives an entry, because its
next version is a new one."""
_PROOF: tuple[Command, ...] = (("SET", f"{PREFIX}written", "1", "EX", 1),)
"""Writes what nobody reads."""


class SharedLevel:
    """Entries and tag versions in Valkey.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` address.
        timeout_ms: what one connect, write or read may take.
        clock: measures the pause.
        emit: told when the level goes away and comes back.
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
        self._connections = ThreadConnections(url, timeout_ms / 1000)
        self._clock = clock
        self._emit = emit
        self._new_version = new_version
        self._start_empty()
        in_every_child(self._start_empty)

    def _start_empty(self) -> None:
        """Owe nothing: a child leaves its parent's debts to the parent."""
        self._pause = OutageBreaker(self._clock, PAUSE_S)
        self._lock = threading.Lock()
        self._owed: dict[str, int] = {}
        """Tags whose invalidation was not delivered, each with the ticket of the last attempt."""
        self._tickets = itertools.count(1)
        self._writes: Literal["unknown", "taken", "refused"] = "unknown"
        """What became of the last write."""

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Return the entry and the tags' versions.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or is being left alone.
        """
        return _reading(self._ask(_looking(key, tags)))

    def read_many(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[ReadResult]:
        """Return several keys' readings, each as :meth:`read` does.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or is being left alone.
        """
        answers = iter(self._ask([command for key, tags in wanted for command in _looking(key, tags)]))
        return [_reading(list(itertools.islice(answers, 1 + len(tags)))) for _, tags in wanted]

    def versions(self, tags: Sequence[str]) -> Versions:
        """Return how the tags stand.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or is being left alone.
        """
        return _versions(self._ask([("GET", _tag_key(tag)) for tag in tags]))

    def claim(self, tags: Sequence[str]) -> TagVersions:
        """Return how the tags stand, giving each that has none a new version.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or is being left alone.
        """
        if not tags:
            return TagVersions(())
        keys = [_tag_key(tag) for tag in tags]
        makings: list[Command] = [("SET", key, self._new_version(), "EX", TAG_TTL_S, "NX") for key in keys]
        answers = self._ask([*makings, *(("GET", key) for key in keys)])
        made, versions = answers[: len(keys)], answers[len(keys) :]
        return TagVersions(
            # A tag evicted between the two commands gets a version nobody else sees: a miss later, not a fault.
            tuple([version.decode() if version else self._new_version() for version in versions]),
            tuple([tag for tag, done in zip(tags, made, strict=True) if done]),
        )

    def take(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Take a lock if it is free, then read: what the last holder stored is seen by whoever follows.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or is being left alone.
        """
        asking: list[Command] = [*taking(_lock_key(lease.name), lease), ("GET", _ended_key(lease.name))]
        _, holder, ended, *found = self._ask([*asking, *_looking(key, tags)])
        held_by = (holder or b"").decode()
        return LockAttempt(held_by == lease.token, _reading(found), held_by, (ended or b"").decode())

    def write(
        self, key: str, stored: bytes, ttl_s: float, lease: LoadLease | None = None, passing: Sequence[str] = ()
    ) -> None:
        """Keep an encoded entry for at most ``ttl_s`` seconds; release the lock behind it and wake who waits.

        Args:
            key: names the entry.
            stored: the encoded entry.
            ttl_s: seconds.
            lease: the lock it was loaded under, if any.
            passing: tags that need not outlive the entry.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or is being left alone.
        """
        kept_ms = max(1, round(ttl_s * 1000))
        shortening: list[Command] = [("PEXPIRE", _tag_key(tag), kept_ms, "LT") for tag in passing]
        self._ask([("SET", _entry_key(key), stored, "PX", kept_ms), *shortening, *self._releasing(lease)])

    def release(self, lease: LoadLease, ended: Ended | None = None) -> None:
        """Give a lock back and wake who waits for it; where Valkey is away it ends by itself."""
        said = [] if ended is None else [ending(_ended_key(lease.name), lease, ended)]
        with contextlib.suppress(CacheUnavailable):  # the level has said so itself
            self._ask([*said, *self._releasing(lease)])

    def extend(self, lease: LoadLease) -> bool:
        """Hold a lock for its whole time again; tell whether it is still the caller's.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or is being left alone.
        """
        return bool(self._ask([extending(_lock_key(lease.name), lease)])[0])

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Give every tag a new version, or owe it to Valkey while that is away, and have all owe it that hear of it."""
        try:
            self._ask(self._forgetting(tags), urgent=True)
        except CacheRefusedWrite:
            self.owe(tags)
            with contextlib.suppress(RedisError, OSError):  # then nobody can be told; the owing stays
                self._connections.exchange([refusing(self._connections, list(tags))])
            return False
        except CacheUnavailable:
            self._note_owed(tags)
            return False
        return True

    def owe(self, tags: Sequence[str]) -> None:
        """Deliver an invalidation in front of the next command: Valkey has refused it, here or in another process."""
        self._writes = "refused"
        self._note_owed(tags)

    def doubt(self) -> None:
        """Write before anything is read: something may have been refused that this process has not heard of."""
        if self._writes == "taken":
            self._writes = "unknown"

    def settle(self) -> None:
        """Deliver what is owed, at most once a second, though nobody asks for anything."""
        if self._owed:
            with contextlib.suppress(CacheUnavailable):  # the level has said so itself
                self._ask([])

    def close(self) -> None:
        """Try for the last time to deliver what is owed, and give back every connection."""
        if self._owed:
            self._pause = OutageBreaker(self._clock, PAUSE_S)  # there is no later time to wait for
            try:
                self._ask([])
            except CacheUnavailable:
                self._emit(NeverDelivered(self.name, tuple(self._owed)))
        self._connections.close()

    def _forgetting(self, tags: Collection[str]) -> list[Command]:
        """Return the commands that give tags a new version, and then tell every process's local level."""
        if not tags:
            return []
        # ANY comes first: a load that reads the new version of a tag reads behind it that something has changed.
        changes: list[Command] = [("SET", _tag_key(tag), self._new_version(), "EX", TAG_TTL_S) for tag in (ANY, *tags)]
        return [*changes, publishing(self._connections, list(tags))]

    def _releasing(self, lease: LoadLease | None) -> list[Command]:
        if lease is None:
            return []
        return [releasing(_lock_key(lease.name), lease), announcing(self._connections, lease.name)]

    def _ask(self, commands: list[Command], *, urgent: bool = False) -> list[Any]:
        """Send commands in one round trip, what is owed in front of them, and return their answers.

        Args:
            commands: what is asked; ``None`` is the answer where something of another type stands under the key.
            urgent: whether a server that has just refused to write, but did answer, is asked again at once.

        Raises:
            CacheRefusedWrite: one of the commands was refused.
            CacheUnavailable: no answer in time, or the server is being left alone.
        """
        writes = self._writes
        if self._pause.running and not (urgent and writes == "refused") and not self._pause.admits():
            raise CacheUnavailable(self.name)
        owed = self._copy_owed() if self._owed else {}
        first = [*(_PROOF if writes == "unknown" else ()), *self._forgetting(owed)]
        sent = [*first, *commands] if first else commands
        try:
            if writes == "refused":  # alone: the broadcasts behind a refused invalidation would be sent all the same
                self._take_account(_PROOF, self._connections.exchange(_PROOF))
            answers = self._connections.exchange(sent)
            self._take_account(sent, answers)
        except (RedisError, OSError) as error:
            refused = isinstance(error, ResponseError)
            self._writes = "refused" if refused else "unknown"
            if self._pause.failed():
                self._emit(WentAway(self.name, type(error).__name__, PAUSE_S))
            raise (CacheRefusedWrite if refused else CacheUnavailable)(self.name) from error
        if writes != "taken":
            self._writes = "taken"
        self._settle(owed)
        if self._pause.running and self._pause.succeeded():
            self._emit(CameBack(self.name))
        return answers[len(first) :]

    def _take_account(self, sent: Sequence[Command], answers: list[Any]) -> None:
        """Raise a refusal among the answers; delete what has a wrong type, which stands for nothing."""
        if not any(isinstance(one, ResponseError) for one in answers):
            return  # as nearly always
        if (refused := refusal(answers)) is not None:
            raise refused
        if keys := misused(sent, answers):
            answers[:] = [None if isinstance(one, ResponseError) else one for one in answers]
            self._connections.exchange([("UNLINK", key) for key in keys])
            self._emit(WrongType(self.name, len(keys)))

    def _note_owed(self, tags: Sequence[str]) -> None:
        with self._lock:
            self._owed.update((tag, next(self._tickets)) for tag in tags)

    def _copy_owed(self) -> dict[str, int]:
        with self._lock:
            return dict(self._owed)

    def _settle(self, delivered: dict[str, int]) -> None:
        for tag, ticket in delivered.items():
            with self._lock:
                if self._owed.get(tag) == ticket:  # else it was owed anew while this was under way
                    del self._owed[tag]


def _looking(key: str, tags: Sequence[str]) -> list[Command]:
    """Return the commands of a look-up: the entry first, and then how its tags stand."""
    return [("GET", _entry_key(key)), *[("GET", _tag_key(tag)) for tag in tags]]


def _reading(answers: list[Any]) -> ReadResult:
    return ReadResult(answers[0], _versions(answers[1:]))


def _versions(answers: list[Any]) -> Versions:
    return tuple([version and version.decode() for version in answers])


def _entry_key(key: str) -> str:
    return f"{PREFIX}e:{key}"


def _tag_key(tag: str) -> str:
    return f"{PREFIX}t:{tag}"


def _lock_key(name: str) -> str:
    return f"{PREFIX}l:{name}"


def _ended_key(name: str) -> str:
    return f"{PREFIX}n:{name}"
