"""A stack that root starts, in the hardest place: below a folder only root may enter, 120 characters deep, over what an
earlier version left, which ran as root and let everybody in."""

import json
import os
import pwd
import shutil
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from shop.atomic_files import atomic_write
from shop.database.engine import build_engine
from shop.database.schema import upgrade
from shop.lab.lab_lock import claim_lab
from shop.settings import PROJECT_ROOT, load_settings
from shop.stack import privileges
from tests.support.legacy_cluster import TRUST_RULES, make_old_cluster
from tests.support.os_account import OTHER_UID, as_another_account
from tests.support.stack_instance import StackInstance

pytestmark = pytest.mark.xdist_group("other-account")  # one process, one stack
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
DEEP = 120
CODE = ("shop", "migrations", "deploy")
KEPT = "cache.stampede"


class CopiedInstance(StackInstance):
    """A copy of the store with a directory and port of its own, with its code."""

    def __init__(self, root: Path) -> None:
        for name in CODE:
            shutil.copytree(PROJECT_ROOT / name, root / name)
        (root / "var").mkdir()
        super().__init__(root / "var")
        self.environment["PYTHONPATH"] = str(root)

    @property
    def command(self) -> Sequence[str]:
        """Return what runs that code, wherever the tests were started."""
        return (sys.executable, "-P", "-m", "shop.cli")


def leave_what_an_earlier_version_left(var: Path) -> None:
    """Make a cluster that trusts everybody and belongs to the superuser, and files of root's for all to read."""
    cluster = make_old_cluster(var / "pg")
    with cluster:
        address = f"postgresql://shop@127.0.0.1:{cluster.port}/shop"
        engine = build_engine(load_settings(database_url=address))
        upgrade(engine)
        engine.dispose()
        with cluster.connect_without_password("shop") as connection:
            connection.execute("INSERT INTO switches (name, value) VALUES (%s, 'off')", (KEPT,))
    assert (var / "pg" / "pg_hba.conf").read_text() == TRUST_RULES
    for name in ("log/web.log", "run/stack.json", "cache/password", "secret_key"):
        (var / name).parent.mkdir(exist_ok=True)
        (var / name).write_text(name)
    (var / "cache" / "password").unlink()


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    base = tmp_path_factory.mktemp("closed")
    root = base / ("deep-" * DEEP)[: max(DEEP - len(str(base)), 1)]
    root.mkdir()
    instance = CopiedInstance(root)
    leave_what_an_earlier_version_left(instance.var)
    for cache in root.rglob("__pycache__"):
        shutil.rmtree(cache)
    base.chmod(0o700)
    said = instance.up("--size", "s", PYTHONDONTWRITEBYTECODE="")
    assert "the store is open" in said
    yield instance
    ran = instance.identities()
    assert instance.shop("down").returncode == 0
    assert not any(one.alive for one in ran)


def processes(instance):
    """Return every process of the stack."""
    found = []
    for identity in instance.identities():
        leader = identity.process()
        assert leader
        with suppress(psutil.NoSuchProcess):
            found += [leader, *leader.children(recursive=True)]
    return {one.pid: one for one in found}.values()


def capabilities(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1], 16) for line in lines if line.startswith("Cap")}


@AS_ROOT
def test_every_process_runs_as_data_owner_and_can_only_read(instance):
    owner = (instance.var / "pg").stat().st_uid
    assert owner != 0
    assert len(str(instance.var.parent)) >= DEEP
    for one in processes(instance):
        with suppress(psutil.NoSuchProcess):
            assert set(one.uids()) == {owner}, one.cmdline()
            assert capabilities(one.pid)["CapPrm"] in (0, 1 << 2), one.cmdline()


def test_files_of_earlier_version_are_kept_and_made_private(instance):
    with psycopg.connect(instance.state().load().urls["database_url"]) as connection:
        assert connection.execute("SELECT value FROM switches WHERE name = %s", (KEPT,)).fetchone() == ("off",)
    assert (instance.var / "secret_key").read_text() == "secret_key"
    for path in (instance.var, *instance.var.rglob("*")):
        if not path.is_symlink() and "pg" not in path.parts:
            assert path.stat().st_mode & 0o077 == 0, path
            assert path.stat().st_uid == (instance.var / "pg").stat().st_uid, path


@AS_ROOT
def test_code_is_compiled_once_beside_read_only_sources(instance):
    compiled = [path.name for path in (instance.var.parent / "shop").rglob("*.pyc")]
    assert any(name.startswith("worker.") for name in compiled)
    assert any(name.startswith("wiring.") for name in compiled)


def test_no_command_line_holds_a_secret(instance):
    state = instance.state().load()
    words = " ".join(word for one in processes(instance) for word in one.cmdline())
    secrets = [url.partition("@")[0].rpartition(":")[2] for url in state.urls.values() if "@" in url]
    secrets += [path.read_text() for path in instance.var.glob("payments_*") if path.is_file()]
    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret in words]


def first_bytes(port, sent):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(sent)
        return connection.recv(100).decode(errors="replace")


def test_another_account_gets_no_session_at_any_port(instance):
    ports = instance.state().load().ports
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://shop@127.0.0.1:{ports['postgres']}/shop")
    for name in ("cache", "broker"):
        assert "NOAUTH" in as_another_account(first_bytes, ports[name], b"PING\r\n")
    request = b"GET /admin/settings HTTP/1.0\r\n\r\n"
    assert " 401 " in as_another_account(first_bytes, ports["payments"], request)


def test_the_commands_work_on_servers_of_another_account(instance):
    assert instance.shop("sql", "-Atc", "SELECT current_user").stdout == "shop_reader\n"
    refused = instance.shop("sql", "-c", "BEGIN READ WRITE; DELETE FROM switches")
    assert "permission denied" in refused.stderr
    assert instance.shop("fault", "set", "cache", "hang").returncode == 0
    assert {one.name: one.health for one in instance.look().processes}["cache"] == "ill"
    assert instance.shop("fault", "clear").returncode == 0
    assert json.loads(instance.shop("orders", "rebuild", "--json").stdout)["orders"] > 0
    status = instance.status()
    assert status["well"]
    assert all(one["rss_mb"] > 0 for one in status["processes"])


@AS_ROOT
def test_root_changes_owner_only_in_a_stack_directory(tmp_path):
    account = privileges.ServerAccount(OTHER_UID, OTHER_UID)
    outside = tmp_path / "outside"
    outside.write_text("root's")
    var = tmp_path / "var"
    (var / "run").mkdir(parents=True)
    (var / "run" / "stack.json").write_text("{}")
    (var / "run" / "link").symlink_to(outside)
    os.link(outside, var / "run" / "second-name")
    privileges.change_owner(var, account)
    assert privileges.ServerAccount.owning(var / "run" / "stack.json") == account
    assert privileges.ServerAccount.owning(outside).uid == 0
    assert outside.stat().st_mode & 0o777 != 0


@AS_ROOT
def test_exercise_before_first_start_leaves_a_state_directory(tmp_path):
    stack, account = StackInstance(tmp_path), privileges.ServerAccount(OTHER_UID, OTHER_UID)
    done = stack.shop("exercise", "start", "4", SHOP_EXERCISES_DIR=str(tmp_path.with_name("attempts")))
    assert done.returncode == 0, done.stderr
    privileges.change_owner(tmp_path, account)
    assert {privileges.ServerAccount.owning(path) for path in (tmp_path, *tmp_path.rglob("*"))} == {account}


@AS_ROOT
def test_folder_of_experiments_belongs_to_owner_of_state_directory(tmp_path):
    os.chown(tmp_path, OTHER_UID, OTHER_UID)
    with claim_lab(tmp_path / "lab"):
        atomic_write(tmp_path / "lab" / "restore.json", "{}")
    account = privileges.ServerAccount(OTHER_UID, OTHER_UID)
    assert privileges.ServerAccount.owning(tmp_path / "lab") == account
    assert privileges.ServerAccount.owning(tmp_path / "lab" / "restore.json") == account


@AS_ROOT
def test_directory_with_other_files_is_refused(tmp_path):
    (tmp_path / "spool").mkdir()
    done = StackInstance(tmp_path).shop("up")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "SHOP_VAR_DIR" in done.stderr
    assert privileges.ServerAccount.owning(tmp_path / "spool").uid == 0


@AS_ROOT
def test_servers_run_as_the_owner_of_the_data(tmp_path):
    assert privileges.ServerAccount.of_servers(tmp_path / "var").uid == pwd.getpwnam("nobody").pw_uid
    os.chown(tmp_path, OTHER_UID, OTHER_UID)
    assert privileges.ServerAccount.of_servers(tmp_path) == privileges.ServerAccount(OTHER_UID, OTHER_UID)
    (tmp_path / "pg").mkdir()
    os.chown(tmp_path / "pg", 1, 1)
    assert privileges.ServerAccount.of_servers(tmp_path) == privileges.ServerAccount(1, 1)


def test_a_private_file_is_never_written_through_a_link(tmp_path):
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / "secret").symlink_to(target)
    atomic_write(tmp_path / "secret", "word")
    assert target.read_text() == "kept"
    assert (tmp_path / "secret").read_text() == "word"
    assert (tmp_path / "secret").lstat().st_mode & 0o777 == 0o600
