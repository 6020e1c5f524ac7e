"""A cluster of an earlier version, and its server: every client is accepted, as the superuser, who owns all tables."""

import signal
import subprocess
from pathlib import Path
from typing import Self

import psycopg

from shop.stack import database_roles, postgres
from shop.stack.database_roles import OWNER, READER, STORE
from shop.stack.program import free_port
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure

TRUST_RULES = "host all all 127.0.0.1/32 trust\n"


class ClusterServer:
    """The server of one cluster; it runs during a block.

    Args:
        data_dir: the cluster.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.log = data_dir.parent / "cluster.log"
        self._program = postgres.program(data_dir, free_port(), {"fsync": "off"})
        self.port = self._program.port

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._program.argv, stdout=log, stderr=log, cwd="/")
        with ended_on_failure(self.__exit__):
            until(self._program.healthy)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        self.log.unlink()

    def connect(self, role: str, database: str = "shop") -> psycopg.Connection:
        """Open a session with a password."""
        return psycopg.connect(postgres.url(self.data_dir, self.port, database, role), autocommit=True)

    def connect_without_password(self, database: str) -> psycopg.Connection:
        """Open a session without a password, like every client of an earlier version."""
        return psycopg.connect(f"postgresql://shop@127.0.0.1:{self.port}/{database}", autocommit=True)


def make_old_cluster(data_dir: Path) -> ClusterServer:
    """Make a cluster like earlier versions, with an empty database for the store."""
    postgres.initialise(data_dir)
    (data_dir / "pg_hba.conf").write_text(TRUST_RULES)
    cluster = ClusterServer(data_dir)
    with cluster, cluster.connect_without_password("postgres") as server:
        server.execute("CREATE DATABASE shop")
        for role in (OWNER, STORE, READER):
            server.execute(f"DROP ROLE {role}")
        server.execute("ALTER ROLE shop PASSWORD NULL")
    database_roles.passwords_file(data_dir).unlink()
    return cluster
