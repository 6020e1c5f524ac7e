"""Who gets into the stack's servers: those who know a secret, each as far as its role goes, and nobody else."""

import os
import socket
from pathlib import Path

import httpx
import psycopg
import pytest

from shop.stack import database_roles, postgres, valkey
from shop.stack.database_roles import OWNER, READER, ROLES, STORE, SUPERUSER
from shop.stack.program import free_port
from tests.support.legacy_cluster import make_old_cluster
from tests.support.os_account import as_another_account
from tests.support.polling import until

LATER = "CREATE TABLE IF NOT EXISTS later_migration (id serial PRIMARY KEY, note text)"


def let_into_postgres(port, role, password):
    try:
        psycopg.connect(host="127.0.0.1", port=port, user=role, dbname="postgres", password=password).close()
    except psycopg.OperationalError as error:
        return str(error)
    return "let in"


def said_by_valkey(port, command):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(200).decode()


def status_at(url):
    return httpx.get(url).status_code


def can_read(path):
    try:
        return bool(Path(path).read_bytes())
    except PermissionError:
        return False


@pytest.mark.parametrize("role", [*ROLES, "postgres"])
@pytest.mark.parametrize("password", [None, "", "shop"])
def test_postgres_refuses_clients_without_the_password(servers, role, password):
    said = as_another_account(let_into_postgres, servers.postgres, role, password)
    assert "no password supplied" in said or "password authentication failed" in said


@pytest.mark.parametrize("name", ["cache", "broker"])
@pytest.mark.parametrize("command", ["PING", "INFO", "CONFIG GET requirepass"])
def test_valkey_refuses_clients_without_the_password(servers, name, command):
    assert "Authentication required" in as_another_account(said_by_valkey, getattr(servers, name), command)


@pytest.mark.parametrize("path", ["/admin/settings", "/admin/messages", "/charges"])
def test_provider_refuses_clients_without_the_key(simulator, path):
    assert as_another_account(status_at, f"{simulator.url}{path}") == 401


def test_secrets_are_private_and_in_no_command_line(servers):
    home = Path(servers.home)
    files = [database_roles.passwords_file(home / "pg"), home / "pg" / "pg_hba.conf"]
    files += [home / name / file for name in ("cache", "broker") for file in ("password", "valkey.conf")]
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600
        if os.geteuid() == 0:
            assert not as_another_account(can_read, str(path))
    secrets = {*database_roles.role_passwords(home / "pg").values(), valkey.server_password(home / "cache")}
    program = valkey.cache(home / "cache-as-told", free_port(), 1)
    words = " ".join(program.argv)
    assert valkey.server_password(home / "cache-as-told") not in words
    assert not any(secret in words for secret in secrets)


@pytest.fixture(scope="module")
def roles(servers, new_database):
    """A migrated database as each role meets it, with a table that came after the first grants."""
    name = new_database("roles").rpartition("/")[2]
    home = Path(servers.home) / "pg"
    address = {role: postgres.url(home, servers.postgres, name, role) for role in ROLES}
    connections = {role: psycopg.connect(url, autocommit=True) for role, url in address.items()}
    connections[OWNER].execute(LATER)
    yield connections
    for connection in connections.values():
        connection.close()


def test_role_has_its_rights(roles):
    roles[STORE].execute("INSERT INTO later_migration (note) VALUES ('by the store')")
    roles[STORE].execute("UPDATE later_migration SET note = 'again'")
    roles[STORE].execute("SELECT nextval('later_migration_id_seq')")
    roles[STORE].execute("CREATE TEMPORARY TABLE incoming (id int)")
    roles[STORE].execute("VACUUM (ANALYZE) later_migration")
    assert roles[READER].execute("SELECT note FROM later_migration").fetchone() == ("again",)
    assert roles[READER].execute("SELECT count(*) > 0 FROM pg_stat_statements").fetchone() == (True,)
    roles[OWNER].execute("ALTER TABLE later_migration ADD COLUMN more int")


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (STORE, "CREATE TABLE mine (id int)"),
        (STORE, "ALTER TABLE orders ADD COLUMN mine int"),
        (STORE, "DROP TABLE later_migration"),
        (STORE, "TRUNCATE later_migration"),
        (STORE, "CREATE SCHEMA mine"),
        (STORE, "COPY (SELECT 1) TO PROGRAM 'cat'"),
        (STORE, "SELECT pg_read_file('PG_VERSION')"),
        (STORE, "CREATE ROLE mine"),
        (STORE, f"SET ROLE {OWNER}"),
        (READER, "INSERT INTO later_migration (note) VALUES ('by the reader')"),
        (READER, "BEGIN READ WRITE; DELETE FROM later_migration"),
        (READER, "SELECT nextval('later_migration_id_seq')"),
        (OWNER, "COPY (SELECT 1) TO PROGRAM 'cat'"),
        (OWNER, "CREATE ROLE mine SUPERUSER"),
    ],
)
def test_role_has_no_other_rights(roles, role, statement):
    try:
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
            roles[role].execute(statement)
    finally:
        roles[role].execute("ROLLBACK")


@pytest.fixture
def old_cluster(tmp_path_factory):
    """A cluster of an earlier version, with rows in a table of the superuser's."""
    base = tmp_path_factory.mktemp("earlier")
    for directory in (base, base.parent):
        directory.chmod(0o755)
    cluster = make_old_cluster(base / "pg")
    with cluster, cluster.connect_without_password("shop") as inside:
        inside.execute("CREATE EXTENSION pg_trgm")
        inside.execute("CREATE TABLE kept (id serial PRIMARY KEY, note text)")
        inside.execute("INSERT INTO kept (note) VALUES ('from before')")
        inside.execute("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    return cluster


def test_earlier_cluster_keeps_its_data_and_gets_passwords(old_cluster):
    postgres.initialise(old_cluster.data_dir)
    with old_cluster:
        for _ in range(2):
            postgres.ensure_database(old_cluster.data_dir, old_cluster.port)
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            old_cluster.connect_without_password("shop")
        with old_cluster.connect(OWNER) as owner, old_cluster.connect(STORE) as store:
            owner.execute("ALTER TABLE kept ADD COLUMN more int")
            owner.execute("CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'")
            store.execute("INSERT INTO kept (note) VALUES ('from now')")
        with old_cluster.connect(READER) as reader:
            assert reader.execute("SELECT note FROM kept ORDER BY id").fetchall() == [("from before",), ("from now",)]


def test_lost_passwords_are_replaced_and_probe_logs_nothing(old_cluster):
    postgres.initialise(old_cluster.data_dir)
    database_roles.passwords_file(old_cluster.data_dir).unlink()
    postgres.initialise(old_cluster.data_dir)
    with old_cluster:
        until(lambda: "ready to accept" in old_cluster.log.read_text())
        before = len(old_cluster.log.read_text())
        for _ in range(5):
            assert postgres.is_ready(old_cluster.port)
        with old_cluster.connect(SUPERUSER, "postgres") as server:
            assert server.execute("SELECT 1").fetchone() == (1,)
        assert old_cluster.log.read_text()[before:] == ""
