"""Lends the servers of a check: a numbered database of Valkey, and a schema for each behavioural check in PostgreSQL.

Problem: a check that locks keys or inserts rows must touch nothing of the store, leave nothing behind, and begin empty,
also after an earlier check was killed.
Method: Valkey's numbered databases share no key, so an attempt may use any name. The schemas have names that nothing
else has. One check at a time holds a lock on a file, which the kernel releases also after kill -9; the file is not
empty as long as a check has not cleaned up, and the next check does it. A Valkey database with keys that no check has
made is refused, and a lock in PostgreSQL keeps two checkouts apart that share one database. A Memcached
is started for the check alone.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from shop.errors import ConfigurationError
from shop.exercises.definition import ExerciseDefinition
from shop.exercises.memcached_client import MemcachedError, find_memcached, private_server
from shop.exercises.server_addresses import SCHEMA, ServerAddresses
from shop.exercises.verdict import CannotJudge

if TYPE_CHECKING:
    import psycopg

LOCK_FILE = "exercise-servers.lock"
VALKEY_DATABASE = 15
"""The last of the sixteen; the store uses the first."""
CONNECT_TIMEOUT_S = 3
LOCK_TIMEOUT_S = 5
OTHER_CHECK_TIMEOUT_S = 1
"""PostgreSQL ends the session of a check a moment after the check has ended."""
DROP_SCHEMAS = r"""
DO $$ DECLARE one text; BEGIN
    FOR one IN SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname ~ '^exercise_check_\d+$' LOOP
        EXECUTE 'DROP SCHEMA ' || one || ' CASCADE';
    END LOOP;
END $$
"""


@dataclass(frozen=True)
class ServerUrls:
    """The addresses of the store's servers.

    Args:
        valkey: of the cache; ``None`` if there is none.
        database: with the role of the store.
        owner: the same database, with a role that may make schemas.
        valkey_database: number of the Valkey database that the check may use.
    """

    valkey: str | None
    database: str | None
    owner: str | None
    valkey_database: int = VALKEY_DATABASE


@contextmanager
def lend_servers(definition: ExerciseDefinition, urls: ServerUrls, var: Path) -> Iterator[ServerAddresses]:
    """Yield the servers that an exercise uses, empty; empty them again at the end.

    Args:
        definition: the exercise, of kind build.
        urls: the addresses of the store's servers.
        var: the state directory, which has the lock file.

    Raises:
        CannotJudge: a server does not answer, or cannot be used.
        ConfigurationError: another check is using them.
    """
    assert definition.build is not None  # noqa: S101 - the caller passes a build exercise
    needed = definition.build.servers
    with ExitStack() as stack:
        marks = stack.enter_context(_hold_lock(var)) if needed else None
        valkey_url = database_url = ""
        if marks is not None and "valkey" in needed:
            valkey_url = stack.enter_context(_lend_valkey(urls, marks))
        if "postgresql" in needed:
            database_url = stack.enter_context(_lend_schemas(urls, len(definition.checks)))
        memcached_path = stack.enter_context(_lend_memcached()) if "memcached" in needed else ""
        yield ServerAddresses(valkey_url, database_url, memcached_path)


@contextmanager
def _hold_lock(var: Path) -> Iterator[IO[str]]:
    var.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    with os.fdopen(os.open(var / LOCK_FILE, flags, 0o600), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _read_marks(lock).get("pid", "unknown")
            raise ConfigurationError(
                f"Another check is running (pid {pid}): wait for its end, or stop it first."
            ) from None
        _write_marks(lock, {**_read_marks(lock), "pid": os.getpid()})
        yield lock


@contextmanager
def _lend_valkey(urls: ServerUrls, marks: IO[str]) -> Iterator[str]:
    import redis

    if urls.valkey is None:
        raise CannotJudge("The check uses the store's Valkey, and no store runs: start it with `bin/shop up`.")
    place = numbered_database(urls.valkey, urls.valkey_database)
    digest = hashlib.sha256(place.encode()).hexdigest()  # the address has a password
    timeouts = {"socket_timeout": CONNECT_TIMEOUT_S, "socket_connect_timeout": CONNECT_TIMEOUT_S}
    with closing(redis.Redis.from_url(place, driver_info=None, **timeouts)) as client:
        try:
            is_foreign = client.dbsize() > 0 and _read_marks(marks).get("valkey") != digest
        except redis.RedisError as error:
            raise CannotJudge(f"The check cannot use the store's Valkey: {error}.") from None
        if is_foreign:
            raise CannotJudge(
                f"The database {urls.valkey_database} of the store's Valkey has keys, and no check of this checkout has"
                " made them. If nothing else uses it, empty it with FLUSHDB."
            )
        _write_marks(marks, {"pid": os.getpid(), "valkey": digest})
        client.flushdb()
        try:
            yield place
        finally:
            with suppress(redis.RedisError):
                client.flushdb()
                _write_marks(marks, {})


def numbered_database(url: str, number: int) -> str:
    """Return the address of another numbered database of a Valkey.

    Args:
        url: of one of its databases.
        number: of the other.
    """
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "db"]
    if parts.scheme == "unix":  # the path is that of the socket
        return f"{url.partition('?')[0]}?{urlencode([*query, ('db', str(number))])}"
    return parts._replace(path=f"/{number}", query=urlencode(query)).geturl()


@contextmanager
def _lend_schemas(urls: ServerUrls, count: int) -> Iterator[str]:
    import psycopg

    if urls.database is None or urls.owner is None:
        raise CannotJudge("The check uses the store's PostgreSQL, and no store runs: start it with `bin/shop up`.")
    try:
        owner = psycopg.connect(_plain(urls.owner), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.Error as error:
        raise CannotJudge(f"The check uses the store's PostgreSQL, which does not answer: {error}") from None
    with owner:
        try:
            _make_schemas(owner, urls, count)
        except psycopg.Error as error:
            raise CannotJudge(f"The check cannot make a schema in the store's PostgreSQL: {error}") from None
        try:
            yield urls.database
        finally:
            with suppress(psycopg.Error):
                owner.execute(DROP_SCHEMAS)
                owner.execute("SELECT pg_advisory_unlock_all()")  # a closed connection keeps it for a moment


def _make_schemas(owner: "psycopg.Connection", urls: ServerUrls, count: int) -> None:
    import psycopg
    from psycopg import sql

    owner.execute(f"SET lock_timeout = '{OTHER_CHECK_TIMEOUT_S}s'")
    try:
        owner.execute("SELECT pg_advisory_lock(hashtext(%s))", [SCHEMA])
    except psycopg.errors.LockNotAvailable:
        raise CannotJudge("A check of another checkout is using the store's PostgreSQL: wait for its end.") from None
    owner.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
    owner.execute(DROP_SCHEMAS)
    role = None
    if urls.database != urls.owner:
        with psycopg.connect(_plain(urls.database or ""), connect_timeout=CONNECT_TIMEOUT_S) as store:
            role = store.info.user
    for number in range(count):
        schema = sql.Identifier(ServerAddresses.schema(number))
        owner.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        if role is not None:
            owner.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(schema, sql.Identifier(role)))


@contextmanager
def _lend_memcached() -> Iterator[str]:
    program = find_memcached()
    if program is None:
        raise CannotJudge(
            "The check needs Memcached 1.6, which is not installed: `apt install memcached` on Debian,"
            " `brew install memcached` on macOS."
        )
    try:
        with private_server(program) as path:
            yield path
    except MemcachedError as error:
        raise CannotJudge(f"The check cannot use {program}: {error}.") from None


def _plain(url: str) -> str:
    """Return an address in the spelling of libpq, without the name of a driver."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def _read_marks(lock: IO[str]) -> dict[str, object]:
    lock.seek(0)
    try:
        marks: dict[str, object] = json.loads(lock.read() or "{}")
    except ValueError:
        return {}
    return marks


def _write_marks(lock: IO[str], marks: dict[str, object]) -> None:
    lock.seek(0)
    lock.truncate()
    lock.write(json.dumps(marks) if marks else "")
    lock.flush()
