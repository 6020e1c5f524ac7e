"""A cluster as earlier versions made it, and a server over one: everybody is let in, as the superuser, who owns all."""

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

EVERYBODY = "host all all 127.0.0.1/32 trust\n"


class ClusterServer:
    """A server over one cluster, for as long as a block runs.

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
        """Open a session by password."""
        return psycopg.connect(postgres.url(self.data_dir, self.port, database, role), autocommit=True)

    def connect_without_password(self, database: str) -> psycopg.Connection:
        """Open a session as everybody could."""
        return psycopg.connect(f"postgresql://shop@127.0.0.1:{self.port}/{database}", autocommit=True)


def make_old_cluster(data_dir: Path) -> ClusterServer:
    """Make a cluster as earlier versions did, with an empty database of the store's."""
    postgres.initialise(data_dir)
    (data_dir / "pg_hba.conf").write_text(EVERYBODY)
    cluster = ClusterServer(data_dir)
    with cluster, cluster.connect_without_password("postgres") as server:
        server.execute("CREATE DATABASE shop")
        for role in (OWNER, STORE, READER):
            server.execute(f"DROP ROLE {role}")
        server.execute("ALTER ROLE shop PASSWORD NULL")
    database_roles.passwords_file(data_dir).unlink()
    return cluster
