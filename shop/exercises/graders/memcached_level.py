"""Checks of the exercise ``memcached-level``, on a Memcached of the check's own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten
from shop.exercises.memcached_client import MemcachedClient
from shop.patterns.caching.levels import ANY_TAG, LockAttempt, ReadResult, TagVersions
from shop.patterns.caching.lock import LoadLease

TAG, OTHER = "product:7", "category:3"
KEY = "screen/product/mug"
STORED = b"\x00\r\nEND\r\nan encoded entry\xff"
LONGEST_LOCK_S = 60
DAY_S = 24 * 3600
Factory = Callable[..., Any]
T = TypeVar("T")


class WatchedClient(MemcachedClient):
    """A client that records what it is asked for.

    Args:
        address: of the server.
    """

    def __init__(self, address: tuple[str, int] | str) -> None:
        super().__init__(address)
        self.reads: list[tuple[str, ...]] = []
        self.exptimes: list[int] = []
        self.after_look: Callable[[], None] = lambda: None
        """Called after each :meth:`get_many` and :meth:`gets`."""

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See :class:`MemcachedClient`."""
        self.reads.append(tuple(keys))
        values = super().get_many(keys)
        self.after_look()
        return values

    def gets(self, key: str) -> tuple[bytes, int] | None:
        """See :class:`MemcachedClient`."""
        value = super().gets(key)
        self.after_look()
        return value

    def set(self, key: str, value: bytes, exptime: int) -> None:
        """See :class:`MemcachedClient`."""
        self.exptimes.append(exptime)
        super().set(key, value, exptime)

    def add(self, key: str, value: bytes, exptime: int) -> bool:
        """See :class:`MemcachedClient`."""
        self.exptimes.append(exptime)
        return super().add(key, value, exptime)


class WatchedLevel:
    """A level of the attempt, and the client that it uses."""

    def __init__(self, factory: Factory, calls: AttemptCalls) -> None:
        self.client = WatchedClient(calls.servers.memcached())
        self.client.flush_all()
        self.level = calls.call("MemcachedLevel(client)", factory, self.client)
        self._calls = calls

    def read(self, key: str, tags: Sequence[str] = ()) -> ReadResult:
        """Read, and require the type of the value."""
        value = self._calls.call(f"read({key!r:.60}, {list(tags)})", self.level.read, key, tags)
        return self._require(value, ReadResult, "read")

    def write(self, key: str, stored: bytes, ttl_s: float) -> None:
        """Write."""
        self._calls.call(f"write({key!r:.60}, stored, {ttl_s:g})", self.level.write, key, stored, ttl_s)

    def ensure(self, *tags: str) -> TagVersions:
        """Ensure the versions of tags, and require the type of the value."""
        value = self._calls.call(f"ensure_tag_versions({list(tags)})", self.level.ensure_tag_versions, tags)
        return self._require(value, TagVersions, "ensure_tag_versions")

    def invalidate(self, *tags: str) -> None:
        """Invalidate tags."""
        self._calls.call(f"invalidate({list(tags)})", self.level.invalidate, tags)

    def acquire(self, lease: LoadLease) -> LockAttempt:
        """Try to take a lock, and require the type of the value."""
        did = f"acquire_and_read({KEY!r}, [], LoadLease({lease.name!r}, {lease.token!r}))"
        return self._require(
            self._calls.call(did, self.level.acquire_and_read, KEY, (), lease), LockAttempt, "acquire_and_read"
        )

    def release(self, lease: LoadLease) -> None:
        """Release a lock."""
        self._calls.call(f"release(LoadLease({lease.name!r}, {lease.token!r}))", self.level.release, lease)

    def _require(self, value: Any, kind: type[T], method: str) -> T:
        if not isinstance(value, kind):
            look = "The types are in shop/patterns/caching/levels.py."
            self._calls.fail(f"{method}(…)", f"a {kind.__name__}.", f"{shorten(repr(value))}.", look)
        return value


def check_entries(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check entries under keys of any form."""
    cache = WatchedLevel(factory, calls)
    long = "search/" + "x" * 300
    keys = (KEY, "search/red mug", "suche/krüge", f"{long}/1", f"{long}/2")
    for number, key in enumerate(keys):
        cache.write(key, STORED + bytes([number]), 60)
    for number, key in enumerate(keys):
        stored = cache.read(key).stored
        if stored != STORED + bytes([number]):
            look = "Every text must become a key of its own, at most 250 characters of ASCII: a hash has that form."
            calls.fail(f"read({key!r:.60})", "the entry that was written under this key.", f"{shorten(stored)}.", look)
    if cache.read("screen/product/absent").stored is not None:
        calls.fail("read() of a key that was never written", "stored is None.", "an entry.", "")


def check_lifetimes(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check lifetimes below a second and above thirty days."""
    cache = WatchedLevel(factory, calls)
    cache.write(KEY, STORED, 0.4)
    if 0 in cache.client.exptimes:
        look = "0 means for ever. Round a part of a second up: math.ceil."
        calls.fail(f"write({KEY!r}, stored, 0.4)", "an exptime of 1.", "an exptime of 0.", look)
    cache.write(KEY, STORED, 31 * DAY_S)
    if cache.read(KEY).stored != STORED:
        look = "More than 30 days count as a time since 1970, which is long ago. Limit the lifetime to 30 days."
        calls.fail(f"write({KEY!r}, stored, {31 * DAY_S}), then read", "the entry.", "None: it has expired.", look)


def check_tag_versions(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the versions of tags."""
    cache = WatchedLevel(factory, calls)
    unknown = cache.read(KEY, (TAG, OTHER)).versions
    if unknown != (None, None):
        calls.fail("read() with two tags that have no version", "versions (None, None).", f"{unknown}.", "")
    first = cache.ensure(TAG, OTHER)
    again, seen = cache.ensure(TAG, OTHER), cache.read(KEY, (TAG, OTHER)).versions
    is_stable = first.versions == again.versions == seen and len(first.versions) == 2 and None not in seen
    if not is_stable or first.created != (TAG, OTHER) or again.created:
        expected = "the same versions three times; created is both tags, then none."
        came = f"{first.versions}, created {first.created}; {again.versions}, created {again.created}; read {seen}."
        look = "add() gives a version to a tag without one, and tells whether it did. Then read the versions."
        calls.fail("ensure_tag_versions of two tags, twice, and read()", expected, came, look)


def check_invalidate(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that an invalidation gives a tag and ``ANY_TAG`` a version never used before, also after an eviction."""
    cache = WatchedLevel(factory, calls)
    used: dict[str, list[str]] = {TAG: [], ANY_TAG: []}
    cache.ensure(OTHER)
    other = cache.ensure(OTHER).versions
    for event in ("first", "invalidated", "invalidated again"):
        if event != "first":
            cache.invalidate(TAG)
        for tag, versions in used.items():
            _require_new(calls, tag, versions, cache.ensure(tag).versions, event)
    if cache.ensure(OTHER).versions != other:
        calls.fail(f"invalidate([{TAG!r}])", f"{OTHER} keeps its version.", "it has another one.", "")
    cache.client.flush_all()
    _require_new(calls, TAG, used[TAG], cache.ensure(TAG).versions, "evicted by the server, and ensured again")
    cache.invalidate(TAG)
    _require_new(calls, TAG, used[TAG], cache.ensure(TAG).versions, "evicted, ensured, and invalidated")


def check_one_round_trip(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a read is one round trip, and asks for the entry first."""
    cache = WatchedLevel(factory, calls)
    cache.ensure(TAG, OTHER)
    cache.client.reads.clear()
    cache.write(KEY, STORED, 60)
    cache.read(KEY, ())
    entry_key = cache.client.reads[-1][0] if cache.client.reads and cache.client.reads[-1] else ""
    cache.client.reads.clear()
    cache.read(KEY, (TAG, OTHER))
    did = f"read({KEY!r}, [{TAG!r}, {OTHER!r}])"
    if [len(keys) for keys in cache.client.reads] != [3]:
        came = f"get_many with {', '.join(str(len(keys)) for keys in cache.client.reads) or 'no'} keys."
        calls.fail(did, "one get_many with 3 keys.", came, "Each get_many is a round trip: ask for all at once.")
    if cache.client.reads[0][0] != entry_key:
        look = "A tag may be invalidated between the two reads. Then the version must be the newer one, not the entry."
        calls.fail(did, "the entry is the first key.", "it is asked for after a tag.", look)


def check_lock(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that one of two gets the lock, and that only its holder releases it."""
    cache = WatchedLevel(factory, calls)
    mine, other = LoadLease("mug:1", "token-a"), LoadLease("mug:1", "token-b")
    first, second = cache.acquire(mine), cache.acquire(other)
    if (first.acquired, second.acquired) != (True, False) or second.holder != mine.token:
        came = f"{first.acquired}, {second.acquired}; holder {second.holder!r}."
        look = "add() stores only if the key is absent. Its value is the token of the holder."
        calls.fail("A and B acquire one lock", f"True, False; holder {mine.token!r} for B.", came, look)
    exptime = cache.client.exptimes[0] if cache.client.exptimes else 0
    if not 1 <= exptime <= LONGEST_LOCK_S:
        look = f"A holder may die: the lock needs an end, 1 to {LONGEST_LOCK_S} seconds."
        calls.fail("A acquires the lock", "a lock with an exptime.", f"an exptime of {exptime}.", look)
    cache.release(other)
    if cache.acquire(other).acquired:
        look = "Compare the token before you delete: B releases what it does not hold."
        calls.fail("A has the lock, B releases, B acquires", "A still has it.", "B got the lock.", look)
    cache.release(mine)
    if not cache.acquire(other).acquired:
        calls.fail("A releases, B acquires", "B gets the lock.", "it is still taken.", "Delete the key of the lock.")


def check_release_race(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a release whose lock expires, and goes to another, between the look and the deletion."""
    cache = WatchedLevel(factory, calls)
    rival = WatchedClient(calls.servers.memcached())
    rival_level = calls.call("MemcachedLevel(client)", factory, rival)
    mine, other = LoadLease("mug:1", "token-a"), LoadLease("mug:1", "token-b")
    cache.acquire(mine)
    is_lost: list[bool] = []

    def lose_lock() -> None:
        if not is_lost:
            is_lost.append(True)
            rival.flush_all()
            rival_level.acquire_and_read(KEY, (), other)

    cache.client.after_look = lose_lock
    cache.release(mine)
    if not is_lost:
        lose_lock()
    holder = cache.acquire(LoadLease("mug:1", "token-c")).holder
    if holder != other.token:
        did = "A looks at the lock; it expires, and B acquires it; A deletes"
        look = "gets() returns the version of the value, and delete(key, version) deletes only that version."
        calls.fail(did, f"B still has the lock: holder {other.token!r}.", f"holder {holder!r}.", look)


def _require_new(calls: AttemptCalls, tag: str, used: list[str], versions: Sequence[str], event: str) -> None:
    (version,) = versions
    if version in used:
        look = (
            "A counter begins again after an eviction, and an old entry is valid again. Draw a random version."
            if "evicted" in event
            else "ANY_TAG gets a new version with every invalidation."
        )
        expected = f"a version that {tag!r} never had."
        calls.fail(f"{tag!r} is {event}", expected, f"{version!r}, as before.", look)
    used.append(version)


CHECKS: Mapping[str, Callable[[Factory, AttemptCalls, CheckRule], None]] = {
    "entries": check_entries,
    "lifetimes": check_lifetimes,
    "tag-versions": check_tag_versions,
    "invalidate": check_invalidate,
    "one-round-trip": check_one_round_trip,
    "lock": check_lock,
    "release-race": check_release_race,
}
