"""Checks of the exercise ``tag-invalidation``: prices in PostgreSQL, read through the attempt's cache on Valkey.

Every race is played in one thread, step by step: a loader or a transaction that is under way runs the other side.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten

TTL_S = 300
OLD, NEW = 100, 200


class PriceTable:
    """The prices of some products in PostgreSQL, each read and write with a connection of its own.

    Args:
        calls: lends the database.
    """

    def __init__(self, calls: AttemptCalls) -> None:
        self._engine = calls.servers.database()
        with self._engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE price (slug text PRIMARY KEY, amount int NOT NULL)")
            connection.exec_driver_sql("INSERT INTO price VALUES ('tea', 100), ('mug', 100), ('pot', 100)")

    def read(self, slug: str) -> bytes:
        """Return the committed price of a product."""
        with self._engine.connect() as connection:
            amount = connection.exec_driver_sql("SELECT amount FROM price WHERE slug = %s", (slug,)).scalar_one()
        return f"{slug} {amount}".encode()

    @contextmanager
    def change(self, slug: str, amount: int) -> Iterator[Callable[[Callable[[], None]], None]]:
        """Change a price in a transaction; it is committed at the end of the block, and then the functions run."""
        hooks: list[Callable[[], None]] = []
        with self._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE price SET amount = %s WHERE slug = %s", (amount, slug))
            yield hooks.append
        for hook in hooks:
            hook()


class CheckedCaches:
    """The attempt's cache in two processes, and the loads that they caused.

    Args:
        factory: the attempt's.
        calls: calls it, and lends the servers.
    """

    def __init__(self, factory: Callable[..., Any], calls: AttemptCalls) -> None:
        self.calls = calls
        self.table = PriceTable(calls)
        self.valkey = calls.servers.valkey()
        clients = (calls.servers.valkey(), calls.servers.valkey())
        self._caches = [calls.call("TaggedCache(valkey, 300)", factory, client, TTL_S) for client in clients]
        self.loads: list[str] = []
        """The keys that were loaded."""

    def read(
        self,
        key: str,
        *tags: str,
        slug: str = "tea",
        process: int = 1,
        when: str,
        during_load: Callable[[], None] = lambda: None,
    ) -> Any:
        """Read a price through the cache of one process.

        Args:
            key: of the entry.
            tags: of the entry.
            slug: the product.
            process: 1 or 2.
            when: added to the description.
            during_load: runs after the loader has read the database, and before it returns.
        """

        def load() -> bytes:
            self.loads.append(key)
            value = self.table.read(slug)
            during_load()
            return value

        did = f"process {process}: get_or_load({key!r}, {list(tags)}, load), {when}"
        return self.calls.call(did, self._caches[process - 1].get_or_load, key, tags, load)

    def require(
        self, expected: bytes, key: str, *tags: str, slug: str = "tea", process: int = 1, when: str, look: str
    ) -> None:
        """Fail the check unless a read returns the expected price."""
        came = self.read(key, *tags, slug=slug, process=process, when=when)
        if came != expected:
            did = f"process {process}: get_or_load({key!r}, {list(tags)}, load), {when}"
            keys = ", ".join(sorted(key.decode() for key in self.content())) or "nothing"
            self.calls.fail(did, f"{expected!r}.", f"{shorten(came)}, {when}. Valkey holds {keys}.", look)

    def require_loads(self, expected: Sequence[str], when: str, look: str) -> None:
        """Fail the check unless just these keys were loaded."""
        if self.loads != list(expected):
            expected_text = f"loads of {', '.join(expected) or 'no key'}."
            came = f"loads of {', '.join(self.loads) or 'no key'}, {when}."
            self.calls.fail(f"reads {when}", expected_text, came, look)

    def write(self, *tags: str, slug: str = "tea", amount: int = NEW, process: int = 2) -> None:
        """Change a price in a transaction, call ``on_write`` in it, and commit."""
        with self.table.change(slug, amount) as after_commit:
            self.register(*tags, after_commit=after_commit, process=process)

    def register(self, *tags: str, after_commit: Callable[[Callable[[], None]], None], process: int = 2) -> None:
        """Call ``on_write`` within a transaction."""
        did = f"process {process}: on_write({list(tags)}, after_commit)"
        self.calls.call(did, self._caches[process - 1].on_write, tags, after_commit)

    def content(self) -> dict[bytes, bytes | None]:
        """Return every key of Valkey, with its content."""
        return {key: self.valkey.dump(key) for key in self.valkey.scan_iter()}


def check_reads_through(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the loads of several reads, and the lifetime of what they store."""
    caches = CheckedCaches(factory, calls)
    look = "Return the value of load(), and store it."
    caches.require(b"tea 100", "screen:tea", "product:tea", "category:tea", when="the first read", look=look)
    caches.require(b"mug 100", "screen:mug", "product:mug", slug="mug", when="the first read", look=look)
    look = "The stored bytes are returned, as load() has made them."
    for process in (1, 2):
        tags = ("product:tea", "category:tea")
        caches.require(b"tea 100", "screen:tea", *tags, process=process, when="another read", look=look)
    when = "while two keys are read, and one of them again in each of two processes"
    look = "Look in Valkey before you load. If you use versions: a tag that has none gets one before the load."
    caches.require_loads(["screen:tea", "screen:mug"], when, look)
    for key in sorted(caches.content()):
        if caches.valkey.ttl(key) == -1:
            look = "set(..., ex=ttl_s). A key without an end stays when its product is long gone."
            came = f"{key.decode()} has none."
            calls.fail("TTL of every key that these reads have stored", "every key has a lifetime.", came, look)


def check_invalidates(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check which entries are invalid after a commit."""
    caches = CheckedCaches(factory, calls)
    before = "before the write"
    for process in (1, 2):
        caches.read("screen:tea", "product:tea", "category:hot", process=process, when=before)
    caches.read("list:hot", "category:hot", "product:tea", when=before)
    caches.read("screen:mug", "product:mug", "category:cold", slug="mug", when=before)
    caches.write("product:tea")
    caches.loads.clear()
    for key, tags, process, look in (
        ("screen:tea", ("product:tea", "category:hot"), 2, "The entry carries the tag product:tea."),
        (
            "screen:tea",
            ("product:tea", "category:hot"),
            1,
            "Process 2 has written: tags must be known to all processes.",
        ),
        ("list:hot", ("category:hot", "product:tea"), 1, "An entry is invalid if *any* of its tags is."),
    ):
        when = "after another price was committed with the tag product:tea"
        caches.require(b"tea 200", key, *tags, process=process, when=f"{when}, {key} in process {process}", look=look)
    caches.read("screen:mug", "product:mug", "category:cold", slug="mug", when="after a write with the tag product:tea")
    when = "after a write with the tag product:tea, which screen:mug does not have"
    look = "An entry without the tag stays. A flush would have the whole shop loaded again."
    caches.require_loads(["screen:tea", "list:hot"], when, look)


def check_after_commit(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a reader that reads after the write and before its commit."""
    caches = CheckedCaches(factory, calls)
    caches.read("screen:tea", "product:tea", when="before the write")
    with caches.table.change("tea", NEW) as after_commit:
        caches.register("product:tea", after_commit=after_commit)
        look = "Before the commit, every reader sees the old price."
        caches.require(b"tea 100", "screen:tea", "product:tea", when="before the commit", look=look)
    look = (
        "The reader before the commit stored the old price again. Invalidate after the commit: after_commit(function)."
    )
    for process in (1, 2):
        when = "after the commit, and a read before it"
        caches.require(b"tea 200", "screen:tea", "product:tea", process=process, when=when, look=look)


def check_rollback(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a write that is rolled back leaves the entries alone, also after a later commit."""
    caches = CheckedCaches(factory, calls)
    caches.read("screen:tea", "product:tea", when="before the write")
    caches.loads.clear()
    with suppress(PaymentRefused), caches.table.change("tea", NEW) as after_commit:
        caches.register("product:tea", after_commit=after_commit)
        raise PaymentRefused
    when = "after a write with the tag product:tea was rolled back"
    look = "Call nothing but after_commit in on_write: it runs your function after a commit only."
    caches.require(b"tea 100", "screen:tea", "product:tea", when=when, look=look)
    caches.require_loads([], when, look)
    caches.write("product:pot", slug="pot")
    when = "after a rollback with the tag product:tea and a later commit with the tag product:pot"
    caches.read("screen:tea", "product:tea", when=when)
    look = "Keep the tags of a write in a local variable: those of a rollback must not wait for the next commit."
    caches.require_loads([], when, look)


def check_late_fill(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a load that reads the old price, and ends after the commit of the new one."""
    caches = CheckedCaches(factory, calls)
    caches.write("product:mug", slug="mug", amount=OLD)
    for slug, state in (("tea", "the tag is new"), ("mug", "the tag was invalidated once before")):
        tag, key = f"product:{slug}", f"screen:{slug}"
        commits = iter([partial(caches.write, tag, slug=slug)])

        def commit_once(commits: Iterator[Callable[[], None]] = commits) -> None:
            for commit in commits:
                commit()

        when = f"while load() runs, process 2 commits a new price; {state}"
        caches.read(key, tag, slug=slug, when=when, during_load=commit_once)
        when = f"after a load that a commit has overtaken; {state}"
        look = "Read the versions of the tags before load() begins, and store these with the value."
        caches.require(f"{slug} {NEW}".encode(), key, tag, slug=slug, when=when, look=look)


def check_evicted_version(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check an entry whose tag Valkey evicts after the invalidation."""
    caches = CheckedCaches(factory, calls)
    caches.read("screen:tea", "product:tea", when="before the write")
    before = caches.content()
    caches.write("product:tea")
    written = [key for key, content in caches.content().items() if before.get(key) != content]
    if written:
        caches.valkey.delete(*written)
    shown = ", ".join(sorted(key.decode() for key in written)) or "no key"
    look = (
        "A tag without a version is no reason to trust an entry, and a counter begins again: use new random versions."
    )
    when = f"after a commit, and after Valkey has evicted what the invalidation wrote ({shown})"
    caches.require(b"tea 200", "screen:tea", "product:tea", when=when, look=look)


class PaymentRefused(Exception):
    """Rolls a transaction back."""


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "reads-through": check_reads_through,
    "invalidates": check_invalidates,
    "after-commit": check_after_commit,
    "rollback": check_rollback,
    "late-fill": check_late_fill,
    "evicted-version": check_evicted_version,
}
