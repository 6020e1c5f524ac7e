"""A check gets an empty part of real servers, and leaves nothing behind, also after kill -9."""

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import psycopg
import pytest
import redis

from shop.errors import ConfigurationError
from shop.exercises.check_servers import ServerUrls, lend_servers, numbered_database
from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.graders.attempt_servers import AttemptServers
from shop.exercises.server_addresses import SCHEMA, ServerAddresses
from shop.exercises.verdict import CannotJudge
from shop.stack import postgres
from shop.stack.database_roles import STORE
from shop.stack.program import free_port
from shop.stack.valkey import cache
from shop.stack.valkey import url as valkey_url
from tests.support.polling import until

JITTER = load_definition(EXERCISES / "04-ttl-jitter")
BOTH = ["valkey", "postgresql"]
LEND_UNTIL_KILLED = """
import json, sys
from pathlib import Path
from shop.exercises.check_servers import ServerUrls, lend_servers
from shop.exercises.definition import load_definition
from shop.exercises.graders.attempt_servers import AttemptServers
exercise = load_definition(Path(sys.argv[1]))
exercise = exercise.with_changes(build=exercise.build.with_changes(servers=["valkey", "postgresql"]))
with lend_servers(exercise, ServerUrls(**json.loads(sys.argv[2])), Path(sys.argv[3])) as addresses:
    servers = AttemptServers(addresses, 0)
    servers.valkey().set("left", 1)
    with servers.database().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE left_behind (id int)")
    with servers.database().begin() as connection:
        connection.exec_driver_sql("LOCK TABLE left_behind")
        print("lent", flush=True)
        connection.exec_driver_sql("SELECT pg_sleep(600)")
"""


def needing(*servers):
    return JITTER.with_changes(build=JITTER.build.with_changes(servers=servers))


@pytest.fixture
def urls(proof_urls):
    return proof_urls


@pytest.fixture
def lend(urls, tmp_path):
    """Return a function that lends servers, with this test's lock file."""

    @contextmanager
    def lend(*names, urls=urls):
        with lend_servers(needing(*(names or BOTH)), urls, tmp_path) as addresses:
            servers = AttemptServers(addresses, 0)
            try:
                yield servers
            finally:
                servers.close()

    return lend


@pytest.fixture
def valkey(urls):
    """The database of Valkey that checks use, as another client sees it."""
    with redis.Redis.from_url(numbered_database(urls.valkey, urls.valkey_database)) as client:
        yield client
        client.flushdb()


def schemas(urls):
    with psycopg.connect(urls.owner) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'exercise%' ORDER BY 1")
        return [name for (name,) in rows]


def test_check_has_servers_of_its_own_and_leaves_nothing(lend, urls, valkey):
    with lend() as servers:
        servers.valkey().set("lock", "mine")
        assert servers.valkey().get("lock") == b"mine", "two clients are two processes of one check"
        with servers.database().begin() as connection:
            connection.exec_driver_sql("CREATE TABLE orders (id int)")
        with servers.database().connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM orders").scalar() == 0, "not the store's orders"
        assert len(schemas(urls)) == len(JITTER.checks)
    assert (schemas(urls), valkey.dbsize()) == ([], 0)


def test_each_check_begins_empty(urls, tmp_path):
    with lend_servers(needing(*BOTH), urls, tmp_path) as addresses:
        for number in range(2):
            servers = AttemptServers(addresses, number)
            assert servers.valkey().get("seen") is None
            servers.valkey().set("seen", 1)
            with servers.database().begin() as connection:
                connection.exec_driver_sql("CREATE TABLE seen (id int)")
            servers.close()


def test_killed_check_is_cleaned_up_by_the_next(lend, urls, valkey, tmp_path):
    words = [str(JITTER.folder), json.dumps(asdict(urls)), str(tmp_path)]
    killed = subprocess.Popen([sys.executable, "-c", LEND_UNTIL_KILLED, *words], stdout=subprocess.PIPE, text=True)
    assert killed.stdout.readline() == "lent\n"
    with pytest.raises(ConfigurationError, match=rf"Another check is running \(pid {killed.pid}\)"), lend():
        pass
    killed.kill()
    killed.communicate()
    assert (len(schemas(urls)), valkey.get("left")) == (len(JITTER.checks), b"1"), "a killed check cannot clean up"
    with lend() as servers:
        assert servers.valkey().dbsize() == 0
        with servers.database().begin() as connection:
            connection.exec_driver_sql("CREATE TABLE left_behind (id int)")
    assert (schemas(urls), valkey.dbsize()) == ([], 0)


def test_keys_of_something_else_are_refused_and_kept(lend, valkey):
    valkey.set("precious", 1)
    with pytest.raises(CannotJudge, match="no check of this checkout has made them"), lend("valkey"):
        pass
    assert valkey.get("precious") == b"1"


def test_next_check_begins_at_once(lend, urls):
    with psycopg.connect(urls.database, autocommit=True) as other:
        for _ in range(20):
            with lend("postgresql"):
                pass
            assert other.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [SCHEMA]).fetchone() == (True,)
            other.execute("SELECT pg_advisory_unlock_all()")


def test_role_of_the_store_is_enough_for_the_attempt(lend, urls, servers, settings):
    name = str(settings.database_url).rpartition("/")[2]
    store = postgres.url(Path(servers.home) / "pg", servers.postgres, name, STORE)
    with lend("postgresql", urls=replace(urls, database=store)) as lent, lent.database().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mine (id int)")
        assert connection.exec_driver_sql("SELECT current_user").scalar() == STORE
    assert schemas(urls) == []


@pytest.mark.parametrize("name", BOTH)
def test_missing_server_could_not_be_judged(name, lend, urls):
    with pytest.raises(CannotJudge, match="start it with `bin/shop up`"), lend(name, urls=ServerUrls(None, None, None)):
        pass
    port = free_port()
    dead = ServerUrls(f"redis://127.0.0.1:{port}/0", *[f"postgresql://shop@127.0.0.1:{port}/shop"] * 2)
    with pytest.raises(CannotJudge, match=r"the store's (Valkey|PostgreSQL)"), lend(name, urls=dead):
        pass


def test_exercise_without_servers_needs_none(tmp_path):
    with lend_servers(JITTER, ServerUrls(None, None, None), tmp_path / "var") as addresses:
        assert addresses == ServerAddresses()


def test_server_that_stops_during_a_check_fails_no_attempt(lend, tmp_path):
    program = cache(tmp_path, free_port(), memory_mb=8)
    process = subprocess.Popen(program.argv, stdout=subprocess.DEVNULL)
    try:
        until(program.healthy)
        with lend("valkey", urls=ServerUrls(valkey_url(tmp_path, program.port), None, None)) as servers:
            servers.valkey()
            servers.require_answers()
            process.kill()
            process.wait()
            with pytest.raises(CannotJudge, match="A server stopped during the check"):
                servers.require_answers()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("redis://:word@127.0.0.1:6379/0", "redis://:word@127.0.0.1:6379/15"),
        ("redis://127.0.0.1", "redis://127.0.0.1/15"),
        ("rediss://host:1/3?db=4&socket_timeout=2", "rediss://host:1/15?socket_timeout=2"),
        ("unix:///run/valkey.sock?db=2", "unix:///run/valkey.sock?db=15"),
    ],
)
def test_address_of_another_numbered_database(url, other):
    assert numbered_database(url, 15) == other


def test_missing_memcached_is_told_and_judges_nothing(lend, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotJudge, match="apt install memcached"), lend("memcached"):
        pass
