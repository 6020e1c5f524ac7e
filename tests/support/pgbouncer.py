"""A pgbouncer in front of the tests' PostgreSQL, if Debian's package is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import make_url

from shop.stack.program import free_port, port_answers
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
ACCOUNT = "nobody"
"""The account of pgbouncer if root runs the tests: it refuses to run as root."""
INI = """
[databases]
* = host={host} port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {home}/users
pool_mode = {mode}
{more}
"""


class PgBouncer:
    """One pooler.

    Args:
        server: the address of a database behind it.
        mode: ``session`` or ``transaction``.
        more: further lines of its configuration.
    """

    def __init__(self, server: str, mode: str, more: str = "") -> None:
        assert PROGRAM is not None
        self._port, self._home = free_port(), Path(tempfile.mkdtemp(prefix="shop-pgbouncer-"))
        url = make_url(server)
        ini = INI.format(host=url.host, server=url.port, port=self._port, home=self._home, mode=mode, more=more)
        (self._home / "ini").write_text(ini)
        (self._home / "users").write_text(f'"{url.username}" "{url.password}"\n')
        root = os.geteuid() == 0
        account = {"user": ACCOUNT, "group": pwd.getpwnam(ACCOUNT).pw_gid, "extra_groups": []} if root else {}
        if root:
            for path in (self._home, *self._home.iterdir()):
                shutil.chown(path, ACCOUNT)
        with (self._home.with_suffix(".log")).open("wb") as log:
            self._process = subprocess.Popen([PROGRAM, self._home / "ini"], stdout=log, stderr=log, cwd="/", **account)
        self.url = url.set(host="127.0.0.1", port=self._port).render_as_string(hide_password=False)
        with ended_on_failure(self.stop):
            until(lambda: port_answers(self._port) or self._process.poll() is not None)

    def stop(self) -> None:
        """Stop the pooler and delete its files."""
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self._home)
        self._home.with_suffix(".log").unlink()
